//! The forward pass for Burn's autodiff: formulas (1) to (6), written so that the derived gradients are accurate too.
//! If the largest score m has more than half of the probability, its own terms are constant and left out, and m is
//! differentiated: the gradient at m is then the sum over the other classes, without cancellation. Otherwise m is a
//! constant, and the largest score has a term like any other class.

use crate::problem::{Inputs, TargetMass};
use crate::scores::{counted_scores, scores};
use burn::tensor::{Bool, Int, Tensor};
use softmax_core::Objective;

/// Results of the forward pass (N×1).
#[derive(Clone)]
pub(crate) struct Forward {
    /// argmax_c s.
    pub(crate) best: Tensor<2, Int>,
    pub(crate) lse: Tensor<2>,
    /// ℓ.
    pub(crate) losses: Tensor<2>,
}

impl Forward {
    /// The forward pass of all samples, ignored ones included.
    pub(crate) fn new(inputs: &Inputs, objective: &Objective) -> Self {
        Self::of_scores(scores(inputs, objective).0, inputs, objective)
    }

    /// The forward pass to differentiate. Ignored samples have scores of 0, so nothing reaches their gradients.
    pub(crate) fn of_counted(inputs: &Inputs, objective: &Objective) -> Self {
        Self::of_scores(counted_scores(inputs, objective), inputs, objective)
    }

    fn of_scores(scores: Tensor<2>, inputs: &Inputs, objective: &Objective) -> Self {
        let [n, c] = scores.dims();
        let (_, best) = scores.clone().detach().max_dim_with_indices(1);
        let classes = Tensor::<1, Int>::arange(0..c as i64, &scores.device()).reshape([1, c]).expand([n, c]);
        let at_best = classes.equal(best.clone().expand([n, c]));

        let max = scores.clone().gather(1, best.clone());
        let confident = is_confident(&scores.clone().detach(), &max.clone().detach(), &at_best);
        let anchor = max.clone().detach().mask_where(confident.clone(), max.clone());
        let left_out = at_best.clone().bool_and(confident.expand([n, c]));
        let shifted = scores - anchor.clone();
        // 0, or NaN if the maximum is not finite.
        let defect = max.clone().detach() - max.detach();
        let exps = shifted.clone().exp();
        // exp(0) − 1 at the largest score: its value is 0, but its derivative counts.
        let own = exps.clone().mask_fill(left_out.clone(), 1.0).gather(1, best.clone()) - 1.0;
        let rest = exps.mask_fill(at_best, 0.0).sum_dim(1) + defect + own;
        let log_rest = rest.log1p();
        let lse = anchor + log_rest.clone();

        let mut losses = inputs.mass.total.clone() * log_rest - cross(&inputs.mass, shifted, &left_out);
        if objective.z_loss != 0.0 {
            losses = losses + lse.clone() * lse.clone() * objective.z_loss;
        }
        losses = losses * inputs.sample_weights.clone();
        if let Some(ignored) = &inputs.ignored {
            losses = losses.mask_fill(ignored.clone(), 0.0);
        }
        Forward { best, lse, losses }
    }
}

/// Whether the largest score of each row has more than half of the probability (N×1).
fn is_confident(scores: &Tensor<2>, max: &Tensor<2>, at_best: &Tensor<2, Bool>) -> Tensor<2, Bool> {
    let exps = (scores.clone() - max.clone()).exp().mask_fill(at_best.clone(), 0.0);
    exps.sum_dim(1).lower_elem(1.0)
}

/// Σ_c a_c·(s_c − m) (N×1). Skips the entries in `left_out`, and entries without mass, where s may be −∞ and 0·∞ would
/// be NaN.
fn cross(mass: &TargetMass, shifted: Tensor<2>, left_out: &Tensor<2, Bool>) -> Tensor<2> {
    let [n, c] = shifted.dims();
    let mut sum = mass.total.zeros_like();
    let kept = shifted.mask_fill(left_out.clone(), 0.0);
    if let Some((labels, masses)) = &mass.point {
        let without_mass = masses.clone().equal_elem(0.0);
        let at_label = kept.clone().gather(1, labels.clone()).mask_fill(without_mass, 0.0);
        sum = sum + masses.clone() * at_label;
    }
    if let Some(dense) = &mass.dense {
        let dense = dense.clone().expand([n, c]);
        let without_mass = dense.clone().equal_elem(0.0);
        sum = sum + (dense * kept.mask_fill(without_mass, 0.0)).sum_dim(1);
    }
    sum
}
