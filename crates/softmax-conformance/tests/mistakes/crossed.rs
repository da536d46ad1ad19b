//! Mistakes with sizes, and with combinations of options, layouts and sizes.

use crate::owned::owned;
use crate::wrong::{Made, Mistake, under};
use softmax_core::ndarray::{ArrayView2, Axis};
use softmax_core::{Features, OwnedProblem, Problem, Targets, Weights};

const SIZES: &str = "sizes";
const OPTIONS: &str = "options and sizes";
const LAYOUTS: &str = "layouts";

fn is_by_columns(problem: &Problem<'_, f64>) -> bool {
    matches!(problem.features(), Features::Dense(x) if x.strides()[0] == 1 && x.nrows() > 1)
}

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "tail of 128 features dropped",
        kind: SIZES,
        caught_by: "crossed",
        made: Made::Answering(|problem, outputs, _| {
            let d = problem.n_features();
            if let Some(dw) = outputs.weights_gradient.as_mut().filter(|_| d > 128) {
                dw.row_mut(d / 128 * 128 - 1).fill(0.0);
            }
        }),
    },
    Mistake {
        name: "last sample of whole blocks of 128 not flushed",
        kind: SIZES,
        caught_by: "crossed",
        made: Made::Answering(|problem, outputs, _| {
            let n = problem.n_samples();
            if let Some(dx) = outputs.features_gradient.as_mut().filter(|_| n > 0 && n % 128 == 0) {
                dx.row_mut(n - 1).fill(0.0);
            }
        }),
    },
    Mistake {
        name: "class 4096 is the first again",
        kind: SIZES,
        caught_by: "crossed",
        made: Made::Answering(|problem, outputs, _| {
            if let Some(dw) = outputs.weights_gradient.as_mut().filter(|_| problem.n_classes() > 4096) {
                let first = dw.column(0).to_owned();
                dw.column_mut(4096).assign(&first);
            }
        }),
    },
    Mistake {
        name: "no smoothing beyond 64 classes",
        kind: OPTIONS,
        caught_by: "crossed",
        made: Made::Reading(|problem, objective| {
            if problem.n_classes() > 64 {
                objective.label_smoothing = 0.0;
            }
        }),
    },
    Mistake {
        name: "no z-loss where features are many",
        kind: OPTIONS,
        caught_by: "crossed",
        made: Made::Reading(|problem, objective| {
            if problem.n_features() > 256 {
                objective.z_loss = 0.0;
            }
        }),
    },
    Mistake {
        name: "no sample weights for soft targets beyond 64 samples",
        kind: OPTIONS,
        caught_by: "crossed",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let is_soft = matches!(problem.targets(), Targets::Soft(_));
            if !is_soft || problem.n_samples() <= 64 {
                return wrong.right(problem, outputs);
            }
            let problem = OwnedProblem { sample_weights: None, ..owned(problem) };
            wrong.right(&problem.problem()?, outputs)
        }),
    },
    Mistake {
        name: "no penalty where features are by columns",
        kind: LAYOUTS,
        caught_by: "crossed",
        made: Made::Reading(|problem, objective| {
            if is_by_columns(problem) {
                objective.l2 = 0.0;
            }
        }),
    },
    Mistake {
        name: "features gradient flipped where it is not by rows",
        kind: LAYOUTS,
        caught_by: "crossed",
        made: Made::Answering(|_, outputs, _| {
            if let Some(dx) = outputs.features_gradient.as_mut().filter(|dx| !dx.is_standard_layout()) {
                dx.iter_mut().take(1).for_each(|g| *g = -*g);
            }
        }),
    },
    Mistake {
        name: "predicted classes without their stride",
        kind: LAYOUTS,
        caught_by: "crossed",
        made: Made::Answering(|_, outputs, _| {
            if let Some(predicted) = outputs.predicted.as_mut().filter(|p| p.len() > 1 && p.strides() != [1])
            {
                predicted[1] = predicted[0];
            }
        }),
    },
    Mistake {
        name: "padded weights are read as if they were not",
        kind: LAYOUTS,
        caught_by: "layouts",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let is_padded = |w: ArrayView2<'_, f64>| w.nrows() > 1 && w.strides()[0] > w.ncols() as isize;
            let mut shifted = owned(problem);
            if matches!(problem.weights(), Weights::Dense(w) if is_padded(w)) {
                shifted.weights.row_mut(1).fill(0.0);
            }
            wrong.right(&shifted.problem()?, outputs)
        }),
    },
    Mistake {
        name: "rows that run backwards are read forwards",
        kind: LAYOUTS,
        caught_by: "layouts",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let runs_backwards = |x: ArrayView2<'_, f64>| x.nrows() > 1 && x.strides()[0] < 0;
            let mut turned = owned(problem);
            if matches!(problem.features(), Features::Dense(x) if runs_backwards(x)) {
                turned.features.invert_axis(Axis(0));
            }
            wrong.right(&turned.problem()?, outputs)
        }),
    },
    Mistake {
        name: "temperature forgotten for half precision",
        kind: OPTIONS,
        caught_by: "crossed-storage",
        made: Made::Evaluating(|wrong, problem, outputs| {
            let mut objective = *problem.objective();
            if matches!(problem.features(), Features::F16(_) | Features::Bf16(_)) {
                objective.temperature = 1.0;
            }
            wrong.right(&under(problem, objective)?, outputs)
        }),
    },
];
