//! The linear softmax loss across the processes of an MPI program, for an X or a W that does not fit one machine.
//! Each rank has its own backend and its part of the data; this crate exchanges the values that the formula needs.
//!
//! | | each rank has | each call exchanges |
//! |---|---|---|
//! | [`SampleParallel`] | some of the samples, and all of W | one sum of dW, db, loss, Ω and the number correct |
//! | [`ClassParallel`] | some of the classes, and all of X | row statistics, and the sum of dX over the classes |
//! | both, on a [`Grid`] | some of both | both, each among the ranks of a row or a column of the grid |
//!
//! ```no_run
//! use softmax_core::ndarray::{Array1, Array2};
//! use softmax_core::{Problem, SoftmaxBackend};
//! use softmax_fused::Fused;
//! use softmax_mpi::{Ranks, SampleParallel};
//!
//! let universe = mpi::initialize().expect("MPI starts once");
//! let ranks = Ranks::world();
//! // This rank's samples, here made up.
//! let features = Array2::from_elem((1000, 64), ranks.rank() as f32);
//! let labels = Array1::from_elem(1000, ranks.rank() % 10);
//! let mut weights = Array2::<f32>::zeros((64, 10));
//!
//! let mut backend = SampleParallel::new(Fused::new(), ranks);
//! for _ in 0..100 {
//!     let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//!     // The loss and dW of all ranks' samples, with the same bits on each rank.
//!     let gradients = backend.gradients(&problem)?;
//!     weights.scaled_add(-0.1, &gradients.weights);
//! }
//! # drop(universe);
//! # Ok::<(), softmax_core::Error>(())
//! ```
//!
//! Every rank makes the same calls in the same order. If one rank cannot continue (different options, different
//! outputs, a backend that fails), the call returns an error on every rank, and no rank waits forever. If a rank
//! dies, `mpirun` ends the others.
//!
//! [`Whole`] divides a problem that every rank holds entirely. [`Leader`] and [`follow`] serve programs in which the
//! first rank decides what is evaluated next, such as a solver. The program `softmax` uses them (feature `mpi`):
//! `mpirun -n 4 softmax eval --parallel classes …`.
//!
//! # The same bits
//!
//! [`ClassParallel`] gives the bits of a single process on any number of ranks, if shards begin at multiples of the
//! backend's [`TwoPass::shard_multiple`](softmax_core::TwoPass::shard_multiple): 256 classes in f32 and 128 in f64
//! for `softmax-fused`.
//!
//! [`SampleParallel`] gives the same bits in every run with the same ranks and samples. With another number of ranks,
//! dW and db differ in their last digits, because `fused` sums dW over the samples in order; sample losses,
//! log-sum-exp and predicted classes stay the same.
//!
//! # Memory
//!
//! Beyond its part of the problem and of the outputs, a rank holds its backend's working memory and messages of up to
//! 8 MiB. In [`ClassParallel`] it also holds statistics of 4 MiB in total, as received and as merged, and about 50
//! bytes per row. If dW [accumulates](softmax_core::Outputs::accumulate), [`SampleParallel`] holds a second dW.
//! Messages are split into pieces of 8 MiB, so that no MPI count exceeds 2³¹.
//!
//! `docs/SCALING.md` in the repository gives the cost of a call and the number of ranks that is worthwhile.

#![forbid(unsafe_code)]

mod classes;
mod delivery;
mod fingerprint;
mod flat;
mod grid;
mod leader;
mod message;
mod ranks;
mod samples;
mod whole;

pub use classes::ClassParallel;
pub use grid::Grid;
pub use leader::{Leader, follow};
pub use ranks::{Ranks, Traffic, Wire};
pub use samples::SampleParallel;
pub use whole::Whole;
