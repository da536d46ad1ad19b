//! The linear softmax loss as matrix algebra on ndarray. Each step of the formula of [`softmax_core`] is one operation
//! on a whole array, and ndarray computes the three products. For plain labels, with the one-hot matrix Y:
//!
//! ```text
//! S = X·W     P = softmax(S)     G = (P − Y) / N     dW = Xᵀ·G     dX = G·Wᵀ
//! ```
//!
//! It stores one N×C array, which holds the scores, then the probabilities, then ∂loss/∂scores. Soft targets, label
//! smoothing, a softcap and row facts take further N×C arrays. It runs on one thread with the SIMD of ndarray's own
//! kernels. With the feature `blas`, the BLAS library that the build links computes the products, and the backend is
//! named `ndarray+blas`. It supports every storage: half-precision features are widened in blocks of rows, sparse
//! features stay sparse, and half-precision weights are widened as a whole.
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
