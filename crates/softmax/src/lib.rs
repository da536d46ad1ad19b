//! The linear softmax loss, loss = mean over i of −log softmax(X_i·W)\[y_i\], and its gradients, by whichever backend:
//! what a program depends on that embeds one.
//!
//! Each backend is a cargo feature; `fused`, the fastest on a CPU, is the default. [`backend`] makes one by its name,
//! and [`Registry`] lists what a build has and what would bring the rest. The contract, with the formula at its top, is
//! [`softmax_core`], all of which is here too.
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
//! | feature | backends | what they are |
//! |---|---|---|
//! | `fused` | `fused` | SIMD and threads, without the N×C scores |
//! | `naive` | `naive` | loops that read like the derivation |
//! | `ndarray` | `ndarray` | matrix algebra on ndarray |
//! | `openblas` | `openblas` | products by the system's OpenBLAS |
//! | `burn` | `burn`, `burn-autodiff` | Burn tensors on the CPU |
//! | `wgpu`, `vulkan` | `burn-wgpu`, `burn-vulkan` | Burn tensors on graphics devices |

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

/// A backend by its name, with its defaults.
///
/// # Errors
/// [`NoSuchBackend`], which says what would bring it, or which there are.
pub fn backend<T: BackendElement>(name: &str) -> Result<Box<dyn SoftmaxBackend<T>>, NoSuchBackend> {
    Registry::built_in().make(name, Setup::default())
}
