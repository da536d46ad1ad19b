use crate::closed_form::{evaluate_nothing, flex_descriptor};
use crate::forward::{Forward, l2_penalty};
use crate::transfer::{Tensors, count_correct, download_matrix, download_vector, total_weight};
use burn::tensor::{Device, Tensor};
use softmax_core::{Descriptor, Element, Evaluation, Outputs, Problem, Result, SoftmaxBackend};

const NAME: &str = "burn-autodiff";

/// The backend `burn-autodiff`: gradients from Burn's autodiff of the forward pass.
#[derive(Clone, Debug)]
pub struct BurnAutodiff {
    device: Device,
}

impl BurnAutodiff {
    /// On Burn's Flex device: the CPU, with SIMD and rayon's global pool.
    pub fn flex() -> Self {
        BurnAutodiff { device: Device::flex().autodiff() }
    }
}

impl<T: Element> SoftmaxBackend<T> for BurnAutodiff {
    fn descriptor(&self) -> Descriptor {
        flex_descriptor(NAME)
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        outputs.check(problem)?;
        let total_weight = total_weight(problem);
        if problem.n_samples() == 0 {
            return Ok(evaluate_nothing(problem, outputs, total_weight));
        }
        let mut tensors = Tensors::upload(problem, &self.device);
        if outputs.weights_gradient.is_some() {
            tensors.weights = tensors.weights.require_grad();
        }
        if outputs.features_gradient.is_some() {
            tensors.features = tensors.features.require_grad();
        }
        if outputs.bias_gradient.is_some() {
            let [_, c] = tensors.weights.dims();
            let zero = || tensors.sample_weights.zeros_like().slice([0..1, 0..1]).expand([1, c]);
            tensors.bias = Some(tensors.bias.take().unwrap_or_else(zero).require_grad());
        }

        let forward = Forward::new(&tensors, problem.objective());
        let (loss_sum, predicted) = forward.write(outputs, NAME)?;
        let loss = loss_sum / total_weight + l2_penalty(&tensors, problem, NAME)?;
        if outputs.wants_gradient() {
            let mut objective = forward.losses.sum() * (1.0 / total_weight);
            if problem.objective().l2 != 0.0 {
                objective =
                    objective + tensors.weights.clone().square().sum() * (problem.objective().l2 / 2.0);
            }
            write_gradients(&objective, &tensors, outputs)?;
        }
        Ok(Evaluation { loss, total_weight, correct: count_correct(problem, &predicted) })
    }
}

fn write_gradients<T: Element>(
    objective: &Tensor<1>,
    tensors: &Tensors,
    outputs: &mut Outputs<'_, T>,
) -> Result<()> {
    // Without features nothing depends on the weights, and a constant has no backward pass.
    let mut gradients = objective.is_tracked().then(|| objective.backward());
    let mut gradient = |tensor: &Tensor<2>| gradients.as_mut().and_then(|g| tensor.grad_remove(g));
    if let Some(dw) = &mut outputs.weights_gradient {
        match gradient(&tensors.weights) {
            Some(gradient) => download_matrix(gradient, dw, NAME)?,
            None => dw.fill(T::zero()),
        }
    }
    if let Some(dx) = &mut outputs.features_gradient {
        match gradient(&tensors.features) {
            Some(gradient) => download_matrix(gradient, dx, NAME)?,
            None => dx.fill(T::zero()),
        }
    }
    if let (Some(db), Some(bias)) = (&mut outputs.bias_gradient, &tensors.bias) {
        match gradient(bias) {
            Some(gradient) => download_vector(gradient, db, NAME)?,
            None => db.fill(T::zero()),
        }
    }
    Ok(())
}
