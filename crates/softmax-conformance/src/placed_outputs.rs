//! Outputs whose arrays have given memory layouts.

use crate::layout::{Layout, Placed, PlacedVector};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, OutputKind, OutputSet, Outputs, OwnedOutputs, Problem};

/// Sentinels between the entries of an array, for real numbers and for classes. A backend must not change them.
const SENTINEL: f64 = -12345.0;
const NO_CLASS: usize = usize::MAX - 1;

/// Memory layouts of outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLayouts {
    pub(crate) weights_gradient: Layout,
    /// Layout of dX and of the N×K outputs of the best classes.
    pub(crate) features_gradient: Layout,
    pub(crate) vectors_step: isize,
}

/// Outputs in given layouts. Before a backend writes them, they hold a value that is no valid answer, such as NaN;
/// gradients to be accumulated hold their previous contents.
pub(crate) struct PlacedOutputs<T> {
    /// dW, dX, and log p of the best classes.
    matrices: [(OutputKind, Option<Placed<T>>); 3],
    /// db, losses, lse, entropies, and log p of the labels.
    vectors: [(OutputKind, Option<PlacedVector<T>>); 5],
    /// Predicted classes and ranks.
    counts: [(OutputKind, Option<PlacedVector<usize>>); 2],
    top_classes: Option<Placed<usize>>,
    accumulate: bool,
}

impl<T: Element> PlacedOutputs<T> {
    /// The outputs in `set`. With `before`, dW and db are filled with it and accumulated.
    pub(crate) fn new(
        problem: &Problem<'_, T>,
        set: OutputSet,
        layouts: OutputLayouts,
        before: Option<T>,
    ) -> Self {
        use OutputKind::{BiasGradient, FeaturesGradient, LabelRank, LogSumExp, Predicted, SampleLosses};
        use OutputKind::{Entropy, LabelLogProb, TopClasses, TopLogProb, WeightsGradient};
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let top = OwnedOutputs::<T>::TOP.min(c);
        let sentinel = T::narrow(SENTINEL);
        let nan = T::nan();
        let summed = before.unwrap_or(nan);
        let step = layouts.vectors_step;
        let matrix = |kind, shape, layout, value| {
            let array = Array2::from_elem(shape, value);
            (kind, set.contains(kind).then(|| Placed::new(&array, layout, sentinel)))
        };
        let vector = |kind, length, value| {
            let array = Array1::from_elem(length, value);
            (kind, set.contains(kind).then(|| PlacedVector::new(&array, step, sentinel)))
        };
        let count = |kind| {
            let array = Array1::from_elem(n, usize::MAX);
            (kind, set.contains(kind).then(|| PlacedVector::new(&array, step, NO_CLASS)))
        };
        let classes = Array2::from_elem((n, top), usize::MAX);
        PlacedOutputs {
            matrices: [
                matrix(WeightsGradient, (d, c), layouts.weights_gradient, summed),
                matrix(FeaturesGradient, (n, d), layouts.features_gradient, nan),
                matrix(TopLogProb, (n, top), layouts.features_gradient, nan),
            ],
            vectors: [
                vector(BiasGradient, c, summed),
                vector(SampleLosses, n, nan),
                vector(LogSumExp, n, nan),
                vector(Entropy, n, nan),
                // Not NaN, which is a valid answer here.
                vector(LabelLogProb, n, T::one()),
            ],
            counts: [count(Predicted), count(LabelRank)],
            top_classes: set
                .contains(TopClasses)
                .then(|| Placed::new(&classes, layouts.features_gradient, NO_CLASS)),
            accumulate: before.is_some(),
        }
    }

    pub(crate) fn as_outputs(&mut self) -> Outputs<'_, T> {
        let [dw, dx, top] = self.matrices.each_mut().map(|(_, m)| m.as_mut().map(Placed::view_mut));
        let [db, losses, lse, entropy, log_prob] =
            self.vectors.each_mut().map(|(_, v)| v.as_mut().map(PlacedVector::view_mut));
        let [predicted, rank] = self.counts.each_mut().map(|(_, v)| v.as_mut().map(PlacedVector::view_mut));
        Outputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses: losses,
            log_sum_exp: lse,
            predicted,
            entropy,
            label_log_prob: log_prob,
            label_rank: rank,
            top_classes: self.top_classes.as_mut().map(Placed::view_mut),
            top_log_prob: top,
            accumulate: self.accumulate,
        }
    }

    pub(crate) fn to_owned(&self) -> OwnedOutputs<T> {
        let [dw, dx, top] = self.matrices.each_ref().map(|(_, m)| m.as_ref().map(|m| m.view().to_owned()));
        let [db, losses, lse, entropy, log_prob] =
            self.vectors.each_ref().map(|(_, v)| v.as_ref().map(|v| v.view().to_owned()));
        let [predicted, rank] = self.counts.each_ref().map(|(_, v)| v.as_ref().map(|v| v.view().to_owned()));
        OwnedOutputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses: losses,
            log_sum_exp: lse,
            predicted,
            entropy,
            label_log_prob: log_prob,
            label_rank: rank,
            top_classes: self.top_classes.as_ref().map(|m| m.view().to_owned()),
            top_log_prob: top,
        }
    }

    /// One message for each output around which a sentinel was overwritten.
    pub(crate) fn spilt(&self) -> Vec<String> {
        let sentinel = T::narrow(SENTINEL);
        let matrices =
            self.matrices.iter().filter(|(_, m)| m.as_ref().is_some_and(|m| !m.is_intact(sentinel)));
        let vectors = self.vectors.iter().filter(|(_, v)| v.as_ref().is_some_and(|v| !v.is_intact(sentinel)));
        let counts = self.counts.iter().filter(|(_, v)| v.as_ref().is_some_and(|v| !v.is_intact(NO_CLASS)));
        let mut kinds: Vec<OutputKind> = matrices.map(|&(kind, _)| kind).collect();
        kinds.extend(vectors.map(|&(kind, _)| kind));
        kinds.extend(counts.map(|&(kind, _)| kind));
        let top = self.top_classes.iter().filter(|top| !top.is_intact(NO_CLASS));
        kinds.extend(top.map(|_| OutputKind::TopClasses));
        kinds.iter().map(|kind| format!("something was written outside the view of {kind}")).collect()
    }
}
