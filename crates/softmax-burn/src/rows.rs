//! What is known of each sample as a function that Burn's autodiff can differentiate: a backward pass that computes the scores
//! once more, by chunks, instead of keeping N×C of them.

use crate::kernels::Kernels;
use crate::native::DeviceGradients;
use crate::problem::DeviceProblem;
use burn::tensor::Tensor;
use softmax_core::{Objective, OutputSet, Reduction};

/// Which of a sample's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quantity {
    Loss,
    Entropy,
    /// −1 times the loss without what options of the loss add to it.
    LabelLogProb,
}

/// A number for each sample, and what is needed to differentiate it.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) quantity: Quantity,
    /// Without autodiff.
    pub(crate) problem: DeviceProblem,
    /// Which of the gradients by W, X and b somebody asks for.
    pub(crate) wanted: OutputSet,
    pub(crate) kernels: Kernels,
}

impl Rows {
    /// Gradients by W, X and b of the numbers, each times its coefficient `above` (N).
    pub(crate) fn gradients(&self, above: Tensor<1>) -> DeviceGradients {
        match self.quantity {
            Quantity::Loss => self.loss_gradients(self.problem.clone(), above),
            Quantity::LabelLogProb => self.loss_gradients(plain(&self.problem), -above),
            Quantity::Entropy => self.entropy_gradients(above),
        }
    }

    /// Those of the losses are those of a sum with other sample weights.
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

/// The problem whose losses are −log p of the labels, 0 where they are ignored.
fn plain(problem: &DeviceProblem) -> DeviceProblem {
    let Objective { ignore_index, softcap, temperature, .. } = problem.objective;
    DeviceProblem {
        class_weights: None,
        sample_weights: None,
        objective: Objective { ignore_index, softcap, temperature, ..Objective::default() },
        ..problem.clone()
    }
}
