//! The linear softmax loss as [Burn](https://burn.dev) tensors, on any Burn device, in f32 and f64.
//!
//! Two backends, one forward pass. [`Burn`] computes the gradients in closed form, formulas (8) and (9) of
//! [`softmax_core`]; [`BurnAutodiff`] leaves them to Burn's autodiff and so checks the derivation. Both store
//! the N×C scores several times over, as any composition of tensor operations does.
//!
//! ```
//! use softmax_burn::{Burn, Problem, SoftmaxBackend, ndarray::array};
//!
//! let features = array![[1.0f32, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! assert!((Burn::flex().loss(&problem)? - 0.7960856).abs() < 1e-6);
//! # Ok::<(), softmax_burn::Error>(())
//! ```

#![forbid(unsafe_code)]

mod autodiff;
mod closed_form;
mod forward;
mod transfer;

pub use autodiff::BurnAutodiff;
pub use closed_form::Burn;
pub use softmax_core::*;
