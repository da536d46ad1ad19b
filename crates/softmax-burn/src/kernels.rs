//! Evaluation for the module: by softmax-fused's kernels if they support the problem, else by tensor operations.

use crate::native::{self, DeviceGradients, DeviceOutputs};
#[cfg(feature = "fused")]
use crate::on_flex::OnFlex;
use crate::problem::DeviceProblem;
use burn::tensor::Tensor;
use softmax_core::OutputSet;

#[derive(Clone, Debug)]
pub(crate) struct Kernels {
    /// The kernels; `None` if tensor operations are requested.
    #[cfg(feature = "fused")]
    on_flex: Option<OnFlex>,
}

impl Kernels {
    pub(crate) fn new() -> Self {
        Kernels {
            #[cfg(feature = "fused")]
            on_flex: Some(OnFlex::default()),
        }
    }

    pub(crate) fn tensor_operations() -> Self {
        Kernels {
            #[cfg(feature = "fused")]
            on_flex: None,
        }
    }

    /// See [`native::evaluate`].
    pub(crate) fn evaluate(&self, problem: &DeviceProblem, wanted: OutputSet) -> DeviceOutputs {
        #[cfg(feature = "fused")]
        if let Some(outputs) = self.on_flex.as_ref().and_then(|kernels| kernels.evaluate(problem, wanted)) {
            return outputs;
        }
        native::evaluate(problem, wanted)
    }

    /// See [`native::entropy_gradients`].
    pub(crate) fn entropy_gradients(
        &self,
        problem: &DeviceProblem,
        coefficients: Tensor<1>,
        wanted: OutputSet,
    ) -> DeviceGradients {
        #[cfg(feature = "fused")]
        if let Some(kernels) = &self.on_flex
            && let Some(outputs) = kernels.entropy_gradients(problem, &coefficients, wanted)
        {
            return outputs.into();
        }
        native::entropy_gradients(problem, coefficients, wanted)
    }
}
