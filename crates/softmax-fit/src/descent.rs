//! The loop control that all solvers share: records each step, reports it to the observer, and decides when to stop.

use crate::landscape::Point;
use crate::line_search::noise;
use crate::report::{Step, Stop};
use softmax::Element;
use std::ops::ControlFlow;
use std::time::Instant;

/// The limits at which a solver stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest |entry| of the gradient at a minimum.
    pub(crate) tolerance: f64,
    pub(crate) iterations: usize,
}

/// The progress of a solver.
pub(crate) struct Descent<'o> {
    limits: Limits,
    observer: &'o mut dyn FnMut(&Step) -> ControlFlow<()>,
    started: Instant,
    pub(crate) curve: Vec<Step>,
    /// The smallest loss and gradient so far, and the number of steps since one of them fell.
    least: (f64, f64),
    idle: usize,
}

/// The predicted decrease that may remain at a minimum, as a fraction of the loss, per unit of the tolerance.
const DECREASE: f64 = 1e-3;
/// The smallest loss to which decreases are compared, as a fraction of the first loss: on separable data the loss
/// falls forever, each time by a large fraction of itself.
const SMALL_LOSS: f64 = 1e-2;

/// After more steps than this without a lower loss or gradient, the solver stops with [`Stop::Rounding`].
const MOST_IDLE: usize = 20;

impl<'o> Descent<'o> {
    pub(crate) fn new(limits: Limits, observer: &'o mut dyn FnMut(&Step) -> ControlFlow<()>) -> Self {
        let (started, curve) = (Instant::now(), Vec::new());
        Descent { limits, observer, started, curve, least: (f64::INFINITY, f64::INFINITY), idle: 0 }
    }

    /// Records a point; the first one is the solver's start. Returns the reason if the solver must stop there.
    pub(crate) fn arrive<T: Element>(&mut self, point: &Point<T>, evaluations: usize) -> Option<Stop> {
        let gradient_max = point.gradient_max();
        let step = Step {
            iteration: self.curve.len(),
            evaluations,
            loss: point.loss,
            gradient_max,
            seconds: self.started.elapsed().as_secs_f64(),
        };
        self.curve.push(step);
        if (self.observer)(&step).is_break() {
            return Some(Stop::Interrupted);
        }
        let (loss, gradient) = self.least;
        let falls = !loss.is_finite() || point.loss < loss - noise::<T>() * loss.abs();
        self.idle = if falls || gradient_max < 0.9 * gradient { 0 } else { self.idle + 1 };
        self.least = (loss.min(point.loss), gradient.min(gradient_max));
        if gradient_max == 0.0 {
            Some(Stop::Converged)
        } else if step.iteration >= self.limits.iterations {
            Some(Stop::Iterations)
        } else if self.idle > MOST_IDLE {
            Some(Stop::Rounding)
        } else {
            None
        }
    }

    /// Shows the last step to the observer again. Returns whether the observer stops the solver.
    pub(crate) fn is_interrupted(&mut self) -> bool {
        self.curve.last().is_some_and(|step| (self.observer)(step).is_break())
    }

    /// The iteration of the last point.
    pub(crate) fn iteration(&self) -> usize {
        self.curve.len().saturating_sub(1)
    }

    /// Whether the last point is a minimum: its gradient is within the tolerance, and `decrease`, the decrease of the
    /// loss that the solver's quadratic model predicts, is negligible.
    ///
    /// The gradient alone is not enough: along a feature with small values it is small long before the loss is at its
    /// minimum.
    pub(crate) fn is_minimum(&self, decrease: f64) -> bool {
        let (Some(first), Some(last)) = (self.curve.first(), self.curve.last()) else { return false };
        let size = last.loss.abs().max(SMALL_LOSS * first.loss.abs());
        last.gradient_max <= self.limits.tolerance && decrease <= DECREASE * self.limits.tolerance * size
    }
}
