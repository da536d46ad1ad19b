use crate::forward::{Forward, l2_penalty};
use crate::transfer::{Tensors, count_correct, download_matrix, download_vector, total_weight};
use burn::tensor::{Device, Tensor};
use softmax_core::{Descriptor, Element, Evaluation, Objective, Outputs, Problem, Result, SoftmaxBackend};

const NAME: &str = "burn";

/// The backend `burn`: gradients in closed form.
#[derive(Clone, Debug)]
pub struct Burn {
    device: Device,
}

impl Burn {
    /// On Burn's Flex device: the CPU, with SIMD and rayon's global pool.
    pub fn flex() -> Self {
        Burn { device: Device::flex() }
    }
}

impl<T: Element> SoftmaxBackend<T> for Burn {
    fn descriptor(&self) -> Descriptor {
        flex_descriptor(NAME)
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        outputs.check(problem)?;
        let total_weight = total_weight(problem);
        if problem.n_samples() == 0 {
            return Ok(evaluate_nothing(problem, outputs, total_weight));
        }
        let tensors = Tensors::upload(problem, &self.device);
        let forward = Forward::new(&tensors, problem.objective());
        let (loss_sum, predicted) = forward.write(outputs, NAME)?;
        let loss = loss_sum / total_weight + l2_penalty(&tensors, problem, NAME)?;

        if outputs.wants_gradient() {
            let gradient = score_gradient(forward, &tensors, problem.objective(), total_weight);
            if let (Some(dw), true) = (&mut outputs.weights_gradient, problem.n_features() > 0) {
                let mut product = tensors.features.clone().transpose().matmul(gradient.clone());
                if problem.objective().l2 != 0.0 {
                    product = product + tensors.weights.clone() * problem.objective().l2;
                }
                download_matrix(product, dw, NAME)?;
            }
            if let (Some(dx), true) = (&mut outputs.features_gradient, problem.n_features() > 0) {
                download_matrix(gradient.clone().matmul(tensors.weights.clone().transpose()), dx, NAME)?;
            }
            if let Some(db) = &mut outputs.bias_gradient {
                download_vector(gradient.sum_dim(0), db, NAME)?;
            }
        }
        Ok(Evaluation { loss, total_weight, correct: count_correct(problem, &predicted) })
    }
}

/// (8): G (N×C).
fn score_gradient(
    forward: Forward,
    tensors: &Tensors,
    objective: &Objective,
    total_weight: f64,
) -> Tensor<2> {
    let Forward { other_exps, slopes, best, at_best, rest, lse, .. } = forward;
    let [n, c] = other_exps.dims();
    let total_mass = tensors.mass.total.clone();
    let sum = rest.clone() + 1.0;
    let z_slopes = lse * (2.0 * objective.z_loss);

    let p_best = sum.clone().recip();
    let p = (other_exps / sum.clone()).mask_where(at_best.clone(), p_best.clone().expand([n, c]));
    let mut gradient = p * (total_mass.clone() + z_slopes.clone());
    if let Some(dense) = &tensors.mass.dense {
        gradient = gradient - dense.clone();
    }
    if let Some((labels, masses)) = &tensors.mass.point {
        gradient = gradient.scatter(1, labels.clone(), -masses.clone(), burn::tensor::IndexingUpdateOp::Add);
    }

    // Where p is above one half, A·p − a is the difference of the other classes' sums, which has its digits.
    let others = rest.clone() / sum;
    let confident = total_mass.clone() - tensors.mass.at(&best) - total_mass * others + z_slopes * p_best;
    let is_confident = at_best.bool_and(rest.lower_elem(1.0).expand([n, c]));
    gradient = gradient.mask_where(is_confident, confident.expand([n, c]));

    if let Some(slopes) = slopes {
        gradient = gradient * slopes;
    }
    gradient = gradient * (tensors.sample_weights.clone() / (total_weight * objective.temperature));
    match &tensors.ignored {
        None => gradient,
        Some(ignored) => gradient.mask_fill(ignored.clone().equal_elem(1.0).expand([n, c]), 0.0),
    }
}

/// Zero samples, which tensors of zero rows would not survive.
pub(crate) fn evaluate_nothing<T: Element>(
    problem: &Problem<'_, T>,
    outputs: &mut Outputs<'_, T>,
    total_weight: f64,
) -> Evaluation {
    let lambda = problem.objective().l2;
    if let Some(dw) = &mut outputs.weights_gradient {
        dw.zip_mut_with(&problem.weights(), |g, &w| *g = T::narrow(lambda) * w);
    }
    if let Some(db) = &mut outputs.bias_gradient {
        db.fill(T::zero());
    }
    let squares: f64 = problem.weights().iter().map(|w| w.widen() * w.widen()).sum();
    let loss = 0.0 / total_weight + lambda / 2.0 * squares;
    Evaluation { loss, total_weight, correct: count_correct(problem, &[]) }
}

pub(crate) fn flex_descriptor(name: &'static str) -> Descriptor {
    Descriptor {
        name: name.into(),
        device: "cpu (Burn Flex)".into(),
        simd: "Flex picks".into(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        deterministic: false,
    }
}
