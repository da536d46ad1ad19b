use crate::forward::{Scores, Softmax};
use crate::rows::{column, put_along_rows, take_along_rows};
use crate::weights::{SampleWeights, TargetMass};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis, Zip};
use softmax_core::{Descriptor, Element, Evaluation, Outputs, Problem, Result, SoftmaxBackend, Targets};

/// The backend `ndarray`.
#[derive(Clone, Debug, Default)]
pub struct NdArray {}

impl NdArray {
    /// It has no settings.
    pub fn new() -> Self {
        NdArray {}
    }
}

impl<T: Element> SoftmaxBackend<T> for NdArray {
    fn descriptor(&self) -> Descriptor {
        let blas = cfg!(feature = "blas");
        Descriptor {
            name: "ndarray".into(),
            device: "cpu".into(),
            simd: if blas { "BLAS picks" } else { "matrixmultiply picks" }.into(),
            // A BLAS takes as many as it was told to, which it does not tell.
            threads: if blas { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 },
            deterministic: !blas,
        }
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        outputs.check(problem)?;
        let objective = problem.objective();
        let mass = TargetMass::new(problem);
        let total_mass = mass.total();
        let sample_weights = SampleWeights::new(problem);
        let total_weight = sample_weights.total(problem);

        // (1) to (4), and Σ a·(s − m) on the way.
        let Scores { scores, slopes } = Scores::new(problem);
        let (softmax, cross) = Softmax::new(scores, |shifted| mass.row_products(shifted));

        // (6): A·lse − Σ a·s as A·(lse − m) − Σ a·(s − m), both parts positive.
        let mut losses = &total_mass * &softmax.log_rest - cross;
        if objective.z_loss != 0.0 {
            losses += &(&softmax.lse * &softmax.lse * T::narrow(objective.z_loss));
        }
        sample_weights.apply(&mut losses);

        // (7)
        let mut loss = losses.iter().map(|l| l.widen()).sum::<f64>() / total_weight;
        if objective.l2 != 0.0 {
            loss += objective.l2 / 2.0 * problem.weights().iter().map(|w| w.widen() * w.widen()).sum::<f64>();
        }
        let correct = match problem.targets() {
            Targets::Labels(labels) => Some(sample_weights.count_correct(*labels, &softmax.best)),
            Targets::Soft(_) => None,
        };

        if let Some(out) = &mut outputs.sample_losses {
            out.assign(&losses);
        }
        if let Some(out) = &mut outputs.log_sum_exp {
            out.assign(&softmax.lse);
        }
        if let Some(out) = &mut outputs.predicted {
            out.assign(&softmax.best);
        }
        if outputs.wants_gradient() {
            let mut gradient = score_gradient(softmax, &mass, &total_mass, T::narrow(objective.z_loss));
            if let Some(slopes) = slopes {
                gradient *= &slopes;
            }
            sample_weights.apply_to_rows(&mut gradient, total_weight * objective.temperature);
            write_gradients(problem, &gradient, outputs);
        }
        Ok(Evaluation { loss, total_weight, correct })
    }
}

/// (8) without its factors: (A + 2ζ·lse)·p − a.
pub(crate) fn score_gradient<T: Element>(
    softmax: Softmax<T>,
    mass: &TargetMass<T>,
    total_mass: &Array1<T>,
    z_loss: T,
) -> Array2<T> {
    // Where p is nearly 1, A·p − a is the difference of the other classes' sums, which has all its digits.
    let others = softmax.rest.mapv(|rest| rest / (T::one() + rest));
    let confident = total_mass - mass.at(&softmax.best) - total_mass * &others;

    let (best, rest) = (softmax.best.clone(), softmax.rest.clone());
    let z_slopes = &softmax.lse * (T::narrow(2.0) * z_loss);
    let mut gradient = softmax.into_probabilities();
    let confident = confident + &z_slopes * &take_along_rows(gradient.view(), &best);
    gradient *= &column(&(total_mass + &z_slopes));
    mass.subtract_from(&mut gradient);

    let mut at_best = take_along_rows(gradient.view(), &best);
    Zip::from(&mut at_best).and(&confident).and(&rest).for_each(|at_best, &confident, &rest| {
        if rest < T::one() {
            *at_best = confident;
        }
    });
    put_along_rows(&mut gradient, &best, &at_best);
    gradient
}

/// (9)
fn write_gradients<T: Element>(problem: &Problem<'_, T>, gradient: &Array2<T>, outputs: &mut Outputs<'_, T>) {
    let (features, weights) = (problem.features(), problem.weights());
    if let Some(dw) = &mut outputs.weights_gradient {
        general_mat_mul(T::one(), &features.t(), gradient, T::zero(), dw);
        if problem.objective().l2 != 0.0 {
            dw.scaled_add(T::narrow(problem.objective().l2), &weights);
        }
    }
    if let Some(dx) = &mut outputs.features_gradient {
        general_mat_mul(T::one(), gradient, &weights.t(), T::zero(), dx);
    }
    if let Some(db) = &mut outputs.bias_gradient {
        db.assign(&gradient.sum_axis(Axis(0)));
    }
}
