use crate::devices;
use crate::forward::Forward;
use crate::host::{clear_uncounted_rows, evaluate_nothing, loss, write};
use crate::place::Place;
use crate::problem::Inputs;
use crate::transfer::{count_correct, download_matrix, download_vector, l2, unit, upload};
use burn::tensor::Tensor;
use softmax_core::{Backend, Descriptor, Element, Evaluation, Outputs, Problem, Result, SoftmaxBackend};

const NAME: &str = "burn-autodiff";

/// The backend `burn-autodiff`: differentiates the forward pass with Burn's autodiff.
#[derive(Clone, Debug)]
pub struct BurnAutodiff {
    place: Place,
}

impl BurnAutodiff {
    /// On Burn's Flex device: the CPU, with SIMD and rayon's global pool.
    pub fn new() -> Self {
        let mut place = devices::flex(NAME);
        place.device = place.device.autodiff();
        BurnAutodiff { place }
    }
}

impl Default for BurnAutodiff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for BurnAutodiff {
    fn descriptor(&self) -> Descriptor {
        self.place.descriptor()
    }
}

impl<T: Element> SoftmaxBackend<T> for BurnAutodiff {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let total_weight = problem.total_weight();
        if problem.n_samples() == 0 {
            return Ok(evaluate_nothing(problem, outputs));
        }
        let uploaded = upload(problem, &self.place.device, NAME)?;
        let mut inputs = Inputs::new(&uploaded);
        if outputs.weights_gradient.is_some() {
            inputs.weights = inputs.weights.require_grad();
        }
        if outputs.features_gradient.is_some() {
            inputs.features = inputs.features.require_grad();
        }
        if outputs.bias_gradient.is_some() {
            let [_, c] = inputs.weights.dims();
            let zero = || inputs.sample_weights.zeros_like().slice([0..1, 0..1]).expand([1, c]);
            inputs.bias = Some(inputs.bias.take().unwrap_or_else(zero).require_grad());
        }

        let forward = Forward::of_counted(&inputs, &uploaded.objective);
        let Forward { losses, lse, best } = match inputs.ignored {
            None => forward.clone(),
            Some(_) => Forward::new(&inputs, &uploaded.objective),
        };
        let unit = unit(problem);
        let (loss_sum, predicted) = write(losses, lse, best, unit, outputs, NAME)?;
        let loss = loss(loss_sum, problem);
        if outputs.wants_gradient() {
            // Without targets Ω is 0. A factor of 0 gives zero gradients, where 1/Ω would give NaN.
            let share = if total_weight == 0.0 && !problem.has_targets() { 0.0 } else { unit / total_weight };
            let mut objective = forward.losses.sum() * share;
            if l2(problem) != 0.0 {
                objective = objective + inputs.weights.clone().square().sum() * (l2(problem) / 2.0);
            }
            write_gradients(&objective, &inputs, outputs)?;
            if let Some(dx) = &mut outputs.features_gradient {
                clear_uncounted_rows(problem, dx);
            }
        }
        Ok(Evaluation { loss, total_weight, correct: count_correct(problem, &predicted) })
    }
}

fn write_gradients<T: Element>(
    objective: &Tensor<1>,
    inputs: &Inputs,
    outputs: &mut Outputs<'_, T>,
) -> Result<()> {
    // With D = 0 the objective may depend on no tracked tensor, and a constant has no backward pass.
    let mut gradients = objective.is_tracked().then(|| objective.backward());
    let accumulate = outputs.accumulate;
    let mut gradient = |tensor: &Tensor<2>| gradients.as_mut().and_then(|g| tensor.grad_remove(g));
    if let Some(dw) = &mut outputs.weights_gradient {
        match gradient(&inputs.weights) {
            Some(gradient) => download_matrix(gradient, dw, accumulate, NAME)?,
            None if accumulate => {}
            None => dw.fill(T::zero()),
        }
    }
    if let Some(dx) = &mut outputs.features_gradient {
        match gradient(&inputs.features) {
            Some(gradient) => download_matrix(gradient, dx, false, NAME)?,
            None => dx.fill(T::zero()),
        }
    }
    if let (Some(db), Some(bias)) = (&mut outputs.bias_gradient, &inputs.bias) {
        match gradient(bias) {
            Some(gradient) => download_vector(gradient, db, accumulate, NAME)?,
            None if accumulate => {}
            None => db.fill(T::zero()),
        }
    }
    Ok(())
}
