//! Outputs whose arrays lie in memory in some layout.

use crate::layout::{Layout, Placed, PlacedVector};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, OutputKind, OutputSet, Outputs, OwnedOutputs, Problem};

/// What lies between the entries of outputs.
const SENTINEL: f64 = -12345.0;
const NO_CLASS: usize = usize::MAX - 1;

/// How outputs lie in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLayouts {
    pub(crate) weights_gradient: Layout,
    pub(crate) features_gradient: Layout,
    pub(crate) vectors_step: isize,
}

/// Outputs in layouts. They hold NaN before a backend writes them, but for gradients that are to be accumulated.
pub(crate) struct PlacedOutputs<T> {
    matrices: [(OutputKind, Option<Placed<T>>); 2],
    vectors: [(OutputKind, Option<PlacedVector<T>>); 3],
    predicted: Option<PlacedVector<usize>>,
    accumulate: bool,
}

impl<T: Element> PlacedOutputs<T> {
    /// Those of `set`. With something `before`, dW and db hold it, and are to be added to.
    pub(crate) fn new(
        problem: &Problem<'_, T>,
        set: OutputSet,
        layouts: OutputLayouts,
        before: Option<T>,
    ) -> Self {
        use OutputKind::{BiasGradient, FeaturesGradient, LogSumExp, SampleLosses, WeightsGradient};
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
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
        let predicted = Array1::from_elem(n, usize::MAX);
        PlacedOutputs {
            matrices: [
                matrix(WeightsGradient, (d, c), layouts.weights_gradient, summed),
                matrix(FeaturesGradient, (n, d), layouts.features_gradient, nan),
            ],
            vectors: [
                vector(BiasGradient, c, summed),
                vector(SampleLosses, n, nan),
                vector(LogSumExp, n, nan),
            ],
            predicted: set
                .contains(OutputKind::Predicted)
                .then(|| PlacedVector::new(&predicted, step, NO_CLASS)),
            accumulate: before.is_some(),
        }
    }

    pub(crate) fn as_outputs(&mut self) -> Outputs<'_, T> {
        let [dw, dx] = self.matrices.each_mut().map(|(_, matrix)| matrix.as_mut().map(Placed::view_mut));
        let [db, losses, lse] =
            self.vectors.each_mut().map(|(_, vector)| vector.as_mut().map(PlacedVector::view_mut));
        Outputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses: losses,
            log_sum_exp: lse,
            predicted: self.predicted.as_mut().map(PlacedVector::view_mut),
            accumulate: self.accumulate,
        }
    }

    pub(crate) fn to_owned(&self) -> OwnedOutputs<T> {
        let [dw, dx] = self.matrices.each_ref().map(|(_, m)| m.as_ref().map(|m| m.view().to_owned()));
        let [db, losses, lse] = self.vectors.each_ref().map(|(_, v)| v.as_ref().map(|v| v.view().to_owned()));
        OwnedOutputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses: losses,
            log_sum_exp: lse,
            predicted: self.predicted.as_ref().map(|v| v.view().to_owned()),
        }
    }

    /// What was written beside the entries.
    pub(crate) fn spilt(&self) -> Vec<String> {
        let sentinel = T::narrow(SENTINEL);
        let matrices =
            self.matrices.iter().filter(|(_, m)| m.as_ref().is_some_and(|m| !m.is_intact(sentinel)));
        let vectors = self.vectors.iter().filter(|(_, v)| v.as_ref().is_some_and(|v| !v.is_intact(sentinel)));
        let mut kinds: Vec<OutputKind> = matrices.map(|&(kind, _)| kind).collect();
        kinds.extend(vectors.map(|&(kind, _)| kind));
        kinds.extend(self.predicted.iter().filter(|p| !p.is_intact(NO_CLASS)).map(|_| OutputKind::Predicted));
        kinds.iter().map(|kind| format!("something was written outside the view of {kind}")).collect()
    }
}
