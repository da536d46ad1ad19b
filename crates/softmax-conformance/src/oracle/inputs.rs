//! A problem in f64, with contiguous rows as the oracle needs them. Exact for every element type.

use ndarray::{Array1, Array2};
use softmax_core::{Element, Features, Objective, Problem, Targets, ndarray};

/// A problem's numbers, widened to f64.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) features: Array2<f64>,
    /// Whether a feature of 0 is absent, as in CSR. An absent feature is not multiplied by its weight, even if that is
    /// NaN.
    pub(crate) is_sparse: bool,
    pub(crate) weights: Array2<f64>,
    pub(crate) bias: Array1<f64>,
    pub(crate) targets: InputTargets,
    /// The label of each sample, ignored or not. `None` if it is not a class.
    labelled_classes: Vec<Option<usize>>,
    pub(crate) class_weights: Array1<f64>,
    pub(crate) sample_weights: Array1<f64>,
    pub(crate) objective: Objective,
}

#[derive(Clone, Debug)]
pub(crate) enum InputTargets {
    /// The class of each sample, `None` if it is ignored.
    Labels(Vec<Option<usize>>),
    Soft(Array2<f64>),
    None,
}

impl Inputs {
    pub(crate) fn new<T: Element>(problem: &Problem<'_, T>) -> Self {
        let (n, c) = (problem.n_samples(), problem.n_classes());
        // `mapv` keeps the view's memory order; the oracle needs contiguous rows.
        let rows = |view: ndarray::ArrayView2<'_, T>| {
            let mut rows = Array2::zeros(view.raw_dim());
            rows.zip_mut_with(&view, |to: &mut f64, from| *to = from.widen());
            rows
        };
        Inputs {
            features: rows(problem.features().to_dense().view()),
            is_sparse: matches!(problem.features(), Features::Csr(_)),
            weights: rows(problem.weights().to_dense().view()),
            bias: problem.bias().map_or(Array1::zeros(c), |b| b.mapv(T::widen)),
            targets: match problem.targets() {
                Targets::Labels(_) => InputTargets::Labels((0..n).map(|i| problem.label(i)).collect()),
                Targets::Soft(soft) => InputTargets::Soft(rows(*soft)),
                Targets::None => InputTargets::None,
            },
            labelled_classes: (0..n).map(|i| problem.labelled_class(i)).collect(),
            class_weights: problem.class_weights().map_or(Array1::ones(c), |w| w.mapv(T::widen)),
            sample_weights: problem.sample_weights().map_or(Array1::ones(n), |u| u.mapv(T::widen)),
            objective: *problem.objective(),
        }
    }

    /// The features of sample `i` with their indices, without absent ones.
    pub(crate) fn entries(&self, i: usize) -> impl Iterator<Item = (usize, f64)> {
        let entries = self.features.row(i).into_iter().copied().enumerate();
        entries.filter(|&(_, x)| !self.is_none(x))
    }

    /// Whether a feature is absent.
    pub(crate) fn is_none(&self, x: f64) -> bool {
        self.is_sparse && x == 0.0
    }

    /// N, D and C.
    pub(crate) fn dim(&self) -> (usize, usize, usize) {
        (self.features.nrows(), self.features.ncols(), self.weights.ncols())
    }

    /// The label of sample `i`. `None` if it is ignored, or if the targets are not labels.
    pub(crate) fn label(&self, i: usize) -> Option<usize> {
        match &self.targets {
            InputTargets::Labels(labels) => labels[i],
            InputTargets::Soft(_) | InputTargets::None => None,
        }
    }

    /// The label of sample `i`, ignored or not. `None` if it is not a class.
    pub(crate) fn labelled_class(&self, i: usize) -> Option<usize> {
        self.labelled_classes[i]
    }

    /// Whether sample `i` has a target.
    pub(crate) fn counts(&self, i: usize) -> bool {
        match &self.targets {
            InputTargets::Labels(labels) => labels[i].is_some(),
            InputTargets::Soft(_) => true,
            InputTargets::None => false,
        }
    }

    /// Whether sample `i` has a label that is ignored.
    pub(crate) fn is_ignored(&self, i: usize) -> bool {
        matches!(self.targets, InputTargets::Labels(_)) && !self.counts(i)
    }

    /// λ, or 0 without targets.
    pub(crate) fn l2(&self) -> f64 {
        match self.targets {
            InputTargets::None => 0.0,
            InputTargets::Labels(_) | InputTargets::Soft(_) => self.objective.l2,
        }
    }

    /// The two factors of sample i's term of Ω under the mean reduction: its sample weight and its class weight. `None`
    /// if it does not count.
    pub(crate) fn weight_factors(&self, i: usize) -> Option<(f64, f64)> {
        let class_weight = self.label(i).map_or(1.0, |y| self.class_weights[y]);
        self.counts(i).then(|| (self.sample_weights[i], class_weight))
    }
}
