//! The fused CPU backend of the linear softmax loss. It holds the scores of one block of rows at a time, not all N×C of a
//! large batch. It defines the order of every sum: a problem gives the same bits on any number of threads, with any vector
//! instructions and with any memory limit.
//!
//! It is a backend alone: files, training and the command line are in other crates of the project.
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
//! // Any outputs, written into your arrays. An output that you do not request is not computed.
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
//! Both kernels take a block of rows r from scores to gradients while the block is in cache:
//!
//! ```text
//! S_r = X_r·W   →   E_r = exp(S_r − m_r)   →   G_r = (E_r / ΣE_r − Y_r) / N   →   dW += X_rᵀ·G_r,   dX_r = G_r·Wᵀ
//! ```
//!
//! **Narrow**, up to 64 classes: the vector lanes hold features, so that ten classes cost ten and not sixteen. The kernel
//! reads a panel of up to 60 rows of X from memory for the scores, and from the cache again for dW.
//!
//! **Wide**, above 64 classes and for sparse features: the vector lanes hold classes, in groups of eight panels of two vectors.
//! Each group has its own maximum and sums, so that its scores become exponentials while they are in the L2 cache. The
//! row's maximum and sum follow from those of its groups.
//!
//! # Two passes
//!
//! [`TwoPass::forward`] computes the scores, and [`TwoPass::backward`] computes them again for the gradients: 6·N·D·C
//! operations with dW, where one pass takes 4·N·D·C. Both use the wide kernel for any number of classes. The statistics
//! between them take 36 bytes per row and group of 256 classes in f32, and 48 bytes per row and group of 128 in f64. For very
//! many rows, evaluate in batches.
//!
//! # The same bits
//!
//! | what may differ | what has the same bits |
//! |---|---|
//! | threads | everything |
//! | vector instructions ([`Fused::level`]), x86-64 or Arm | everything, on processors with fused multiply-add |
//! | the memory limit ([`Fused::memory`]), sizes of the caches ([`KernelParams`]) | everything |
//! | which outputs are requested | those requested in both calls |
//! | strides of dense arrays; f16 or bf16 storage, or the same numbers widened | everything |
//! | the classes in one piece, or in shards that begin at multiples of 256 (f32) or 128 (f64) ([`TwoPass`]) | everything, if one pass uses the wide kernel |
//! | the other samples of the batch | a sample's loss, log-sum-exp, predicted class, facts and, under [`Reduction::Sum`], its row of dX |
//!
//! Every sum is over vectors of 64 bytes, whatever the width of the registers. The exponential, the logarithm and tanh are the
//! crate's own. The limit of 64 classes between the kernels ([`Fused::narrow_up_to`]) does change bits.
//!
//! # Memory
//!
//! Beyond inputs and outputs the backend holds about what [`Fused::memory`] allows: by default the larger of 64 MiB and the
//! size of W. It keeps this memory from call to call, separately for each element type and each kernel. A later call
//! allocates a few words per thread.
//!
//! # Storage
//!
//! f16 and bf16 are widened as they are packed. With sparse features ([`Csr`]) the scores and dW take time proportional to the
//! number of stored entries. Their dX would be dense: it is [`Error::Unsupported`].
//!
//! # Instruction sets
//!
//! AVX2 with FMA, AVX-512, NEON (tested in an emulator, never timed) and portable code ([`Level`]), from one source through `pulp`. The conformance
//! suite runs at every level that the machine has.

#![deny(unsafe_code)]

mod backend;
mod buffer;
mod columns;
mod direction;
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
