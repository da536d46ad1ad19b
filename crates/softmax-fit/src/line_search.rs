//! How far to go along a direction: to where the Wolfe conditions hold, the second of them also in the form of Hager and Zhang
//! (SIAM Journal on Optimization 16, 2005, section 4), which compares slopes where losses differ by rounding alone.

use crate::landscape::{Landscape, Point, entries, entries_mut};
use crate::vectors::{add_scaled, dot};
use ndarray::Array2;
use softmax::{Dtype, Element, Result, ndarray};

/// A decrease is sufficient that is this part of what the slope promises.
const DECREASE: f64 = 1e-4;
/// The slope is to fall to this part of what it was.
const CURVATURE: f64 = 0.9;
/// Each trial step costs an evaluation.
const MOST_TRIALS: usize = 30;

/// Losses closer than this, relative to them, may differ by rounding alone.
pub(crate) fn noise<T: Element>() -> f64 {
    match T::DTYPE {
        Dtype::F32 => 2.0 * f64::from(f32::EPSILON),
        Dtype::F64 => 256.0 * f64::EPSILON,
    }
}

/// A step and the slope along the direction there.
#[derive(Clone, Copy)]
struct Trial {
    step: f64,
    slope: f64,
}

/// Goes from a point along a direction on which the loss falls by `slope` per unit, `first` trying a step of that length. Leaves
/// `to` where it arrived, and says how far that is; `None` where no step lowers the loss.
///
/// ```text
/// until the conditions hold: (low, high) encloses the minimum along the direction; high may be open
///     the loss is no number: high = step, and the next step is a tenth of the way
///     the loss rose, or rises here: high = step
///     it still falls steeply: low = step
///     next step: beyond while high is open, else where the slope's secant is 0, and well inside
/// ```
pub(crate) fn search<T: Element>(
    landscape: &mut Landscape<'_, T>,
    from: &Point<T>,
    direction: &Array2<T>,
    slope: f64,
    first: f64,
    to: &mut Point<T>,
) -> Result<Option<f64>> {
    let allowance = noise::<T>() * from.loss.abs();
    let mut low = Trial { step: 0.0, slope };
    let mut low_loss = from.loss;
    let mut high: Option<Trial> = None;
    let mut step = first;
    for _ in 0..MOST_TRIALS {
        let found = try_step(landscape, from, direction, step, to)?;
        if !to.is_finite() || !found.is_finite() {
            high = Some(Trial { step, slope: f64::NAN });
            step = low.step + 0.1 * (step - low.step);
            continue;
        }
        let falls_enough = to.loss <= from.loss + DECREASE * step * slope;
        let is_flat = found >= CURVATURE * slope;
        let is_as_low = to.loss <= from.loss + allowance && found <= -CURVATURE * slope;
        if is_flat && (falls_enough || is_as_low) {
            return Ok(Some(step));
        }
        let trial = Trial { step, slope: found };
        if found < 0.0 && to.loss <= from.loss + allowance {
            let before = low;
            (low, low_loss) = (trial, to.loss);
            if high.is_none() {
                let secant = trial.step + (trial.step - before.step) * found / (before.slope - found);
                step = if secant.is_finite() { secant.clamp(2.0 * step, 10.0 * step) } else { 10.0 * step };
                continue;
            }
        } else {
            high = Some(trial);
        }
        let Some(high) = high else { continue };
        let width = high.step - low.step;
        if width <= 1e-14 * high.step {
            break;
        }
        let secant = low.step + width * -low.slope / (high.slope - low.slope);
        let middle = low.step + 0.5 * width;
        step = if high.slope > 0.0 && secant.is_finite() {
            secant.clamp(low.step + 0.1 * width, high.step - 0.1 * width)
        } else {
            middle
        };
    }
    if low.step > 0.0 && low_loss < from.loss {
        try_step(landscape, from, direction, low.step, to)?;
        return Ok(Some(low.step));
    }
    Ok(None)
}

/// Evaluates at a step, and gives the slope along the direction there.
fn try_step<T: Element>(
    landscape: &mut Landscape<'_, T>,
    from: &Point<T>,
    direction: &Array2<T>,
    step: f64,
    to: &mut Point<T>,
) -> Result<f64> {
    to.parameters.assign(&from.parameters);
    add_scaled(entries_mut(&mut to.parameters), step, entries(direction));
    landscape.evaluate(to)?;
    Ok(dot(entries(&to.gradient), entries(direction)))
}
