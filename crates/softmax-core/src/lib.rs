//! The contract of the linear softmax loss: what a problem is, what may be asked of it, and the trait
//! that every backend implements. No backend lives here, and nothing here does I/O.
//!
//! # The formula
//!
//! For features X (N×D), weights W (D×C), bias b (C) and a target mass a (N×C), per sample i and class c:
//!
//! ```math
//! \begin{aligned}
//! \raw_{ic}     &= (X_i \cdot W_{:,c} + b_c) / τ                       && (1)\quad\text{temperature } τ \\
//! s_{ic}       &= κ \tanh(\raw_{ic} / κ) \text{ or } \raw_{ic}          && (2)\quad\text{logit softcap } κ \\
//! m_i          &= \max_c s_{ic}                                      && (3)\quad\text{the row's own maximum} \\
//! \lse_i        &= m_i + \log \sum_c \exp(s_{ic} - m_i)               && (4) \\
//! p_{ic}       &= \exp(s_{ic} - \lse_i)                               && (5) \\
//! ℓ_i          &= u_i (A_i \, \lse_i - \sum_c a_{ic} s_{ic} + ζ \, \lse_i^2) && (6)\quad\text{sample weight } u, \text{ z-loss } ζ \\
//! \text{loss}  &= (1/Ω) \sum_i ℓ_i + (λ/2) \lVert W \rVert^2         && (7)\quad\text{L2 } λ\text{; the bias is not penalised} \\[1em]
//! G_{ic}       &= (u_i/Ω) \, ((A_i + 2 ζ \, \lse_i) p_{ic} - a_{ic}) \, (∂s_{ic}/∂\raw_{ic}) / τ && (8) \\
//! dW &= X^T G + λ W \qquad dX = G W^T \qquad db = \sum_i G_i         && (9) \\[1em]
//! H_i          &= -\sum_c p_{ic} \log p_{ic}                        && (10)\quad\text{entropy, in nats} \\
//! G_{ic}       &= [g_i ((A_i + 2 ζ \, \lse_i) p_{ic} - a_{ic}) - h_i \, p_{ic} (\log p_{ic} + H_i) + k_i \, p_{ic}] \, (∂s_{ic}/∂\raw_{ic}) / τ && (11)\quad\text{in two passes}
//! \end{aligned}
//! ```
//!
//! * **Target mass.** A_i = Σ_c a_ic. A hard label y with class weights w and label smoothing ε has
//!   a_ic = (1−ε)·w_y·\[c = y\] + ε·w_c/C; soft targets Y have a_ic = ((1−ε)·Y_ic + ε/C)·w_c.
//! * **Total weight Ω.** Under [`Reduction::Mean`], Σ_i u_i·w_{y_i} over the samples not ignored for hard
//!   labels and Σ_i u_i for soft targets, as in PyTorch; under [`Reduction::Sum`], 1.
//!   [`Problem::total_weight`] is its value.
//! * **Signed weights.** Class weights and sample weights are any finite numbers, as in PyTorch: a policy gradient's
//!   advantages are sample weights of either sign. Ω may then be negative, and everything is what the formula gives.
//! * **Ignored samples** (label equal to [`Objective::ignore_index`]) add nothing to loss, Ω or gradients,
//!   whatever their features hold. Their lse and predicted class are still given; their sample loss is 0. If every
//!   sample is ignored under `Mean`, the loss is NaN, as in PyTorch, and the gradients are λ·W for the weights and zero
//!   otherwise. Where Ω is 0 although samples count, since weights are zero or cancel, loss and gradients are not
//!   finite: whether infinite or NaN is no part of the contract.
//! * **No targets** ([`Targets::None`]): scores alone, for prediction. Loss, Ω and gradients are zero, whatever the
//!   options, but for gradients of entropies and lse in two passes.
//! * **Storage.** Features and weights may be of half precision, and features sparse ([`Features`], [`Weights`]); all
//!   arithmetic and all outputs are of the element type, f32 or f64. Half precision is exact in either, so that a backend
//!   gives the bits that it gives for the widened arrays.
//! * **Confident predictions** keep full relative accuracy: with hard labels and ε = 0 a backend computes
//!   A·p_y − a_y as −A·Σ_{c≠y} p_c, and ℓ from m − s_y and log1p of the sum over the other classes.
//! * **Facts of a row** are given for every sample, ignored or not, and without targets too: H of (10), log p of the label,
//!   the label's rank, and the K best classes with log p. log p_c is computed as −((m − s_c) + log1p of the sum over the
//!   classes other than the best), and H from the same terms, Σ p_c·(m − s_c) + log1p(…): of a confident prediction, whose H
//!   and log p are next to 0, they keep their relative accuracy.
//! * **Two passes** ([`TwoPass`]): statistics of each row first, of all classes or of shards of them, and then gradients, by (11)
//!   with coefficients g, h and k of each sample's loss, entropy and lse.
//! * **Non-finite values** follow IEEE 754: NaN in, NaN out, and no further than the sample's own outputs and the sums over
//!   samples. A bias of −∞ masks its class: p = 0 and gradient 0; the loss is +∞ only where that class has target mass. A
//!   sample whose largest score is +∞, or −∞ since every class is masked, has a loss, an lse and a gradient that are not
//!   finite: whether infinite or NaN is no part of the contract, nor whether its loss is 0 where it has no target mass. The
//!   predicted class of a sample with a NaN is any class.
//!   A softcap acts on the raw score, by (2), and turns ±∞ into ±κ, with a slope of 0: a mask and a softcap do not go together.
//! * **Sums over samples** (dW, db, loss, Ω) keep their digits however many there are: a plain sum of f32 loses them, one of
//!   blocks of some hundred terms, or in f64, does not. Factors are combined before they are rounded: u, Ω, τ and class
//!   weights may each be near the end of what `T` holds where the gradient is not.
//! * **Sparse features**: what CSR does not store adds nothing, whatever it would be multiplied by.
//!
//! # Example
//!
//! A backend turns a [`Problem`] and the [`Outputs`] asked for into an [`Evaluation`]:
//!
//! ```
//! use softmax_core::ndarray::{Array2, array};
//! use softmax_core::{Error, Objective, Outputs, Problem, Reduction, SoftmaxBackend};
//!
//! fn train_step(backend: &mut dyn SoftmaxBackend<f32>, weights: &mut Array2<f32>) -> Result<f64, Error> {
//!     let features = array![[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]];
//!     let labels = array![0, 2, 1];
//!     let mut gradient = Array2::zeros(weights.dim());
//!     let problem = Problem::builder(features.view(), weights.view(), labels.view())
//!         .objective(Objective { label_smoothing: 0.1, reduction: Reduction::Mean, ..Objective::default() })
//!         .build()?;
//!     let mut outputs = Outputs { weights_gradient: Some(gradient.view_mut()), ..Outputs::default() };
//!     let evaluation = backend.evaluate(&problem, &mut outputs)?;
//!     weights.scaled_add(-0.1, &gradient);
//!     Ok(evaluation.loss)
//! }
//! ```

