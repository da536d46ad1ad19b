use crate::library;
use crate::row::Terms;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis};
use softmax_core::{
    Descriptor, Element, Evaluation, Outputs, Problem, Reduction, Result, SoftmaxBackend, Targets, ndarray,
};

/// The backend `openblas`.
#[derive(Clone, Debug)]
pub struct OpenBlas<T> {
    /// X·W, then G, of the last call.
    scores: Array2<T>,
}

impl<T: Element> OpenBlas<T> {
    /// It has no settings; [`set_threads`](crate::set_threads) is the process's.
    pub fn new() -> Self {
        OpenBlas { scores: Array2::zeros((0, 0)) }
    }
}

impl<T: Element> Default for OpenBlas<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Element> SoftmaxBackend<T> for OpenBlas<T> {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "openblas".into(),
            device: "cpu".into(),
            simd: "OpenBLAS picks".into(),
            threads: library::threads(),
            deterministic: false,
        }
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        outputs.check(problem)?;
        let (features, weights) = (problem.features(), problem.weights());
        let objective = problem.objective();
        let total_weight = total_weight(problem);

        let shape = (problem.n_samples(), problem.n_classes());
        if self.scores.dim() != shape {
            self.scores = Array2::zeros(shape);
        }
        general_mat_mul(T::one(), &features, &weights, T::zero(), &mut self.scores);

        let terms = Terms::new(problem);
        let mut slopes = Array1::ones(if objective.softcap.is_some() { shape.1 } else { 0 });
        let gradient = outputs.wants_gradient();
        let mut loss_sum = 0.0;
        let mut correct = 0;
        for (i, mut row) in self.scores.rows_mut().into_iter().enumerate() {
            let summary =
                terms.process(problem, i, row.view_mut(), slopes.view_mut(), total_weight, gradient);
            if gradient && objective.softcap.is_some() {
                row *= &slopes;
            }
            loss_sum += summary.loss.widen();
            if let Targets::Labels(labels) = problem.targets() {
                correct += usize::from(summary.best == labels[i] && !problem.is_ignored(labels[i]));
            }
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

        let lambda = T::narrow(objective.l2);
        if let Some(dw) = &mut outputs.weights_gradient {
            general_mat_mul(T::one(), &features.t(), &self.scores, T::zero(), dw);
            if objective.l2 != 0.0 {
                dw.scaled_add(lambda, &weights);
            }
        }
        if let Some(dx) = &mut outputs.features_gradient {
            general_mat_mul(T::one(), &self.scores, &weights.t(), T::zero(), dx);
        }
        if let Some(db) = &mut outputs.bias_gradient {
            db.assign(&self.scores.sum_axis(Axis(0)));
        }

        let mut loss = loss_sum / total_weight;
        if objective.l2 != 0.0 {
            loss += objective.l2 / 2.0 * weights.iter().map(|w| w.widen() * w.widen()).sum::<f64>();
        }
        let correct = matches!(problem.targets(), Targets::Labels(_)).then_some(correct);
        Ok(Evaluation { loss, total_weight, correct })
    }
}

/// Ω, in f64.
fn total_weight<T: Element>(problem: &Problem<'_, T>) -> f64 {
    if problem.objective().reduction == Reduction::Sum {
        return 1.0;
    }
    let weight_of = |i: usize| {
        let class_weight = match (problem.targets(), problem.class_weights()) {
            (Targets::Labels(labels), _) if problem.is_ignored(labels[i]) => return 0.0,
            (Targets::Labels(labels), Some(class_weights)) => class_weights[labels[i]].widen(),
            _ => 1.0,
        };
        class_weight * problem.sample_weights().map_or(1.0, |u| u[i].widen())
    };
    (0..problem.n_samples()).map(weight_of).sum()
}
