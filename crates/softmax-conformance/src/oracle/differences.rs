//! Gradients as finite differences of the oracle's loss, without a formula of any derivative.

use super::evaluate::Oracle;
use super::inputs::Inputs;
use super::real::{DoubleDouble, Precision, Real};
use super::upstream::Coefficients;
use ndarray::ArrayView1;
use softmax_core::{Dtype, Element, OutputKind, Problem, ndarray};

/// A derivative as a central difference.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The difference of two losses over the step between them.
    pub value: f64,
    /// The rounding error of the losses over the step. `value` says nothing about a derivative that is smaller.
    pub resolution: f64,
}

/// One entry of a gradient as a central difference of the double-double loss, accurate to about 12 digits of the
/// largest entries with the same [unit](gradient_units). `None` for an output that is not a gradient, and for a bias of −∞.
pub fn central_difference<T: Element>(
    problem: &Problem<'_, T>,
    gradient: OutputKind,
    index: &[usize],
) -> Option<Difference> {
    difference_along(problem, gradient, index, |moved| {
        Oracle::<DoubleDouble>::new(moved, &Coefficients::default(), Dtype::F64, false).loss()
    })
}

/// The largest factors of a gradient's entries, one for each row of dW or column of dX: the largest |X_ik| over the
/// samples or |W_kc| over the classes. Entries of different features can be compared as multiples of these. 1 for every
/// entry of db; empty for an output that is not a gradient.
pub fn gradient_units<T: Element>(problem: &Problem<'_, T>, gradient: OutputKind) -> Vec<f64> {
    let inputs = Inputs::new(problem);
    let features = 0..problem.n_features();
    match gradient {
        OutputKind::WeightsGradient => features.map(|k| largest(inputs.features.column(k))).collect(),
        OutputKind::FeaturesGradient => features.map(|k| largest(inputs.weights.row(k))).collect(),
        OutputKind::BiasGradient => vec![1.0; problem.n_classes()],
        _ => Vec::new(),
    }
}

fn largest(entries: ArrayView1<'_, f64>) -> f64 {
    entries.iter().fold(0.0, |max: f64, x| max.max(x.abs()))
}

/// A central difference of any function of the inputs, along one entry of X, W or b. `None` for an output that is not a
/// gradient.
pub(super) fn difference_along<T: Element>(
    problem: &Problem<'_, T>,
    gradient: OutputKind,
    index: &[usize],
    function: impl Fn(&Inputs) -> DoubleDouble,
) -> Option<Difference> {
    // The loss has 31 digits, so the rounding error (1e-31/h) is far below 1e-12. So is the truncation error,
    // (h·size)²/6: the step of the scores is at most 2⁻²⁶, since the moved entry is multiplied by entries of up to
    // `size`. The step itself is at most 1, so that the L2 penalty does not outgrow the loss.
    const H: f64 = 1.0 / (1u64 << 26) as f64;
    // Relative to the loss: ten times its last digit, since it is a sum.
    const ROUNDING: f64 = 1e-30;
    debug_assert_eq!(DoubleDouble::PRECISION, Precision::DoubleDouble);
    let inputs = Inputs::new(problem);
    let (entry, size) = match (gradient, index) {
        (OutputKind::WeightsGradient, &[k, c]) => {
            (inputs.weights[[k, c]], largest(inputs.features.column(k)))
        }
        (OutputKind::FeaturesGradient, &[i, k]) => (inputs.features[[i, k]], largest(inputs.weights.row(k))),
        (OutputKind::BiasGradient, &[c]) => (inputs.bias[c], 1.0),
        _ => return None,
    };
    if !entry.is_finite() {
        return None;
    }
    // Lower limit of the step relative to the entry, so that it changes an f64.
    const LEAST: f64 = 1.0 / (1u64 << 48) as f64;
    let step = (H / size.clamp(H, f64::MAX).log2().ceil().exp2()).max(LEAST * entry.abs());
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
    let (difference, moved_by) = ((after - before).value(), up - down);
    let resolution = ROUNDING * after.value().abs().max(before.value().abs()) / moved_by;
    Some(Difference { value: difference / moved_by, resolution })
}
