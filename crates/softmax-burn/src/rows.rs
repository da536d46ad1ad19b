//! Values of each sample that Burn's autodiff can differentiate. The backward pass computes the scores again, chunk by
//! chunk, instead of keeping N×C of them.

use crate::kernels::Kernels;
use crate::native::DeviceGradients;
use crate::problem::DeviceProblem;
use burn::tensor::Tensor;
use softmax_core::{Objective, OutputSet, Reduction};

/// A value computed for each sample.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quantity {
    Loss,
    Entropy,
    /// log p of the label: −1 times the loss without label smoothing, weights and z-loss.
    LabelLogProb,
}

/// A value for each sample, with the inputs to compute its gradients.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) quantity: Quantity,
    /// The problem, detached from autodiff.
    pub(crate) problem: DeviceProblem,
    /// The gradients with respect to W, X and b that autodiff tracks.
    pub(crate) wanted: OutputSet,
    pub(crate) kernels: Kernels,
}

impl Rows {
    /// The gradients with respect to W, X and b of the sum of the values, each times its upstream gradient `above` (N).
    pub(crate) fn gradients(&self, above: Tensor<1>) -> DeviceGradients {
        match self.quantity {
            Quantity::Loss => self.loss_gradients(self.problem.clone(), above),
            Quantity::LabelLogProb => self.loss_gradients(plain(&self.problem), -above),
            Quantity::Entropy => self.entropy_gradients(above),
        }
    }

    /// The gradients of Σ above·ℓ: those of a summed loss with sample weights multiplied by `above`.
    fn loss_gradients(&self, mut problem: DeviceProblem, above: Tensor<1>) -> DeviceGradients {
        problem.sample_weights = Some(match &problem.sample_weights {
            None => above,
            Some(weights) => weights.clone() * above,
        });
        problem.objective = Objective { reduction: Reduction::Sum, l2: 0.0, ..problem.objective };
        let outputs = self.kernels.evaluate(&problem, self.wanted);
        outputs.into()
    }

    fn entropy_gradients(&self, above: Tensor<1>) -> DeviceGradients {
        self.kernels.entropy_gradients(&plain(&self.problem), above, self.wanted)
    }
}

/// The problem whose losses are −log p of the label, 0 for ignored samples.
fn plain(problem: &DeviceProblem) -> DeviceProblem {
    let Objective { ignore_index, softcap, temperature, .. } = problem.objective;
    DeviceProblem {
        class_weights: None,
        sample_weights: None,
        objective: Objective { ignore_index, softcap, temperature, ..Objective::default() },
        ..problem.clone()
    }
}
