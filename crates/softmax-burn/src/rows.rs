//! What is known of each sample as a function that Burn's autodiff can differentiate: a backward pass that computes the scores
//! once more, by chunks, instead of keeping N×C of them.

use crate::native::{DeviceGradients, entropy_gradients, evaluate};
#[cfg(feature = "fused")]
use crate::on_flex::OnFlex;
use crate::problem::DeviceProblem;
use burn::tensor::Tensor;
use softmax_core::{Objective, OutputKind, OutputSet, Reduction};

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
    #[cfg(feature = "fused")]
    pub(crate) on_flex: Option<OnFlex>,
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
        let outputs = self.evaluate(&problem, self.wanted);
        DeviceGradients {
            weights: outputs.weights_gradient,
            features: outputs.features_gradient,
            bias: outputs.bias_gradient.map(as_row),
        }
    }

    fn entropy_gradients(&self, above: Tensor<1>) -> DeviceGradients {
        #[cfg(feature = "fused")]
        if let Some(kernels) = &self.on_flex
            && let Some(outputs) = kernels.entropy_gradients(&plain(&self.problem), &above, self.wanted)
        {
            return DeviceGradients {
                weights: outputs.weights_gradient,
                features: outputs.features_gradient,
                bias: outputs.bias_gradient.map(as_row),
            };
        }
        entropy_gradients(&self.problem, above, self.wanted)
    }

    fn evaluate(&self, problem: &DeviceProblem, wanted: OutputSet) -> crate::native::DeviceOutputs {
        #[cfg(feature = "fused")]
        if let Some(outputs) = self.on_flex.as_ref().and_then(|kernels| kernels.evaluate(problem, wanted)) {
            return outputs;
        }
        evaluate(problem, wanted)
    }

    /// The numbers (N).
    pub(crate) fn values(&self) -> Tensor<1> {
        let of = |problem: &DeviceProblem, kind| self.evaluate(problem, OutputSet::NONE.with(kind));
        let value = match self.quantity {
            Quantity::Loss => of(&self.problem, OutputKind::SampleLosses).sample_losses,
            Quantity::Entropy => of(&self.problem, OutputKind::Entropy).entropy,
            Quantity::LabelLogProb => {
                of(&plain(&self.problem), OutputKind::SampleLosses).sample_losses.map(|losses| -losses)
            }
        };
        value.expect("it was asked for")
    }
}

fn as_row(bias: Tensor<1>) -> Tensor<2> {
    let [c] = bias.dims();
    bias.reshape([1, c])
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
