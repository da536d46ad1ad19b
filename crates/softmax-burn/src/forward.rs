//! From tensors to losses: formulas (1) to (6). Written so that autodiff of it keeps every digit too. Where the
//! largest score m has more than half of the probability, its own terms, which are constant, are left out and
//! m varies, so that its slope is the sum of the others'; elsewhere m is a constant, and its slope is its own.

use crate::functions::{exp, log1p, tanh};
use crate::problem::{Inputs, TargetMass};
use burn::tensor::{Bool, Int, Tensor};
use softmax_core::Objective;

/// What the forward pass gives, N×C and N×1.
pub(crate) struct Forward {
    /// exp(s − m), and 0 instead of 1 at the largest score.
    pub(crate) other_exps: Tensor<2>,
    /// ∂s/∂raw, where there is a softcap.
    pub(crate) slopes: Option<Tensor<2>>,
    /// argmax_c s, and where it is.
    pub(crate) best: Tensor<2, Int>,
    pub(crate) at_best: Tensor<2, Bool>,
    /// Σ other_exps.
    pub(crate) rest: Tensor<2>,
    pub(crate) lse: Tensor<2>,
    /// ℓ.
    pub(crate) losses: Tensor<2>,
}

impl Forward {
    pub(crate) fn new(inputs: &Inputs, objective: &Objective) -> Self {
        let (scores, slopes) = scores(inputs, objective);
        let [n, c] = scores.dims();
        let (_, best) = scores.clone().detach().max_dim_with_indices(1);
        let classes = Tensor::<1, Int>::arange(0..c as i64, &scores.device()).reshape([1, c]).expand([n, c]);
        let at_best = classes.equal(best.clone().expand([n, c]));

        let max = scores.clone().gather(1, best.clone());
        let (anchor, left_out) = if scores.is_tracked() {
            let confident = is_confident(&scores.clone().detach(), &max.clone().detach(), &at_best);
            let anchor = max.clone().detach().mask_where(confident.clone(), max.clone());
            (anchor, at_best.clone().bool_and(confident.expand([n, c])))
        } else {
            (max.clone(), at_best.clone())
        };
        let tracked = scores.is_tracked();
        let shifted = scores - anchor.clone();
        // 0, or NaN where the maximum is not finite and m − m is not 0.
        let defect = max.clone().detach() - max.detach();
        let exps = exp(shifted.clone());
        let other_exps = exps.clone().mask_fill(at_best.clone(), 0.0);
        let mut rest = other_exps.clone().sum_dim(1) + defect;
        if tracked {
            // exp(0) − 1 at the largest score: nothing, but for its slope.
            let own = exps.mask_fill(left_out.clone(), 1.0).gather(1, best.clone()) - 1.0;
            rest = rest + own;
        }
        let log_rest = log1p(rest.clone());
        let lse = anchor + log_rest.clone();

        let mut losses = inputs.mass.total.clone() * log_rest - cross(&inputs.mass, shifted, &left_out);
        if objective.z_loss != 0.0 {
            losses = losses + lse.clone() * lse.clone() * objective.z_loss;
        }
        losses = losses * inputs.sample_weights.clone();
        if let Some(ignored) = &inputs.ignored {
            losses = losses.mask_fill(ignored.clone(), 0.0);
        }
        Forward { other_exps, slopes, best, at_best, rest, lse, losses }
    }
}

/// (1) and (2).
fn scores(inputs: &Inputs, objective: &Objective) -> (Tensor<2>, Option<Tensor<2>>) {
    let ([n, d], [_, c]) = (inputs.features.dims(), inputs.weights.dims());
    let mut scores = if d == 0 {
        inputs.sample_weights.zeros_like().expand([n, c])
    } else {
        inputs.features.clone().matmul(inputs.weights.clone())
    };
    if let Some(bias) = &inputs.bias {
        scores = scores + bias.clone();
    }
    // Multiplied by reciprocals: Burn 0.22's autodiff takes the gradient of a division by a number in f32,
    // whatever the tensor's type.
    if objective.temperature != 1.0 {
        scores = scores * (1.0 / objective.temperature);
    }
    match objective.softcap {
        None => (scores, None),
        Some(cap) => {
            let z = scores * (1.0 / cap);
            // sech² = 4e/(1 + e)² with e = exp(−2|z|): 1 − tanh² without its cancellation.
            let e = exp(z.clone().detach().abs() * -2.0);
            let slopes = e.clone() * 4.0 / ((e.clone() + 1.0) * (e + 1.0));
            (tanh(z) * cap, Some(slopes))
        }
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
