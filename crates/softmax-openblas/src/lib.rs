//! The linear softmax loss on OpenBLAS. The three products are calls of `gemm` in the system's OpenBLAS, which
//! [`ndarray_linalg`] links. The steps between them work in place, row by row, in one N×C array that is reused between
//! calls.
//!
//! ```text
//! S = X·W   →   exp(S_i − m_i)   →   G_i   →   dW = Xᵀ·G,   dX = G·Wᵀ
//! ```
//!
//! It needs OpenBLAS on the system (Debian: `libopenblas-dev` and `pkg-config`). It supports dense features and weights
//! of the element type, not half precision or sparse rows.
//!
//! ```
//! use softmax_openblas::{OpenBlas, Problem, SoftmaxBackend, ndarray::array};
//!
//! let features = array![[1.0f32, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! assert!((OpenBlas::new().loss(&problem)? - 0.7960856).abs() < 1e-6);
//! # Ok::<(), softmax_openblas::Error>(())
//! ```

#![deny(unsafe_code)]

// Links OpenBLAS, which provides `cblas_sgemm` and `cblas_dgemm`.
use ndarray_linalg as _;

mod backend;
mod facts;
mod library;
mod product;
mod row;

pub use backend::OpenBlas;
pub use library::{config, set_threads, threads};
pub use softmax_core::*;
