//! A problem in f64, in the memory order that the oracle walks: exact, whatever the problem's element type.

use ndarray::{Array1, Array2};
use softmax_core::{Element, Objective, Problem, Targets, ndarray};

/// A problem's numbers, widened to f64.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) features: Array2<f64>,
    pub(crate) weights: Array2<f64>,
    pub(crate) bias: Array1<f64>,
    pub(crate) targets: InputTargets,
    pub(crate) class_weights: Array1<f64>,
    pub(crate) sample_weights: Array1<f64>,
    pub(crate) objective: Objective,
}

#[derive(Clone, Debug)]
pub(crate) enum InputTargets {
    Labels(Array1<usize>),
    Soft(Array2<f64>),
}

impl Inputs {
    pub(crate) fn new<T: Element>(problem: &Problem<'_, T>) -> Self {
        let (n, c) = (problem.n_samples(), problem.n_classes());
        // `mapv` keeps the view's memory order; the oracle wants rows.
        let rows = |view: ndarray::ArrayView2<'_, T>| {
            let mut rows = Array2::zeros(view.raw_dim());
            rows.zip_mut_with(&view, |to: &mut f64, from| *to = from.widen());
            rows
        };
        Inputs {
            features: rows(problem.features()),
            weights: rows(problem.weights()),
            bias: problem.bias().map_or(Array1::zeros(c), |b| b.mapv(T::widen)),
            targets: match problem.targets() {
                Targets::Labels(labels) => InputTargets::Labels(labels.to_owned()),
                Targets::Soft(soft) => InputTargets::Soft(rows(*soft)),
            },
            class_weights: problem.class_weights().map_or(Array1::ones(c), |w| w.mapv(T::widen)),
            sample_weights: problem.sample_weights().map_or(Array1::ones(n), |u| u.mapv(T::widen)),
            objective: *problem.objective(),
        }
    }

    /// N, D and C.
    pub(crate) fn dim(&self) -> (usize, usize, usize) {
        (self.features.nrows(), self.features.ncols(), self.weights.ncols())
    }

    /// The label of sample `i`, if the targets are hard and it is not ignored.
    pub(crate) fn label(&self, i: usize) -> Option<usize> {
        match &self.targets {
            InputTargets::Labels(labels) => Some(labels[i]).filter(|_| !self.is_ignored(i)),
            InputTargets::Soft(_) => None,
        }
    }

    pub(crate) fn is_ignored(&self, i: usize) -> bool {
        match &self.targets {
            InputTargets::Labels(labels) => self.objective.ignore_index == Some(labels[i]),
            InputTargets::Soft(_) => false,
        }
    }
}
