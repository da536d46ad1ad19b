//! Mistakes with sets of outputs, and in the provided methods of the trait.

use crate::wrong::{Made, Mistake};
use softmax_core::ndarray::ArrayViewMut2;

const OUTPUTS: &str = "choices of outputs";

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "log-sum-exp alone with many classes",
        kind: OUTPUTS,
        caught_by: "crossed-outputs",
        made: Made::Answering(|problem, outputs, _| {
            let is_alone = outputs.predicted.is_none() && !outputs.wants_gradient();
            let is_wide = problem.n_classes() > 64;
            if let Some(lse) =
                outputs.log_sum_exp.as_mut().filter(|lse| is_alone && is_wide && !lse.is_empty())
            {
                lse[0] += 1.0;
            }
        }),
    },
    Mistake {
        name: "bias gradient without the weights gradient",
        kind: OUTPUTS,
        caught_by: "crossed-outputs",
        made: Made::Answering(|_, outputs, _| {
            if outputs.weights_gradient.is_none() {
                outputs.bias_gradient.iter_mut().for_each(|db| db.fill(0.0));
            }
        }),
    },
    Mistake {
        name: "features gradient beside sample losses only with the weights gradient",
        kind: OUTPUTS,
        caught_by: "crossed-outputs",
        made: Made::Answering(|_, outputs, _| {
            if outputs.weights_gradient.is_none() && outputs.sample_losses.is_some() {
                outputs.features_gradient.iter_mut().for_each(|dx| dx.fill(0.0));
            }
        }),
    },
    Mistake {
        name: "nothing asked for, nothing computed",
        kind: OUTPUTS,
        caught_by: "crossed-outputs",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let mut evaluation = wrong.right(problem, outputs)?;
            if !outputs.wants_gradient() && outputs.sample_losses.is_none() && outputs.predicted.is_none() {
                evaluation.correct = evaluation.correct.map(|_| 0);
            }
            Ok(evaluation)
        }),
    },
    Mistake {
        name: "the loss alone lacks the penalty",
        kind: OUTPUTS,
        caught_by: "provided/loss",
        made: Made::Loss(|problem, loss| {
            let squares: f64 = problem.weights().to_dense().iter().map(|w| w * w).sum();
            if problem.has_targets() { loss - problem.objective().l2 / 2.0 * squares } else { loss }
        }),
    },
    Mistake {
        name: "the loss alone is a sum",
        kind: OUTPUTS,
        caught_by: "provided/loss",
        made: Made::Loss(|problem, loss| loss * problem.total_weight()),
    },
    Mistake {
        name: "gradients without db for many classes",
        kind: OUTPUTS,
        caught_by: "provided/gradients",
        made: Made::Gradients(|problem, gradients| {
            if problem.n_classes() > 64 {
                gradients.bias.fill(0.0);
            }
        }),
    },
    Mistake {
        name: "accumulated gradients overwrite for sparse features",
        kind: OUTPUTS,
        caught_by: "crossed-storage",
        made: Made::Evaluating(|wrong, problem, outputs| {
            if matches!(problem.features(), softmax_core::Features::Csr(_)) {
                outputs.accumulate = false;
            }
            wrong.right(problem, outputs)
        }),
    },
    Mistake {
        name: "columns that are apart take their neighbour's entries",
        kind: "layouts",
        caught_by: "crossed",
        made: Made::Answering(|_, outputs, _| {
            let is_apart = |dx: &&mut ArrayViewMut2<'_, f64>| dx.strides()[1] > 1 && dx.nrows() > 1;
            if let Some(dx) = outputs.features_gradient.as_mut().filter(is_apart) {
                let first = dx.row(0).to_owned();
                dx.row_mut(1).assign(&first);
            }
        }),
    },
];
