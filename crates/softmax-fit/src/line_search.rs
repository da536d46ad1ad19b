//! A line search for the Wolfe conditions. The condition of sufficient decrease is also accepted in the approximate
//! form of Hager and Zhang (SIAM Journal on Optimization 16, 2005, section 4), which compares slopes when losses
//! differ by rounding alone.

use crate::landscape::{Landscape, Point, entries, entries_mut};
use crate::vectors::{add_scaled, dot};
use ndarray::Array2;
use softmax::{Dtype, Element, Result, ndarray};

/// A decrease is sufficient if it is at least this fraction of the decrease that the initial slope predicts.
const DECREASE: f64 = 1e-4;
/// The slope must shrink to at most this fraction of the initial slope.
const CURVATURE: f64 = 0.9;
/// The most trial steps. Each costs an evaluation.
const MOST_TRIALS: usize = 30;

/// The relative difference below which losses may differ by rounding alone.
pub(crate) fn noise<T: Element>() -> f64 {
    match T::DTYPE {
        Dtype::F32 => 2.0 * f64::from(f32::EPSILON),
        Dtype::F64 => 256.0 * f64::EPSILON,
    }
}

/// A step length, with the loss and the slope along the direction at that step.
#[derive(Clone, Copy)]
struct Trial {
    step: f64,
    loss: f64,
    slope: f64,
}

impl Trial {
    /// The step that minimises the cubic through both losses and slopes (Nocedal and Wright, formula 3.59). If the
    /// losses differ by at most `noise`, or the cubic has no minimum, the step where the secant through the slopes is
    /// 0.
    fn between(self, high: Trial, noise: f64) -> f64 {
        let width = high.step - self.step;
        let mean = self.slope + high.slope - 3.0 * (high.loss - self.loss) / width;
        let root = (mean * mean - self.slope * high.slope).sqrt();
        let cubic = high.step - width * (high.slope + root - mean) / (high.slope - self.slope + 2.0 * root);
        if (high.loss - self.loss).abs() > noise && cubic.is_finite() {
            cubic
        } else {
            self.step + width * -self.slope / (high.slope - self.slope)
        }
    }
}

/// Searches from a point along a direction. `slope` is the derivative of the loss along the direction at step 0,
/// which is negative, and `first` is the first step that is tried. Leaves the accepted point in `to` and returns its
/// step; `None` if no step lowers the loss.
///
/// ```text
/// until the conditions hold: (low, high) encloses the minimum along the direction; high may be open
///     the loss is not finite: high = step, and the next step is a tenth of the way
///     the loss rose, or rises here: high = step
///     it still falls steeply: low = step
///     next step: beyond while high is open, else where the cubic between them is least, and well inside
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
    let mut low = Trial { step: 0.0, loss: from.loss, slope };
    let mut high: Option<Trial> = None;
    let mut step = first;
    for _ in 0..MOST_TRIALS {
        let found = try_step(landscape, from, direction, step, to)?;
        if !to.is_finite() || !found.is_finite() {
            high = Some(Trial { step, loss: f64::NAN, slope: f64::NAN });
            step = low.step + 0.1 * (step - low.step);
            continue;
        }
        let falls_enough = to.loss <= from.loss + DECREASE * step * slope;
        let is_flat = found >= CURVATURE * slope;
        let is_as_low = to.loss <= from.loss + allowance && found <= -CURVATURE * slope;
        if is_flat && (falls_enough || is_as_low) {
            return Ok(Some(step));
        }
        let trial = Trial { step, loss: to.loss, slope: found };
        if found < 0.0 && to.loss <= from.loss + allowance {
            let before = low;
            low = trial;
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
        let inside = low.between(high, 100.0 * allowance);
        step = if high.slope > 0.0 && inside.is_finite() {
            inside.clamp(low.step + 0.1 * width, high.step - 0.1 * width)
        } else {
            low.step + 0.5 * width
        };
    }
    if low.step > 0.0 && low.loss < from.loss {
        try_step(landscape, from, direction, low.step, to)?;
        return Ok(Some(low.step));
    }
    Ok(None)
}

/// Evaluates loss and gradient at a step, and returns the slope along the direction there.
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
