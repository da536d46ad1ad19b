//! `--parallel`: runs one command in several processes, which `mpirun` has started.

#[cfg(feature = "mpi")]
mod team;

use clap::ValueEnum;
use softmax::{BackendElement, Evaluation, OutputSet, OwnedOutputs, Problem, SoftmaxBackend};

/// An element type whose numbers can be sent to other processes.
#[cfg(feature = "mpi")]
pub(crate) use softmax_mpi::Wire as Travels;

/// Any element type, in a build without MPI.
#[cfg(not(feature = "mpi"))]
pub(crate) trait Travels {}

#[cfg(not(feature = "mpi"))]
impl<T> Travels for T {}

/// What is divided among the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Parallel {
    /// Each process has some of the samples
    Samples,
    /// Each process has some of the classes
    Classes,
}

/// An error that all processes know of, and that ends them. The first process prints it and gives the exit code.
#[derive(Debug, thiserror::Error)]
#[error("rank {rank}: {message}")]
pub(crate) struct Agreed {
    rank: usize,
    message: String,
    /// Whether its backend failed, as opposed to invalid usage or input.
    pub(crate) is_of_backend: bool,
}

/// Whether this is a process of `mpirun` other than the first, which is the only one that prints.
pub(crate) fn is_silent() -> bool {
    // The variables of Open MPI, MPICH and PMIx.
    const RANKS: [&str; 3] = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"];
    cfg!(feature = "mpi") && RANKS.into_iter().any(|name| std::env::var(name).is_ok_and(|rank| rank != "0"))
}

/// The processes of a command: only this one without `--parallel`.
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
                "--parallel: expected a build with --features mpi (Debian: libopenmpi-dev openmpi-bin libclang-dev), found one without"
            ),
        }
    }

    /// Whether this process is the first, which writes the files.
    pub(crate) fn is_first(&self) -> bool {
        #[cfg(feature = "mpi")]
        if let Some(team) = &self.team {
            return team.is_first();
        }
        true
    }

    /// The result of this process, or an error if any process failed.
    pub(crate) fn agree<R>(&self, done: anyhow::Result<R>) -> anyhow::Result<R> {
        #[cfg(feature = "mpi")]
        if let Some(team) = &self.team {
            return team.agree(done);
        }
        done
    }

    /// Evaluates a problem, with `top` classes in the top-k outputs. `None` if another process has the result.
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

    /// Calls `go` with a backend that evaluates the samples of `problem` with any parameters. `None` if another process
    /// does that.
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
