//! From what the forward pass gives to the gradient of the scores.

use crate::forward::Forward;
use crate::problem::Inputs;
use burn::tensor::{IndexingUpdateOp, Tensor};
use softmax_core::Objective;

/// (8): G (N×C).
pub(crate) fn score_gradient(forward: Forward, inputs: &Inputs, objective: &Objective) -> Tensor<2> {
    let Forward { other_exps, slopes, best, at_best, rest, lse, .. } = forward;
    let [n, c] = other_exps.dims();
    let total_mass = inputs.mass.total.clone();
    let sum = rest.clone() + 1.0;
    let z_slopes = lse * (2.0 * objective.z_loss);

    let p_best = sum.clone().recip();
    let p = (other_exps / sum.clone()).mask_where(at_best.clone(), p_best.clone().expand([n, c]));
    let mut gradient = p * (total_mass.clone() + z_slopes.clone());
    if let Some(dense) = &inputs.mass.dense {
        gradient = gradient - dense.clone();
    }
    if let Some((labels, masses)) = &inputs.mass.point {
        gradient = gradient.scatter(1, labels.clone(), -masses.clone(), IndexingUpdateOp::Add);
    }

    // Where p is above one half, A·p − a is the difference of the other classes' sums, which has its digits.
    let others = rest.clone() / sum;
    let confident = total_mass.clone() - inputs.mass.at(&best) - total_mass * others + z_slopes * p_best;
    let is_confident = at_best.bool_and(rest.lower_elem(1.0).expand([n, c]));
    gradient = gradient.mask_where(is_confident, confident.expand([n, c]));

    if let Some(slopes) = slopes {
        gradient = gradient * slopes;
    }
    let scale = inputs.sample_weights.clone() / (inputs.total_weight.clone() * objective.temperature);
    gradient = gradient * scale;
    match &inputs.ignored {
        None => gradient,
        Some(ignored) => gradient.mask_fill(ignored.clone().expand([n, c]), 0.0),
    }
}
