//! The linear softmax loss as matrix algebra on ndarray: every step of the formula of [`softmax_core`] is one
//! operation on a whole array, and the three products are ndarray's. For plain labels, with Y the one-hot ones:
//!
//! ```math
//! S = X W \qquad P = \operatorname{softmax}(S) \qquad G = (P - Y) / N \qquad dW = X^T G \qquad dX = G W^T
//! ```
//!
//! It stores the N×C scores, in which probabilities and then ∂loss/∂scores replace each other, and one more
//! N×C array each for soft targets and for the slopes of a softcap. One thread, and the SIMD of ndarray's own
//! kernels, unless the build turns ndarray's BLAS on: then the products are BLAS's, and the backend is named `ndarray+blas`
//! (feature `blas`). Features may have any storage: half precision is widened by blocks of rows, CSR stays sparse. Weights of
//! half precision are widened whole.
//!
//! ```
//! use softmax_ndarray::{NdArray, Problem, SoftmaxBackend, ndarray::array};
//!
//! let features = array![[1.0f32, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! assert!((NdArray::new().loss(&problem)? - 0.7960856).abs() < 1e-6);
//! # Ok::<(), softmax_ndarray::Error>(())
//! ```

#![forbid(unsafe_code)]

mod backend;
mod facts;
mod forward;
mod gradient;
mod hessian;
mod products;
mod rows;
mod two_pass;
mod weights;

pub use backend::NdArray;
pub use softmax_core::*;
