//! The linear softmax loss as [Burn](https://burn.dev) tensors, on any Burn device, in f32 and f64.
//!
//! **For a Burn model**, [`LinearCrossEntropyLoss`] combines the last linear layer and its cross-entropy in one module,
//! with label smoothing, class and sample weights, an ignored label, z-loss, softcap and temperature. It never holds
//! the N×C scores.
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use softmax_burn::LinearCrossEntropyLossConfig;
//!
//! let device = Device::flex().autodiff();
//! let features = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 2.0]], &device);
//! let weights = Tensor::<2>::from_floats([[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]], &device).require_grad();
//! let labels = Tensor::<1, Int>::from_ints([0, 2], &device);
//!
//! let loss = LinearCrossEntropyLossConfig::new().init(&device).forward(features, weights.clone(), labels);
//! let gradients = loss.backward();
//! assert_eq!(weights.grad(&gradients).unwrap().dims(), [2, 3]);
//! ```
//!
//! `forward_rows` returns each sample's loss, entropy and label log-probability as differentiable tensors. With the
//! feature `fused` the module uses `softmax-fused`'s kernels on Flex, Burn's CPU device. [`evaluate`] is the function
//! behind the module: it takes tensors and returns loss and gradients.
//!
//! **As a backend** of [`softmax_core`], [`Burn`] copies a problem to its device, computes in the same way as
//! [`evaluate`] and copies the outputs back. Both work through chunks of rows r of X:
//!
//! ```text
//! S_r = X_r·W + b     G_r = (softmax(S_r) − Y_r) / N     dW = Σ_r X_rᵀ·G_r     dX_r = G_r·Wᵀ
//! ```
//!
//! [`BurnAutodiff`] evaluates all rows at once and takes the gradients from Burn's autodiff, which checks the
//! derivation.
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
//! Flex, the CPU device, is always built; the cargo features `wgpu` and `vulkan` add graphics devices. Problems in f64
//! return [`Error::Unsupported`] on a device without f64.

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

/// Compiles the README's Rust code.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
