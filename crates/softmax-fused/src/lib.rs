//! The linear softmax loss on a CPU, fused: the N×C scores are never stored, X is read from memory once, and
//! the same problem gives the same bits whatever the number of threads.
//!
//! ```
//! use softmax_fused::{Fused, Problem, SoftmaxBackend, ndarray::array};
//!
//! let features = array![[1.0f32, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! assert!((Fused::detect().loss(&problem)? - 0.7960856).abs() < 1e-6);
//! # Ok::<(), softmax_fused::Error>(())
//! ```
//!
//! # Two regimes
//!
//! **Up to 40 classes** both products have the features in the vector lanes, so that ten classes are ten and not
//! sixteen. Wᵀ is copied once per call; a panel of up to 32 rows of X is read for the scores and, from cache,
//! for dW. Rows are shared out in at most 32 fixed tasks, whose parts of dW are added in a fixed tree.
//!
//! **Above**, W is packed once per call into panels of two vectors of classes. A block of rows, as many as the
//! memory allows and at most 480, goes through tiles of six rows by one panel; its scores live in panels too,
//! and become exponentials and then ∂loss/∂scores in place. Each panel of dW belongs to one task, and its sums run
//! over the rows in order.
//!
//! Neither partition depends on the number of threads, nor does any sum.
//!
//! # Memory
//!
//! Beyond inputs and outputs, at most what [`Fused::memory`] says, by default 64 MiB, and the copy of W. It is
//! kept from call to call: what a call allocates is a list of its tasks.
//!
//! # Instruction sets
//!
//! One source, through `pulp`: AVX2 with FMA, AVX-512, NEON, and plain scalar code ([`Level`]). The
//! conformance suite runs at every level that a machine has.

#![deny(unsafe_code)]

mod backend;
mod buffer;
mod columns;
mod kernel;
mod narrow;
mod terms;
mod tiles;
mod wide;

pub use backend::Fused;
pub use kernel::lanes::Level;
pub use softmax_core::*;
