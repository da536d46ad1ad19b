//! The linear softmax loss over the processes of an MPI program, where X or W outgrow a machine.
//!
//! | | each rank has | each call exchanges |
//! |---|---|---|
//! | [`SampleParallel`] | some of the samples, and all of W | one sum of dW, db, loss, Ω and the number correct |
//! | [`ClassParallel`] | some of the classes, and all of X | statistics of the rows, and dX, which is a sum over classes |
//! | both, on a [`Grid`] | some of either | both, each among the ranks of a row or a column of the grid |
//!
//! ```no_run
//! use softmax_core::ndarray::{Array1, Array2};
//! use softmax_core::{Problem, SoftmaxBackend};
//! use softmax_fused::Fused;
//! use softmax_mpi::{Ranks, SampleParallel};
//!
//! let universe = mpi::initialize().expect("MPI starts once");
//! let ranks = Ranks::world();
//! // This rank's samples: here some of its own making.
//! let features = Array2::from_elem((1000, 64), ranks.rank() as f32);
//! let labels = Array1::from_elem(1000, ranks.rank() % 10);
//! let mut weights = Array2::<f32>::zeros((64, 10));
//!
//! let mut backend = SampleParallel::new(Fused::new(), ranks);
//! for _ in 0..100 {
//!     let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//!     // The loss and dW of all ranks' samples, the same bits on each of them.
//!     let gradients = backend.gradients(&problem)?;
//!     weights.scaled_add(-0.1, &gradients.weights);
//! }
//! # drop(universe);
//! # Ok::<(), softmax_core::Error>(())
//! ```
//!
//! Every rank makes the same calls in the same order. Where one of them can't go on (other options, other outputs, a backend that
//! fails), the call is an error on all of them, and none waits for ever. A rank that dies is MPI's to notice: `mpirun` ends the others.
//!
//! [`Whole`] does the dividing for problems that every rank has whole, and [`Leader`] with [`follow`] for programs in which the
//! first rank decides what is evaluated next, such as a solver. The program `softmax` is made of them (feature `mpi`):
//! `mpirun -n 4 softmax eval --parallel classes …`.
//!
//! # The same bits
//!
//! [`ClassParallel`] gives the bits of a single process at any number of ranks, if shards begin at the multiples that the backend
//! names ([`TwoPass::shard_multiple`](softmax_core::TwoPass::shard_multiple)): 256 classes of f32 for `softmax-fused`, or 128 of
//! f64. [`SampleParallel`] gives the same bits at every run with the same ranks and samples. At another number of ranks dW and db
//! differ in their last digits, since `fused` sums dW over the samples one after the other; sample losses, log-sum-exp and
//! predicted classes do not differ.
//!
//! # Memory
//!
//! Beside its part of the problem and of the outputs a rank holds what its backend does, messages of up to 8 MiB and what was
//! received, or in [`ClassParallel`] statistics of 4 MiB together, as they are received and as they are merged, and some 50 bytes
//! for each row. Where dW [accumulates](softmax_core::Outputs::accumulate),
//! [`SampleParallel`] holds a second one. Messages are cut to pieces of 8 MiB, so that no count of MPI is past 2³¹.
//!
//! What a call costs, and how many ranks pay: `docs/SCALING.md`.

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
