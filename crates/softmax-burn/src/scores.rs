//! Raw scores and scores: formulas (1) and (2).

use crate::functions::{exp, tanh};
use crate::native::{MULTIPLIED, SUMMED, blocks, together};
use crate::problem::Inputs;
use burn::tensor::Tensor;
use softmax_core::Objective;
use std::ops::Range;

/// s (N×C), and ∂s/∂raw (N×C) if there is a softcap.
pub(crate) fn scores(inputs: &Inputs, objective: &Objective) -> (Tensor<2>, Option<Tensor<2>>) {
    let [n, _] = inputs.features.dims();
    let mut raw = products(inputs, &inputs.features, 0..n);
    if let Some(bias) = &inputs.bias {
        raw = raw + bias.clone();
    }
    from_raw(raw, objective)
}

/// s for autodiff. Ignored samples have a score of 0, because their gradients would be 0·NaN if their features are NaN.
/// Products and bias are taken in blocks of rows, so that autodiff sums dW and db block by block, which limits rounding
/// errors.
pub(crate) fn counted_scores(inputs: &Inputs, objective: &Objective) -> Tensor<2> {
    let ([n, _], [_, c]) = (inputs.features.dims(), inputs.weights.dims());
    let features = inputs.counted_features();
    let parts = blocks(n, MULTIPLIED).map(|rows| products(inputs, &features, rows));
    let mut raw = together(parts.collect());
    if let Some(bias) = &inputs.bias {
        let parts = blocks(n, SUMMED).map(|rows| raw.clone().slice([rows, 0..c]) + bias.clone());
        raw = together(parts.collect());
    }
    from_raw(inputs.counted(raw), objective).0
}

/// X·W for a range of rows of `features`.
fn products(inputs: &Inputs, features: &Tensor<2>, rows: Range<usize>) -> Tensor<2> {
    let ([_, d], [_, c]) = (features.dims(), inputs.weights.dims());
    if d == 0 {
        return inputs.sample_weights.zeros_like().slice([rows.clone(), 0..1]).expand([rows.len(), c]);
    }
    features.clone().slice([rows, 0..d]).matmul(inputs.weights.clone())
}

/// Applies temperature and softcap. Returns s, and ∂s/∂raw if there is a softcap.
fn from_raw(raw: Tensor<2>, objective: &Objective) -> (Tensor<2>, Option<Tensor<2>>) {
    let mut scores = raw;
    // Multiplies by reciprocals, because Burn 0.22's autodiff computes the gradient of a division by a scalar in f32
    // for every element type.
    if objective.temperature != 1.0 {
        scores = scores * (1.0 / objective.temperature);
    }
    match objective.softcap {
        None => (scores, None),
        Some(cap) => {
            let z = scores * (1.0 / cap);
            // sech² = 4e/(1 + e)² with e = exp(−2|z|) is 1 − tanh² without cancellation.
            let e = exp(z.clone().detach().abs() * -2.0);
            let slopes = e.clone() * 4.0 / ((e.clone() + 1.0) * (e + 1.0));
            (tanh(z) * cap, Some(slopes))
        }
    }
}
