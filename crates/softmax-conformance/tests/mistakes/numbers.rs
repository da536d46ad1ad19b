//! Mistakes with masks, numbers that are not finite, ties, margins, scales and ignored samples.

use crate::owned::owned;
use crate::wrong::{Made, Mistake};
use softmax_core::ndarray::Zip;
use softmax_core::{Features, Problem};

const MASKS: &str = "masks and numbers that are not finite";
const IGNORED: &str = "ignored samples";
const PREDICTED: &str = "predicted classes";

fn has_nan(problem: &Problem<'_, f64>, i: usize) -> bool {
    problem.features().row(i).any(|(_, x)| x.is_nan())
}

fn has_mask(problem: &Problem<'_, f64>) -> bool {
    problem.bias().is_some_and(|bias| bias.iter().any(|&b| b == f64::NEG_INFINITY))
}

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "soft targets without mass on masked classes are 0·∞",
        kind: MASKS,
        caught_by: "masks/",
        made: Made::Answering(|problem, _, evaluation| {
            let is_soft = matches!(problem.targets(), softmax_core::Targets::Soft(_));
            if is_soft && has_mask(problem) {
                evaluation.loss = f64::NAN;
            }
        }),
    },
    Mistake {
        name: "smoothing leaves masked classes out",
        kind: MASKS,
        caught_by: "masks/",
        made: Made::Answering(|problem, outputs, evaluation| {
            if has_mask(problem) && problem.objective().label_smoothing > 0.0 && evaluation.loss.is_infinite()
            {
                evaluation.loss = 1.0;
                outputs.sample_losses.iter_mut().for_each(|losses| losses.fill(1.0));
            }
        }),
    },
    Mistake {
        name: "a tile of masked classes is all NaN",
        kind: MASKS,
        caught_by: "masks/",
        made: Made::Answering(|problem, outputs, _| {
            let Some(bias) = problem.bias() else { return };
            let is_masked = |b: &f64| *b == f64::NEG_INFINITY;
            if problem.objective().softcap.is_none() && bias.len() >= 8 && bias.iter().take(8).all(is_masked)
            {
                outputs.log_sum_exp.iter_mut().for_each(|lse| lse.fill(f64::NAN));
            }
        }),
    },
    Mistake {
        name: "a NaN reaches the next sample",
        kind: MASKS,
        caught_by: "rows/nan",
        made: Made::Answering(|problem, outputs, _| {
            for i in (1..problem.n_samples()).filter(|&i| has_nan(problem, i - 1)) {
                outputs.log_sum_exp.iter_mut().for_each(|lse| lse[i] = f64::NAN);
            }
        }),
    },
    Mistake {
        name: "an infinity reaches the sample beside it in a tile",
        kind: MASKS,
        caught_by: "rows/infinity",
        made: Made::Answering(|problem, outputs, _| {
            for i in (0..problem.n_samples() / 2 * 2).filter(|i| i % 2 == 1) {
                if problem.features().row(i).any(|(_, x)| x.is_infinite()) {
                    outputs.features_gradient.iter_mut().for_each(|dx| dx.row_mut(i - 1).fill(f64::NAN));
                }
            }
        }),
    },
    Mistake {
        name: "probabilities below 1e-35 are none",
        kind: MASKS,
        caught_by: "extremes/margin",
        made: Made::Answering(|_, outputs, evaluation| {
            if evaluation.loss.abs() < 1e-35 {
                evaluation.loss = 0.0;
            }
            let clear = |g: f64| if g.abs() < 1e-35 { 0.0 } else { g };
            outputs.weights_gradient.iter_mut().for_each(|dw| dw.mapv_inplace(clear));
        }),
    },
    Mistake {
        name: "subnormal features are zero",
        kind: MASKS,
        caught_by: "extremes/",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let mut flushed = owned(problem);
            flushed.features.mapv_inplace(|x| if x.abs() < 1e-36 { 0.0 } else { x });
            wrong.right(&flushed.problem()?, outputs)
        }),
    },
    Mistake {
        name: "gradients of large class weights vanish",
        kind: MASKS,
        caught_by: "extremes/",
        made: Made::Answering(|problem, outputs, _| {
            let largest =
                |w: softmax_core::ndarray::ArrayView1<'_, f64>| w.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            if problem.class_weights().map_or(0.0, largest) / problem.objective().temperature > 1e9 {
                outputs.weights_gradient.iter_mut().for_each(|dw| dw.fill(0.0));
            }
        }),
    },
    Mistake {
        name: "the last of equals within a vector of four",
        kind: PREDICTED,
        caught_by: "ties/",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let evaluation = wrong.right(problem, outputs)?;
            let (Features::Dense(x), c) = (problem.features(), problem.n_classes()) else {
                return Ok(evaluation);
            };
            let weights = problem.weights().to_dense();
            if let Some(predicted) = &mut outputs.predicted {
                let scores = x.dot(&weights);
                Zip::from(predicted).and(scores.rows()).for_each(|class, row| {
                    let best = *class;
                    let end = (best / 4 * 4 + 4).min(c);
                    *class = (best..end).rev().find(|&j| row[j] == row[best]).unwrap_or(best);
                });
            }
            Ok(evaluation)
        }),
    },
    Mistake {
        name: "a NaN has a predicted class beyond the last",
        kind: PREDICTED,
        caught_by: "rows/nan",
        made: Made::Answering(|problem, outputs, _| {
            if let Some(predicted) = &mut outputs.predicted {
                let spoilt = (0..problem.n_samples()).filter(|&i| has_nan(problem, i));
                spoilt.for_each(|i| predicted[i] = problem.n_classes());
            }
        }),
    },
    Mistake {
        name: "ignored samples with NaN reach the weights gradient",
        kind: IGNORED,
        caught_by: "crossed-values",
        made: Made::Answering(|problem, outputs, _| {
            let any = (0..problem.n_samples()).any(|i| !problem.counts(i) && has_nan(problem, i));
            if any && problem.has_targets() {
                outputs.weights_gradient.iter_mut().for_each(|dw| dw.fill(f64::NAN));
            }
        }),
    },
    Mistake {
        name: "ignored samples keep a features gradient",
        kind: IGNORED,
        caught_by: "crossed",
        made: Made::Answering(|problem, outputs, _| {
            if let Some(dx) = &mut outputs.features_gradient {
                let ignored =
                    (0..problem.n_samples()).filter(|&i| problem.has_labels() && !problem.counts(i));
                ignored.for_each(|i| dx.row_mut(i).fill(1e-3));
            }
        }),
    },
    Mistake {
        name: "ignored samples are counted as correct beyond 64 of them",
        kind: IGNORED,
        caught_by: "crossed",
        made: Made::Answering(|problem, _, evaluation| {
            let ignored =
                (0..problem.n_samples()).filter(|&i| problem.has_labels() && !problem.counts(i)).count();
            evaluation.correct = evaluation.correct.map(|correct| correct + ignored.saturating_sub(64));
        }),
    },
];
