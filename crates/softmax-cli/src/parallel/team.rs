//! The processes of an MPI run.

use super::{Agreed, Parallel, Travels};
use crate::{explain, is_of_backend};
use anyhow::Context;
use mpi::Threading;
use mpi::environment::Universe;
use softmax::{BackendElement, Problem, SoftmaxBackend};
use softmax_mpi::{Grid, Leader, Ranks, Whole, follow};

/// The processes that `mpirun` has started, including this one.
pub(super) struct Team {
    ranks: Ranks,
    grid: Grid,
    /// Finalises MPI on drop. It is the last field, so it is dropped after everything that uses MPI.
    _universe: Universe,
}

impl Team {
    pub(super) fn start(parallel: Parallel) -> anyhow::Result<Self> {
        // MPI calls may come from different threads, but never two at once.
        let (universe, _) = mpi::initialize_with_threading(Threading::Serialized)
            .context("--parallel: MPI does not start")?;
        let ranks = Ranks::world();
        let grid = match parallel {
            Parallel::Samples => Grid { samples: ranks.size(), classes: 1 },
            Parallel::Classes => Grid { samples: 1, classes: ranks.size() },
        };
        Ok(Team { ranks, grid, _universe: universe })
    }

    pub(super) fn is_first(&self) -> bool {
        self.ranks.rank() == 0
    }

    pub(super) fn agree<R>(&self, done: anyhow::Result<R>) -> anyhow::Result<R> {
        // One digit for the kind of error (1 if a backend failed), and the message.
        let own =
            done.as_ref().err().map(|error| format!("{}{}", u8::from(is_of_backend(error)), explain(error)));
        match (self.ranks.first_failure(own.as_deref()), done) {
            (None, done) => done,
            (_, done @ Err(_)) if self.is_first() => done,
            (Some((rank, message)), _) => {
                let (kind, message) = message.split_at_checked(1).unwrap_or_default();
                Err(Agreed { rank, message: message.to_owned(), is_of_backend: kind == "1" }.into())
            }
        }
    }

    pub(super) fn whole<T: BackendElement>(
        &self,
        backend: Box<dyn SoftmaxBackend<T>>,
    ) -> Whole<Box<dyn SoftmaxBackend<T>>> {
        Whole::new(backend, self.ranks.clone(), self.grid)
    }

    pub(super) fn lead<T: BackendElement + Travels, R>(
        &self,
        backend: Box<dyn SoftmaxBackend<T>>,
        problem: &Problem<'_, T>,
        go: impl FnOnce(&mut dyn SoftmaxBackend<T>) -> R,
    ) -> softmax::Result<Option<R>> {
        let whole = self.whole(backend);
        if self.is_first() {
            return Ok(Some(go(&mut Leader::new(whole, problem.clone())?)));
        }
        follow(whole, problem)?;
        Ok(None)
    }
}
