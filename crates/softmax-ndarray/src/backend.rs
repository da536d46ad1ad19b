use crate::facts::{wants_facts, write_facts};
use crate::forward::{Scores, Softmax};
use crate::gradient::score_gradient;
use crate::products::{column_sums, features_transposed_times};
use crate::weights::{SampleWeights, TargetMass};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array, Array1, Array2, ArrayViewMut, CowArray, Dimension, Ix2};
use softmax_core::{
    Backend, Descriptor, Element, Evaluation, Feature, HessianVectorProduct, Outputs, Problem, Result,
    SoftmaxBackend, TwoPass,
};

/// The backend `ndarray`, named `ndarray+blas` in a build that computes products with a BLAS.
#[derive(Clone, Debug, Default)]
pub struct NdArray {}

impl NdArray {
    /// Creates the backend. It has no settings.
    pub fn new() -> Self {
        NdArray {}
    }
}

impl Backend for NdArray {
    fn descriptor(&self) -> Descriptor {
        let blas = cfg!(feature = "blas");
        Descriptor {
            name: if blas { "ndarray+blas" } else { "ndarray" }.into(),
            device: "cpu".into(),
            simd: if blas { "BLAS picks" } else { "matrixmultiply picks" }.into(),
            // A BLAS has its own number of threads, which CBLAS has no function to query.
            threads: if blas { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 },
            deterministic: !blas,
        }
    }

    fn supports(&self, _feature: Feature) -> bool {
        true
    }
}

impl<T: Element> SoftmaxBackend<T> for NdArray {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let objective = problem.objective();
        let weights = problem.weights().to_dense();
        let unit = problem.mass_unit();
        let mass = TargetMass::new(problem, unit);
        let total_mass = mass.total();
        let sample_weights = SampleWeights::new(problem, unit);
        let total_weight = problem.total_weight();
        let has_targets = problem.has_targets();
        // ζ in mass units.
        let z_loss = objective.z_loss / unit;

        // (1) to (4). `cross` is Σ a·(s − m), computed before s − m is overwritten.
        let Scores { scores, slopes } = Scores::new(problem, weights.view());
        let kept = wants_facts(problem, outputs).then(|| scores.clone());
        let (softmax, cross) = Softmax::new(scores, |shifted| mass.row_products(shifted));

        // (6): A·lse − Σ a·s as A·(lse − m) − Σ a·(s − m). Without negative class weights, nothing cancels.
        let mut losses = &total_mass * &softmax.log_rest - cross;
        if z_loss != 0.0 {
            losses += &(&softmax.lse * &softmax.lse * T::narrow(z_loss));
        }
        sample_weights.apply(&mut losses);

        // (7)
        let mut loss = 0.0;
        if has_targets {
            loss = losses.iter().map(|l| l.widen()).sum::<f64>() / total_weight;
        }
        if objective.l2 != 0.0 && has_targets {
            loss += objective.l2 / 2.0 * weights.iter().map(|w| w.widen() * w.widen()).sum::<f64>();
        }
        let is_correct = |(i, &best): (usize, &usize)| problem.label(i) == Some(best);
        let correct = softmax.best.iter().enumerate().filter(|&best| is_correct(best)).count();

        if let Some(out) = &mut outputs.sample_losses {
            out.assign(&losses);
        }
        if let Some(out) = &mut outputs.log_sum_exp {
            out.assign(&softmax.lse);
        }
        if let Some(out) = &mut outputs.predicted {
            out.assign(&softmax.best);
        }
        if let Some(scores) = kept {
            write_facts(problem, &scores, &softmax, outputs);
        }
        if outputs.wants_gradient() {
            let mut gradient = score_gradient(softmax, &mass, &total_mass, T::narrow(z_loss));
            if let Some(slopes) = slopes {
                gradient *= &slopes;
            }
            sample_weights.apply_to_rows(&mut gradient, total_weight * objective.temperature);
            write_gradients(problem, &weights, &gradient, &sample_weights.counts(), true, outputs);
        }
        Ok(Evaluation { loss, total_weight, correct: problem.has_labels().then_some(correct) })
    }

    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<T>> {
        Some(self)
    }

    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<T>> {
        Some(self)
    }
}

/// Writes the gradients (9) over the samples that count. dX is overwritten if `overwrites`, and added to otherwise.
pub(crate) fn write_gradients<T: Element>(
    problem: &Problem<'_, T>,
    weights: &CowArray<'_, T, Ix2>,
    gradient: &Array2<T>,
    counts: &Array1<bool>,
    overwrites: bool,
    outputs: &mut Outputs<'_, T>,
) {
    let accumulate = outputs.accumulate;
    if let Some(dw) = &mut outputs.weights_gradient {
        let mut sums = features_transposed_times(problem.features(), gradient, counts);
        if problem.objective().l2 != 0.0 && problem.has_targets() {
            sums.scaled_add(T::narrow(problem.objective().l2), weights);
        }
        write(dw, sums, accumulate);
    }
    if let Some(dx) = &mut outputs.features_gradient {
        let kept = if overwrites { T::zero() } else { T::one() };
        general_mat_mul(T::one(), gradient, &weights.t(), kept, dx);
        // 0 times an infinite weight is NaN.
        for (i, _) in counts.indexed_iter().filter(|&(_, &counts)| !counts) {
            dx.row_mut(i).fill(T::zero());
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        write(db, column_sums(gradient), accumulate);
    }
}

/// Writes the sums to `out`, or adds them to its contents if `accumulate`.
fn write<T: Element, D: Dimension>(out: &mut ArrayViewMut<'_, T, D>, sums: Array<T, D>, accumulate: bool) {
    if accumulate { *out += &sums } else { out.assign(&sums) }
}
