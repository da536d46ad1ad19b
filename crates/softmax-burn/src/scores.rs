//! Formulas (1) and (2).

use crate::functions::{exp, tanh};
use crate::problem::Inputs;
use burn::tensor::Tensor;
use softmax_core::Objective;

/// s (N×C), and where there is a softcap ∂s/∂raw.
pub(crate) fn scores(inputs: &Inputs, objective: &Objective) -> (Tensor<2>, Option<Tensor<2>>) {
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
