//! From tensors to losses for Burn's autodiff: formulas (1) to (6), written so that autodiff of it keeps every digit too.
//! Where the largest score m has more than half of the probability, its own terms, which are constant, are left out and m
//! varies, so that its slope is the sum of the others'; elsewhere m is a constant, and its slope is its own.

use crate::problem::{Inputs, TargetMass};
use crate::scores::{counted_scores, scores};
use burn::tensor::{Bool, Int, Tensor};
use softmax_core::Objective;

/// What the forward pass gives (N×1).
#[derive(Clone)]
pub(crate) struct Forward {
    /// argmax_c s.
    pub(crate) best: Tensor<2, Int>,
    pub(crate) lse: Tensor<2>,
    /// ℓ.
    pub(crate) losses: Tensor<2>,
}

impl Forward {
    /// Of all samples.
    pub(crate) fn new(inputs: &Inputs, objective: &Objective) -> Self {
        Self::of_scores(scores(inputs, objective).0, inputs, objective)
    }

    /// Of those that are not ignored, to be differentiated.
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
        // 0, or NaN where the maximum is not finite and m − m is not 0.
        let defect = max.clone().detach() - max.detach();
        let exps = shifted.clone().exp();
        // exp(0) − 1 at the largest score: nothing, but for its slope.
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

/// Where the largest score has more than half of the probability (N×1).
fn is_confident(scores: &Tensor<2>, max: &Tensor<2>, at_best: &Tensor<2, Bool>) -> Tensor<2, Bool> {
    let exps = (scores.clone() - max.clone()).exp().mask_fill(at_best.clone(), 0.0);
    exps.sum_dim(1).lower_elem(1.0)
}

/// Σ_c a_c·(s_c − m) (N×1), without the entries to be left out and without those that have no mass.
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