#![forbid(unsafe_code)]

mod backend;
mod class_facts;
mod csr;
mod direction;
mod element;
mod error;
mod features;
mod in_shards;
mod labels;
mod names;
mod objective;
mod outputs;
mod owned;
mod parts;
mod problem;
mod statistics;
mod support;
mod targets;
mod units;
mod views;
mod weights;

pub use backend::{
    Backend, Descriptor, Evaluation, Gradients, HessianVectorProduct, Setting, SoftmaxBackend, TwoPass,
    Variant,
};
pub use class_facts::ClassFacts;
pub use csr::{Csr, OwnedCsr};
pub use element::{Dtype, Element};
pub use error::{Error, Result};
pub use features::{FeatureRow, Features};
pub use in_shards::InShards;
pub use labels::Labels;
pub use names::UnknownName;
pub use objective::{Objective, Reduction};
pub use outputs::{OutputSet, Outputs, OwnedOutputs};
pub use owned::{OwnedProblem, OwnedTargets};
pub use parts::{ArrayName, AxisName, OptionName, OutputKind, Quantity};
pub use problem::{Problem, ProblemBuilder};
pub use statistics::{GroupStatistics, RowStatistics, Upstream};
pub use support::{Feature, FeatureSet};
pub use targets::Targets;
pub use weights::Weights;

/// The crate of half-precision numbers that features and weights may hold.
pub use half;
/// The array crate whose views are in this interface.
pub use ndarray;
