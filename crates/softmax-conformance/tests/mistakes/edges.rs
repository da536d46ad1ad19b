//! Mistakes with no samples, no features, and outputs of the wrong shape.

use crate::wrong::{Made, Mistake};
use softmax_core::Outputs;
use softmax_core::ndarray::s;

const EDGES: &str = "edges";

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "no samples, no penalty",
        kind: EDGES,
        caught_by: "edges/",
        made: Made::Answering(|problem, outputs, _| {
            if problem.n_samples() == 0 {
                outputs.weights_gradient.iter_mut().for_each(|dw| dw.fill(0.0));
            }
        }),
    },
    Mistake {
        name: "the sum of no samples is NaN",
        kind: EDGES,
        caught_by: "edges/",
        made: Made::Answering(|problem, _, evaluation| {
            if problem.n_samples() == 0 && problem.has_targets() {
                evaluation.loss = f64::NAN;
            }
        }),
    },
    Mistake {
        name: "no features, no bias",
        kind: EDGES,
        caught_by: "edges/",
        made: Made::Answering(|problem, outputs, _| {
            if problem.n_features() == 0 && problem.n_samples() > 0 {
                let scores = (problem.n_classes() as f64).ln();
                outputs.log_sum_exp.iter_mut().for_each(|lse| lse.fill(scores));
            }
        }),
    },
    Mistake {
        name: "larger outputs are written in part",
        kind: EDGES,
        caught_by: "shapes/",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let (d, c) = (problem.n_features(), problem.n_classes());
            match outputs.weights_gradient.as_mut().filter(|dw| dw.nrows() >= d && dw.ncols() >= c) {
                Some(dw) => {
                    let part = Some(dw.slice_mut(s![..d, ..c]));
                    wrong.right(problem, &mut Outputs { weights_gradient: part, ..Outputs::default() })
                }
                None => wrong.right(problem, outputs),
            }
        }),
    },
    Mistake {
        name: "the length of the predicted classes is not looked at",
        kind: EDGES,
        caught_by: "shapes/",
        made: Made::Evaluating(|wrong, problem, outputs| {
            if outputs.predicted.as_ref().is_some_and(|p| p.len() > problem.n_samples()) {
                outputs.predicted = None;
            }
            wrong.right(problem, outputs)
        }),
    },
];
