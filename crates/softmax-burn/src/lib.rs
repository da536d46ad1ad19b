//! The linear softmax loss as [Burn](https://burn.dev) tensors, on any Burn device, in f32 and f64.
//!
//! **For a Burn model**, [`LinearCrossEntropyLoss`] is its last linear layer and its cross-entropy in one module, with label
//! smoothing, class and sample weights, an ignored label, z-loss, softcap and temperature, which never holds the N×C scores.
//! [`evaluate`] is what it calls: tensors in, loss and gradients out, on the device.
//!
//! **As backends** of [`softmax_core`] there are two: [`Burn`] carries a problem to its device, calls
//! the same, and carries the outputs back; [`BurnAutodiff`] takes all rows at once, leaves the gradients to Burn's autodiff
//! and so checks the derivation. In the first, rows r of X go through it a chunk after the other:
//!
//! ```math
//! S_r = X_r W + b \qquad G_r = (\operatorname{softmax}(S_r) - Y_r) / N \qquad dW = \sum_r X_r^T G_r \qquad dX_r = G_r W^T
//! ```
//!
//! ```
//! use softmax_burn::{Burn, Problem, SoftmaxBackend, ndarray::array};
//!
//! let features = array![[1.0f32, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! assert!((Burn::new().loss(&problem)? - 0.7960856).abs() < 1e-6);
//! # Ok::<(), softmax_burn::Error>(())
//! ```
//!
//! Devices are features: Flex, the CPU, is always there; `wgpu` and `vulkan` add graphics devices, on which f64 is
//! [`Error::Unsupported`] where the device has none. `fused` puts `softmax-fused`'s kernels
//! under the module on Flex.

#![forbid(unsafe_code)]

mod autodiff;
mod chunk;
mod closed_form;
mod devices;
mod facts;
mod forward;
mod functions;
mod host;
mod kernels;
mod known_gradients;
mod loss;
mod native;
#[cfg(feature = "fused")]
mod on_flex;
mod place;
mod problem;
mod rows;
mod scores;
mod transfer;

pub use autodiff::BurnAutodiff;
pub use closed_form::Burn;
pub use loss::{LinearCrossEntropyLoss, LinearCrossEntropyLossConfig, RowLosses};
pub use native::{DeviceOutputs, evaluate};
pub use problem::{DeviceProblem, DeviceTargets};
pub use softmax_core::*;

/// The README's Rust.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
