//! The loss of a linear softmax classifier, loss = mean over i of −log softmax(X_i·W)\[y_i\], and its gradients. Depend
//! on this crate to compute losses and gradients in your program. To train a classifier in one call, use `softmax-fit`.
//!
//! # A training loop
//!
//! ```
//! # #[cfg(feature = "fused")] {
//! use softmax::ndarray::{Array2, array};
//! use softmax::{Problem, SoftmaxBackend};
//!
//! let features = array![[0.9f32, 0.1], [-0.5, 0.9], [-0.6, -0.8]];
//! let labels = array![0i64, 1, 2];
//! let mut weights = Array2::<f32>::zeros((2, 3));
//! let mut backend = softmax::backend("fused")?;
//! for _ in 0..100 {
//!     let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//!     let gradients = backend.gradients(&problem)?;
//!     weights.scaled_add(-0.5, &gradients.weights);
//! }
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! assert!(backend.loss(&problem)? < 0.2);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Labels and options
//!
//! Labels are class indices of type `usize`, `u8`, `u32`, `i32` or `i64`. [`Targets`] are labels, soft targets (an N×C
//! array of probabilities) or none. [`Objective`] has the options: label smoothing, ignored label, reduction, L2,
//! z-loss, softcap and temperature; [`ProblemBuilder`] has the bias, class weights and sample weights. [`softmax_core`]
//! states the whole formula.
//!
//! [`gradients`](SoftmaxBackend::gradients) returns the loss, dW and db. [`evaluate`](SoftmaxBackend::evaluate) writes
//! any [`Outputs`] into your arrays: also dX, sample losses, log-sum-exp, predicted classes, entropies and the best
//! classes. Reuse one backend in a loop; it keeps its working memory.
//!
//! # Errors
//!
//! Building a problem checks shapes, labels and options once, and returns an [`Error`] that names the argument, the
//! position and what was expected:
//!
//! ```
//! use softmax::Problem;
//! use softmax::ndarray::array;
//!
//! let (features, weights) = (array![[1.0f32], [2.0]], array![[0.5f32, 0.1]]);
//! let error = Problem::builder(features.view(), weights.view(), &[0i64, 7][..]).build().unwrap_err();
//! assert_eq!(error.to_string(), "labels: expected a class below 2, found 7 at sample 1");
//! ```
//!
//! If a backend does not support an option, it returns [`Error::Unsupported`], which names the backend and the option.
//! [`supports`](Backend::supports) tells in advance. Features, weights and bias may contain any number: NaN in gives
//! NaN out.
//!
//! # Backends
//!
//! Each backend is a cargo feature; `fused`, the fastest on a CPU, is the default. [`backend`] makes one by name, and
//! [`Registry`] lists the backends of the build, and what to do to add the others.
//!
//! | backend | feature | implementation | f16, bf16, sparse | memory beyond inputs and outputs |
//! |---|---|---|---|---|
//! | `fused` | `fused` | SIMD and threads; bit-identical results for any vector instructions and number of threads | yes | 64 MiB or the size of W, whichever is larger |
//! | `openblas` | `openblas` | products by the system's OpenBLAS | no | N×C |
//! | `ndarray` | `ndarray` | matrix algebra on ndarray, one thread | yes | N×C |
//! | `burn` | `burn` | Burn tensors on the CPU | no | a copy of the problem and about 32 MiB (64 in f64) |
//! | `burn-autodiff` | `burn` | Burn tensors on the CPU, gradients by Burn's autodiff | no | several N×C |
//! | `burn-wgpu`, `burn-vulkan` | `wgpu`, `vulkan` | Burn tensors on graphics devices | no | a copy of the problem and about 32 MiB |
//! | `naive` | `naive` | loops that read like the derivation | yes | dW in the element type and in f64, and a few rows |
//!
//! If gradients depend on the losses (policy gradients), or if the classes are in shards, use [two passes](TwoPass).
//! The first computes statistics of the rows, the second computes gradients.

#![forbid(unsafe_code)]

mod registry;

pub use registry::{Absent, BackendElement, Entry, NoSuchBackend, Registry, Setup};
pub use softmax_core::*;

#[cfg(feature = "burn")]
pub use softmax_burn::{Burn, BurnAutodiff};
#[cfg(feature = "fused")]
pub use softmax_fused::{Fused, Level, NoSuchLevel};
#[cfg(feature = "naive")]
pub use softmax_naive::Naive;
#[cfg(feature = "ndarray")]
pub use softmax_ndarray::NdArray;
#[cfg(feature = "openblas")]
pub use softmax_openblas::OpenBlas;

/// Makes the backend named `name`, with default settings.
///
/// # Errors
/// [`NoSuchBackend`], which says how to make the backend available, or lists the available backends.
pub fn backend<T: BackendElement>(name: &str) -> Result<Box<dyn SoftmaxBackend<T>>, NoSuchBackend> {
    Registry::built_in().make(name, Setup::default())
}
