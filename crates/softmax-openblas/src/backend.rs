use crate::facts::RowFacts;
use crate::library;
use crate::product::multiply;
use crate::row::{Terms, argmax};
use ndarray::{Array1, Array2, ArrayView2, Axis, CowArray, Ix2};
use softmax_core::{
    Backend, Descriptor, Element, Evaluation, Feature, Outputs, Problem, Result, SoftmaxBackend,
};

/// The backend `openblas`.
#[derive(Clone, Debug)]
pub struct OpenBlas<T> {
    threads: Option<usize>,
    /// X·W, then G (N×C). Kept for the next call.
    scores: Array2<T>,
}

impl<T: Element> OpenBlas<T> {
    /// A backend that uses OpenBLAS's current number of threads in this process.
    pub fn new() -> Self {
        OpenBlas { threads: None, scores: Array2::zeros((0, 0)) }
    }

    /// Sets the number of threads. This is a setting of OpenBLAS: it applies to the whole process, from the next
    /// evaluation on.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}

impl<T: Element> Default for OpenBlas<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Element> Backend for OpenBlas<T> {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "openblas".into(),
            device: "cpu".into(),
            simd: "OpenBLAS picks".into(),
            threads: self.threads.unwrap_or_else(library::threads),
            deterministic: false,
        }
    }

    fn supports(&self, feature: Feature) -> bool {
        !feature.is_storage() && feature != Feature::TwoPasses
    }
}

impl<T: Element> SoftmaxBackend<T> for OpenBlas<T> {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let features = problem.features().dense("openblas")?;
        let weights = problem.weights().dense("openblas")?;
        let objective = problem.objective();
        let total_weight = problem.total_weight();
        if let Some(threads) = self.threads {
            library::set_threads(threads);
        }

        let shape = (problem.n_samples(), problem.n_classes());
        if self.scores.dim() != shape {
            self.scores = Array2::zeros(shape);
        }
        multiply(features, weights, &mut self.scores.view_mut(), false)?;

        let terms = Terms::new(problem);
        let mut slopes = Array1::ones(if objective.softcap.is_some() { shape.1 } else { 0 });
        let gradient = outputs.wants_gradient().then_some(total_weight);
        let mut loss_sum = 0.0;
        let mut correct = 0;
        for (i, mut row) in self.scores.rows_mut().into_iter().enumerate() {
            terms.cap(problem, &mut row.view_mut(), slopes.view_mut());
            let best = argmax(row.view());
            let mut facts = RowFacts::of_scores(problem, outputs, i, row.view(), best);
            let summary = terms.process(problem, i, row.view_mut(), best, facts.as_mut(), gradient);
            if let Some(facts) = facts {
                facts.write(i, outputs);
            }
            // The gradient of a sample that does not count stays 0; its slopes may be NaN.
            if gradient.is_some() && objective.softcap.is_some() && problem.counts(i) {
                row *= &slopes;
            }
            loss_sum += summary.loss.widen();
            correct += usize::from(problem.label(i) == Some(summary.best));
            if let Some(losses) = &mut outputs.sample_losses {
                losses[i] = summary.loss;
            }
            if let Some(lse) = &mut outputs.log_sum_exp {
                lse[i] = summary.lse;
            }
            if let Some(predicted) = &mut outputs.predicted {
                predicted[i] = summary.best;
            }
        }

        let has_targets = problem.has_targets();
        let has_penalty = objective.l2 != 0.0 && has_targets;
        let accumulate = outputs.accumulate;
        if let Some(dw) = &mut outputs.weights_gradient {
            let mut add = accumulate;
            let counted = counted_features(problem, features);
            let blocks =
                counted.axis_chunks_iter(Axis(0), ROWS).zip(self.scores.axis_chunks_iter(Axis(0), ROWS));
            for (features, gradient) in blocks {
                multiply(features.reversed_axes(), gradient, dw, add)?;
                add = true;
            }
            if !add {
                dw.fill(T::zero());
            }
            if has_penalty {
                dw.scaled_add(T::narrow(objective.l2), &weights);
            }
        }
        if let Some(dx) = &mut outputs.features_gradient {
            multiply(self.scores.view(), weights.reversed_axes(), dx, false)?;
            // 0 times an infinite weight is NaN.
            for i in (0..problem.n_samples()).filter(|&i| !problem.counts(i)) {
                dx.row_mut(i).fill(T::zero());
            }
        }
        if let Some(db) = &mut outputs.bias_gradient {
            let sums = column_sums(&self.scores);
            if accumulate { *db += &sums } else { db.assign(&sums) }
        }

        let mut loss = if has_targets { loss_sum / total_weight } else { 0.0 };
        if has_penalty {
            loss += objective.l2 / 2.0 * weights.iter().map(|w| w.widen() * w.widen()).sum::<f64>();
        }
        Ok(Evaluation { loss, total_weight, correct: problem.has_labels().then_some(correct) })
    }
}

/// The maximum number of samples that one product sums. For small products OpenBLAS adds the terms one after another,
/// so a longer sum would lose accuracy.
const ROWS: usize = 1024;

/// X. If a sample that does not count has a feature that is not finite, a copy with zeros for all such samples, because
/// 0·NaN is NaN.
fn counted_features<'x, T: Element>(
    problem: &Problem<'_, T>,
    features: ArrayView2<'x, T>,
) -> CowArray<'x, T, Ix2> {
    let poisons = |i: usize| !problem.counts(i) && features.row(i).iter().any(|x| !x.is_finite());
    if !(0..problem.n_samples()).any(poisons) {
        return features.into();
    }
    let mut counted = features.to_owned();
    for i in (0..problem.n_samples()).filter(|&i| !problem.counts(i)) {
        counted.row_mut(i).fill(T::zero());
    }
    counted.into()
}

/// The sum of each column: in the element type within a block of rows, and in f64 over the blocks.
fn column_sums<T: Element>(matrix: &Array2<T>) -> Array1<T> {
    const BLOCK: usize = 128;
    let mut sums = Array1::<f64>::zeros(matrix.ncols());
    for rows in matrix.axis_chunks_iter(Axis(0), BLOCK) {
        let mut block = Array1::<T>::zeros(matrix.ncols());
        rows.rows().into_iter().for_each(|row| block += &row);
        sums.zip_mut_with(&block, |sum, part| *sum += part.widen());
    }
    sums.mapv(T::narrow)
}
