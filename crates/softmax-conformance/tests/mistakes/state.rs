//! Mistakes with state that is kept from call to call, and with threads.

use crate::owned::owned;
use crate::wrong::{Made, Mistake, Wrong};
use softmax_core::{Evaluation, Outputs, OwnedProblem, Problem, Result};

const STATE: &str = "state";
const DETERMINISM: &str = "determinism";

/// Uses the weights of an earlier call if address and shape are the same.
fn stale_weights(
    wrong: &mut Wrong,
    problem: &Problem<'_, f64>,
    outputs: &mut Outputs<'_, f64>,
) -> Result<Evaluation> {
    let weights = problem.weights().dense("wrong")?;
    let address = weights.as_ptr() as usize;
    if wrong.number != address || wrong.kept.dim() != weights.dim() {
        (wrong.number, wrong.kept) = (address, weights.to_owned());
    }
    let stale = OwnedProblem { weights: wrong.kept.clone(), ..owned(problem) };
    wrong.right(&stale.problem()?, outputs)
}

/// Uses the features of an earlier call if shape and first sample are the same.
fn stale_features(
    wrong: &mut Wrong,
    problem: &Problem<'_, f64>,
    outputs: &mut Outputs<'_, f64>,
) -> Result<Evaluation> {
    let features = problem.features().dense("wrong")?;
    let same = wrong.kept.dim() == features.dim() && wrong.kept.row(0) == features.row(0);
    if features.is_empty() || !same {
        wrong.kept = features.to_owned();
    }
    let stale = OwnedProblem { features: wrong.kept.clone(), ..owned(problem) };
    wrong.right(&stale.problem()?, outputs)
}

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "weights are kept by their address",
        kind: STATE,
        caught_by: "state/changed",
        made: Made::Evaluating(stale_weights),
    },
    Mistake {
        name: "features are kept by their first sample",
        kind: STATE,
        caught_by: "state/changed",
        made: Made::Evaluating(stale_features),
    },
    Mistake {
        name: "a call that failed leaves a mark",
        kind: STATE,
        caught_by: "state/after-failure",
        made: Made::Evaluating(|wrong, problem, outputs| match wrong.right(problem, outputs) {
            Ok(evaluation) if wrong.failed => Ok(Evaluation { loss: evaluation.loss + 1.0, ..evaluation }),
            Ok(evaluation) => Ok(evaluation),
            Err(error) => {
                wrong.failed = true;
                Err(error)
            }
        }),
    },
    Mistake {
        name: "scratch is cleared by a multiplication with zero",
        kind: STATE,
        caught_by: "state/after-nan",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let evaluation = wrong.right(problem, outputs)?;
            if let Some(dw) = &mut outputs.weights_gradient {
                if wrong.kept.dim() == dw.dim() {
                    dw.zip_mut_with(&wrong.kept, |dw, &kept| *dw += kept * 0.0);
                }
                wrong.kept = dw.to_owned();
            }
            Ok(evaluation)
        }),
    },
    Mistake {
        name: "scratch is as large as the first problem's",
        kind: STATE,
        caught_by: "state/after-other-shapes",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let evaluation = wrong.right(problem, outputs)?;
            let most = if wrong.number == 0 { problem.n_samples().max(1) } else { wrong.number };
            wrong.number = most;
            if let Some(losses) = &mut outputs.sample_losses {
                losses.iter_mut().skip(most).for_each(|loss| *loss = 0.0);
            }
            Ok(evaluation)
        }),
    },
    Mistake {
        name: "bits depend on threads with many samples",
        kind: DETERMINISM,
        caught_by: "behaviour/threads",
        made: Made::Answering(|problem, outputs, _| {
            if problem.n_samples() > 1000 {
                let shift = f64::EPSILON * rayon::current_num_threads() as f64;
                outputs.weights_gradient.iter_mut().for_each(|dw| dw.mapv_inplace(|g| g * (1.0 + shift)));
            }
        }),
    },
    Mistake {
        name: "bits depend on threads with many classes",
        kind: DETERMINISM,
        caught_by: "behaviour/threads",
        made: Made::Answering(|problem, outputs, _| {
            if problem.n_classes() > 512 {
                let shift = f64::EPSILON * rayon::current_num_threads() as f64;
                outputs.log_sum_exp.iter_mut().for_each(|lse| lse.mapv_inplace(|s| s * (1.0 + shift)));
            }
        }),
    },
    Mistake {
        name: "every third call adds in another order",
        kind: DETERMINISM,
        caught_by: "behaviour/same-again",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let evaluation = wrong.right(problem, outputs)?;
            wrong.number += 1;
            if wrong.number % 3 == 0 {
                outputs.bias_gradient.iter_mut().for_each(|db| db.mapv_inplace(|g| g * (1.0 + f64::EPSILON)));
            }
            Ok(evaluation)
        }),
    },
];
