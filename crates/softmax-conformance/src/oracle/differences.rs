//! Gradients as finite differences of the oracle's loss, without a formula of any derivative.

use super::evaluate::Oracle;
use super::inputs::Inputs;
use super::real::{DoubleDouble, Precision, Real};
use super::upstream::Coefficients;
use ndarray::ArrayView1;
use softmax_core::{Dtype, Element, OutputKind, Problem, ndarray};

/// One entry of a gradient as a central difference of the double-double loss, accurate to about 12 digits of the
/// gradient's largest entries. `None` for an output that is not a gradient.
pub fn central_difference<T: Element>(
    problem: &Problem<'_, T>,
    gradient: OutputKind,
    index: &[usize],
) -> Option<f64> {
    difference_along(problem, gradient, index, |moved| {
        Oracle::<DoubleDouble>::new(moved, &Coefficients::default(), Dtype::F64, false).loss()
    })
}

/// A central difference of any function of the inputs, along one entry of X, W or b. `None` for an output that is not a
/// gradient.
pub(super) fn difference_along<T: Element>(
    problem: &Problem<'_, T>,
    gradient: OutputKind,
    index: &[usize],
    function: impl Fn(&Inputs) -> DoubleDouble,
) -> Option<f64> {
    // The loss has 31 digits, so the rounding error (1e-31/h) is far below 1e-12. So is the truncation error,
    // (h·size)²/6: the step of the scores is at most 2⁻²⁶, since the moved entry is multiplied by entries of up to
    // `size`.
    const H: f64 = 1.0 / (1u64 << 26) as f64;
    debug_assert_eq!(DoubleDouble::PRECISION, Precision::DoubleDouble);
    let inputs = Inputs::new(problem);
    let largest = |entries: ArrayView1<'_, f64>| entries.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
    let (entry, size) = match (gradient, index) {
        (OutputKind::WeightsGradient, &[k, c]) => {
            (inputs.weights[[k, c]], largest(inputs.features.column(k)))
        }
        (OutputKind::FeaturesGradient, &[i, k]) => (inputs.features[[i, k]], largest(inputs.weights.row(k))),
        (OutputKind::BiasGradient, &[c]) => (inputs.bias[c], 1.0),
        _ => return None,
    };
    // Lower limit of the step relative to the entry, so that it changes an f64.
    const LEAST: f64 = 1.0 / (1u64 << 48) as f64;
    let step = (H / size.min(f64::MAX).log2().ceil().exp2()).max(LEAST * entry.abs());
    let at = |step: f64| {
        let mut moved = inputs.clone();
        match (gradient, index) {
            (OutputKind::WeightsGradient, &[k, c]) => moved.weights[[k, c]] += step,
            (OutputKind::FeaturesGradient, &[i, k]) => moved.features[[i, k]] += step,
            (OutputKind::BiasGradient, &[c]) => moved.bias[c] += step,
            _ => return None,
        }
        let moved_by = match (gradient, index) {
            (OutputKind::WeightsGradient, &[k, c]) => moved.weights[[k, c]] - inputs.weights[[k, c]],
            (OutputKind::FeaturesGradient, &[i, k]) => moved.features[[i, k]] - inputs.features[[i, k]],
            (_, index) => moved.bias[index[0]] - inputs.bias[index[0]],
        };
        Some((function(&moved), moved_by))
    };
    let ((after, up), (before, down)) = (at(step)?, at(-step)?);
    Some((after - before).value() / (up - down))
}
