//! `--parallel`: one command as several processes, which `mpirun` has started.

#[cfg(feature = "mpi")]
mod team;

use clap::ValueEnum;
use softmax::{BackendElement, Evaluation, OutputSet, OwnedOutputs, Problem, SoftmaxBackend};

/// An element type whose numbers can go to other processes.
#[cfg(feature = "mpi")]
pub(crate) use softmax_mpi::Wire as Travels;

/// In a build without other processes, any.
#[cfg(not(feature = "mpi"))]
pub(crate) trait Travels {}

#[cfg(not(feature = "mpi"))]
impl<T> Travels for T {}

/// What is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Parallel {
    /// Each process has some of the samples
    Samples,
    /// Each process has some of the classes
    Classes,
}

/// What another process says before all end.
#[derive(Debug, thiserror::Error)]
#[error("rank {rank}: {message}")]
pub(crate) struct OfAnother {
    rank: usize,
    message: String,
    /// Whether its backend failed, and not what it was given.
    pub(crate) is_of_backend: bool,
}

/// Whether this is one of several processes, of which the first prints.
pub(crate) fn is_silent() -> bool {
    // As Open MPI, MPICH and PMIx say it.
    const RANKS: [&str; 3] = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"];
    cfg!(feature = "mpi") && RANKS.into_iter().any(|name| std::env::var(name).is_ok_and(|rank| rank != "0"))
}

/// The processes of a command: this one alone, unless there is a `--parallel`.
pub(crate) struct Processes {
    #[cfg(feature = "mpi")]
    team: Option<team::Team>,
}

impl Processes {
    #[cfg(feature = "mpi")]
    pub(crate) fn start(parallel: Option<Parallel>) -> anyhow::Result<Self> {
        Ok(Processes { team: parallel.map(team::Team::start).transpose()? })
    }

    #[cfg(not(feature = "mpi"))]
    pub(crate) fn start(parallel: Option<Parallel>) -> anyhow::Result<Self> {
        match parallel {
            None => Ok(Processes {}),
            Some(_) => anyhow::bail!(
                "--parallel: expected a build with --features mpi (Debian: libopenmpi-dev, libclang-dev), found one without"
            ),
        }
    }

    /// Whether this one writes files.
    pub(crate) fn is_first(&self) -> bool {
        #[cfg(feature = "mpi")]
        if let Some(team) = &self.team {
            return team.is_first();
        }
        true
    }

    /// What this process has, if none of them failed.
    pub(crate) fn agree<R>(&self, done: anyhow::Result<R>) -> anyhow::Result<R> {
        #[cfg(feature = "mpi")]
        if let Some(team) = &self.team {
            return team.agree(done);
        }
        done
    }

    /// Evaluates a problem, with so many of the best classes among the outputs; `None` where another process has it.
    pub(crate) fn evaluate<T: BackendElement + Travels>(
        &self,
        mut backend: Box<dyn SoftmaxBackend<T>>,
        problem: &Problem<'_, T>,
        (set, top): (OutputSet, usize),
    ) -> softmax::Result<Option<(Evaluation, OwnedOutputs<T>)>> {
        #[cfg(feature = "mpi")]
        if let Some(team) = &self.team {
            return team.whole(backend).evaluate_for_first(problem, set, top);
        }
        let mut outputs = OwnedOutputs::zeros_with_top(problem, set, top);
        let evaluation = backend.evaluate(problem, &mut outputs.as_outputs())?;
        Ok(Some((evaluation, outputs)))
    }

    /// Hands a backend to someone who evaluates the samples of a problem under parameters of their own; `None` where another
    /// process does that.
    pub(crate) fn lead<T: BackendElement + Travels, R>(
        &self,
        mut backend: Box<dyn SoftmaxBackend<T>>,
        problem: &Problem<'_, T>,
        go: impl FnOnce(&mut dyn SoftmaxBackend<T>) -> R,
    ) -> softmax::Result<Option<R>> {
        #[cfg(feature = "mpi")]
        if let Some(team) = &self.team {
            return team.lead(backend, problem, go);
        }
        let _ = problem;
        Ok(Some(go(&mut *backend)))
    }
}
