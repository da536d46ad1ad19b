//! The interface of the linear softmax loss: the problem, its outputs, and the traits that backends implement. This
//! crate contains no backend and does no I/O.
//!
//! # The formula
//!
//! Features X (N×D), weights W (D×C), bias b (C) and target mass a (N×C) give, for sample i and class c:
//!
//! ```text
//! raw_ic = (X_i·W_c + b_c) / τ                                    (1)   temperature τ
//! s_ic   = κ·tanh(raw_ic / κ), or raw_ic without a softcap        (2)   logit softcap κ
//! m_i    = max_c s_ic                                             (3)
//! lse_i  = m_i + log Σ_c exp(s_ic − m_i)                          (4)
//! p_ic   = exp(s_ic − lse_i)                                      (5)
//! ℓ_i    = u_i·(A_i·lse_i − Σ_c a_ic·s_ic + ζ·lse_i²)             (6)   sample weight u, z-loss ζ
//! loss   = (1/Ω)·Σ_i ℓ_i + (λ/2)·‖W‖²                             (7)   L2 penalty λ, without the bias
//!
//! G_ic   = (u_i/Ω)·((A_i + 2ζ·lse_i)·p_ic − a_ic)·s′_ic / τ       (8)   s′ = ∂s/∂raw
//! dW     = Xᵀ·G + λ·W       dX = G·Wᵀ       db = Σ_i G_i          (9)
//!
//! H_i    = −Σ_c p_ic·log p_ic                                     (10)  entropy, in nats
//! G_ic   = [ g_i·((A_i + 2ζ·lse_i)·p_ic − a_ic)                   (11)  in two passes
//!          − h_i·p_ic·(log p_ic + H_i) + k_i·p_ic ]·s′_ic / τ
//! ```
//!
//! * **Target mass.** A_i = Σ_c a_ic. A hard label y with class weights w and label smoothing ε has
//!   a_ic = (1−ε)·w_y·\[c = y\] + ε·w_c/C. Soft targets Y have a_ic = ((1−ε)·Y_ic + ε/C)·w_c.
//! * **Total weight Ω.** Under [`Reduction::Mean`], Ω is Σ_i u_i·w_{y_i} over the samples that are not ignored for hard
//!   labels, and Σ_i u_i for soft targets, as in PyTorch. Under [`Reduction::Sum`], Ω is 1.
//!   [`Problem::total_weight`] returns it.
//! * **Signed weights.** Class weights and sample weights may be any finite numbers, as in PyTorch. For example, the
//!   advantages of a policy gradient are sample weights of either sign. Ω may then be negative; the formula holds
//!   unchanged.
//! * **Ignored samples**, whose label equals [`Objective::ignore_index`], add nothing to the loss, Ω or the gradients,
//!   whatever their features contain. Their lse and predicted class are still computed; their sample loss is 0. If
//!   every sample is ignored under `Mean`, the loss is NaN, as in PyTorch; dW is λ·W, and dX and db are 0. If Ω is 0
//!   because weights are zero or cancel, the loss and the gradients are not finite; the contract does not say whether
//!   they are infinite or NaN.
//! * **No targets** ([`Targets::None`]): for prediction. The loss, Ω and the gradients are zero under every option,
//!   except the gradients of entropies and lse in two passes.
//! * **Storage.** Features and weights may be stored in half precision, and features in sparse rows ([`Features`],
//!   [`Weights`]). Arithmetic and outputs use the element type, f32 or f64. Both represent half precision exactly, so a
//!   backend returns the same bits as for the widened arrays.
//! * **Confident predictions** have full relative accuracy. With hard labels and ε = 0 a backend computes
//!   A·p_y − a_y as −A·Σ_{c≠y} p_c, and ℓ from m − s_y and log1p of the sum over the other classes.
//! * **Row facts** are defined for every sample, ignored or not, and without targets: the entropy (10), the label's log
//!   p, the label's rank, and the K best classes with their log p. A backend computes log p_c as −((m − s_c) + log1p of
//!   the sum over all classes except the best), and H from the same terms, Σ p_c·(m − s_c) + log1p(…). Both keep their
//!   relative accuracy where a confident prediction brings them near 0.
//! * **Two passes** ([`TwoPass`]): the first computes statistics of each row over all classes or over shards of them.
//!   The second computes the gradients (11). Its coefficients g, h and k are the derivatives of the caller's objective
//!   by each sample's loss (without u), entropy and lse.
//! * **Non-finite values** follow IEEE 754: NaN in, NaN out. A NaN reaches only the sample's own outputs and the sums
//!   over samples. A bias of −∞ masks its class: p and its gradient are 0, and the loss is +∞ only if the class has
//!   target mass. If a sample's largest score is +∞, or −∞ because every class is masked, its loss, lse and gradient
//!   are not finite; the contract does not say whether they are infinite or NaN, nor whether the loss is 0 if the
//!   sample has no target mass. The predicted class of a sample with a NaN is any class. A softcap applies to the raw
//!   score, by (2), and turns ±∞ into ±κ with a slope of 0, so a mask has no effect under a softcap.
//! * **Sums over samples** (dW, db, loss, Ω) stay accurate for any number of samples. A plain f32 sum does not; a sum
//!   in blocks of a few hundred terms, or in f64, does. Factors are combined before they are rounded: u, Ω, τ or a
//!   class weight may be near the limits of `T` while the gradient is not.
//! * **Sparse features**: an entry that CSR does not store adds nothing, even where its factor is infinite or NaN.
//!
//! # Example
//!
//! A backend takes a [`Problem`] and the requested [`Outputs`], and returns an [`Evaluation`]:
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
/// The array crate whose views this interface uses.
pub use ndarray;
