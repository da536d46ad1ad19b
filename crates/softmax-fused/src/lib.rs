//! The linear softmax loss on a CPU, fused: the N×C scores are never stored, X is read from memory once, and
//! the same problem gives the same bits whatever the number of threads.
//!
//! ```
//! use softmax_fused::ndarray::{Array1, Array2, array};
//! use softmax_fused::{Fused, Outputs, Problem, SoftmaxBackend};
//!
//! let features = array![[1.0f32, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! let mut backend = Fused::new();
//! assert!((backend.loss(&problem)? - 0.7960856).abs() < 1e-6);
//!
//! // Any outputs, into arrays of yours; what is not asked for is not computed.
//! let (mut dx, mut losses) = (Array2::zeros((2, 2)), Array1::zeros(2));
//! let mut outputs = Outputs {
//!     features_gradient: Some(dx.view_mut()),
//!     sample_losses: Some(losses.view_mut()),
//!     ..Outputs::default()
//! };
//! let evaluation = backend.evaluate(&problem, &mut outputs)?;
//! assert_eq!(evaluation.correct, Some(2));
//! # Ok::<(), softmax_fused::Error>(())
//! ```
//!
//! # Two regimes
//!
//! Both take a block of rows r from scores to gradient while it is in cache, and then forget it:
//!
//! ```math
//! S_r = X_r W \;\to\; E_r = \exp(S_r - m_r) \;\to\; G_r = (E_r / \textstyle\sum E_r - Y_r) / N
//! \qquad dW = \sum_r X_r^T G_r \qquad dX_r = G_r W^T
//! ```
//!
//! **Up to 64 classes** both products have the features in the vector lanes, so that ten classes are ten and not
//! sixteen. Wᵀ is packed once per call; a panel of up to 60 rows of X is read for the scores and, from cache, for dW.
//! Rows are shared out in at most 32 tasks, a power of two, whose parts of dW are added in order.
//!
//! **Above**, W is packed once per call into panels of two vectors of classes. A block of rows goes through tiles of six
//! rows by one panel: as many rows as the memory allows, but at least 96, and at most 384 (f32) or 192 (f64). Its scores
//! live in panels too, and become exponentials and then ∂loss/∂scores in place. Each panel of dW belongs to one task, and
//! its sums run over the rows in order.
//!
//! Neither partition depends on the number of threads, nor does any sum. The limit of 64 was measured: at 8192×784 in
//! f32 the first takes 0.95 of the second's time at 64 classes and 0.55 at 40 (see the crate's ARCHITECTURE.md).
//!
//! # Memory
//!
//! Beyond inputs and outputs, at most what [`Fused::memory`] says, by default 64 MiB, and the copy of W. It is kept from
//! call to call, for each element type and either kernel of its own: an instance that takes turns with f32 and f64, or with
//! few classes and many, keeps as much for each. What a call still allocates is a few words for each helping thread.
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
mod rounds;
mod softcap;
mod stored;
mod sums;
mod terms;
mod wide;

pub use backend::Fused;
pub use kernel::level::{Level, NoSuchLevel};
pub use softmax_core::*;
