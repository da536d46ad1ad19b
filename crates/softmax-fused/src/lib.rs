//! The linear softmax loss on a CPU, fused: the N×C scores are never stored, and every sum has a defined order, so that the
//! same problem gives the same bits whatever the number of threads, the vector instructions and the memory allowed.
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
//! # Two kernels
//!
//! Both take a block of rows r from scores to gradient while it is in cache, and then forget it:
//!
//! ```math
//! S_r = X_r W \;\to\; E_r = \exp(S_r - m_r) \;\to\; G_r = (E_r / \textstyle\sum E_r - Y_r) / N
//! \qquad dW = \sum_r X_r^T G_r \qquad dX_r = G_r W^T
//! ```
//!
//! **Up to 64 classes** (narrow) the products have the features in the vector lanes, so that ten classes are ten and not
//! sixteen. A panel of up to 60 rows of X is read from memory once, for the scores, and from cache again, for dW.
//!
//! **Above, and for sparse features** (wide), the classes are in the lanes. They go by groups of eight panels of two
//! vectors. Each group has a maximum and sums of its own, so that its scores become exponentials while they are in the L2
//! cache; the row's maximum and sum are put together from the groups'.
//!
//! # Two passes
//!
//! [`TwoPass::forward`] computes the scores alone, [`TwoPass::backward`] computes them once more for the gradients: 6·N·D·C
//! operations with dW, where one pass takes 4·N·D·C. Both are of the second kernel, for few classes too. The statistics between
//! them take 36 bytes for each row and group of 256 classes in f32, of 128 in f64 48: for very many rows, go by batches.
//!
//! # The same bits
//!
//! | what may differ | what stays |
//! |---|---|
//! | threads | everything |
//! | vector instructions ([`Fused::level`]) | everything, on processors with fused multiply-add |
//! | memory allowed ([`Fused::memory`]), sizes of the caches ([`KernelParams`]) | everything |
//! | which outputs are asked for | the others |
//! | the layout and the storage (f16, bf16 or the same numbers widened) of dense arrays | everything |
//! | the classes in one piece, or in shards that begin at multiples of 256 (f32) or 128 (f64) ([`TwoPass`]) | everything, where one pass is of the second kernel |
//! | the samples beside a sample | its loss, log-sum-exp, predicted class, facts and, under [`Reduction::Sum`], its row of dX |
//!
//! The unit of all sums is a vector of 64 bytes, whatever the registers are; exponential, logarithm and tanh are the crate's
//! own. The limit of 64 classes ([`Fused::narrow_up_to`]) does change bits.
//!
//! # Memory
//!
//! Beyond inputs and outputs, about what [`Fused::memory`] says, by default 64 MiB or the size of W, whichever is more. It is
//! kept from call to call, for each element type and either kernel of its own: an instance that takes turns with f32 and
//! f64, or with few classes and many, keeps as much for each. What a call still allocates is a few words for each thread.
//!
//! # Storage
//!
//! f16 and bf16 are widened where they are packed. With sparse features ([`Csr`]) scores and dW take time in proportion to the
//! entries that are stored; dX would be dense, and is [`Error::Unsupported`].
//!
//! # Instruction sets
//!
//! One source, through `pulp`: AVX2 with FMA, AVX-512, NEON (untested), and plain code ([`Level`]). The conformance suite
//! runs at every level that a machine has.

#![deny(unsafe_code)]

mod backend;
mod buffer;
mod columns;
mod facts;
mod hessian;
mod kernel;
mod narrow;
mod orders;
mod params;
mod rounds;
mod softcap;
mod stored;
mod sums;
mod terms;
mod two_pass;
mod wide;

pub use backend::Fused;
pub use kernel::level::{Level, NoSuchLevel};
pub use params::KernelParams;
pub use softmax_core::*;
