//! What every solver does at each of its points: it tells the caller, and asks whether to go on.

use crate::landscape::Point;
use crate::line_search::noise;
use crate::report::{Step, Stop};
use softmax::Element;
use std::ops::ControlFlow;
use std::time::Instant;

/// When a solver ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest |gradient| of a minimum.
    pub(crate) tolerance: f64,
    pub(crate) iterations: usize,
}

/// The steps of a solver by now.
pub(crate) struct Descent<'o> {
    limits: Limits,
    observer: &'o mut dyn FnMut(&Step) -> ControlFlow<()>,
    started: Instant,
    pub(crate) curve: Vec<Step>,
    /// The least loss and gradient, and for how many steps neither fell.
    least: (f64, f64),
    idle: usize,
}

/// The decrease that may be left, relative to the loss, for a tolerance of 1.
const DECREASE: f64 = 1e-3;
/// Relative to the first loss: of separable data the loss falls for ever, and always by a good part of itself.
const SMALL_LOSS: f64 = 1e-2;

/// Steps without a lower loss or gradient after which rounding has the last word.
const MOST_IDLE: usize = 20;

impl<'o> Descent<'o> {
    pub(crate) fn new(limits: Limits, observer: &'o mut dyn FnMut(&Step) -> ControlFlow<()>) -> Self {
        let (started, curve) = (Instant::now(), Vec::new());
        Descent { limits, observer, started, curve, least: (f64::INFINITY, f64::INFINITY), idle: 0 }
    }

    /// Adds a point, the first being where the solver starts; gives the reason if the solver is to stop there, converged or not.
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

    /// Whether the observer, which sees the last step once more, asks for an end.
    pub(crate) fn is_interrupted(&mut self) -> bool {
        self.curve.last().is_some_and(|step| (self.observer)(step).is_break())
    }

    /// Of the last point.
    pub(crate) fn iteration(&self) -> usize {
        self.curve.len().saturating_sub(1)
    }

    /// Whether the last point is a minimum: its gradient is within the tolerance, and by a solver's own quadratic model, whose
    /// minimum is lower by `decrease`, there is next to nothing left to gain.
    ///
    /// The gradient alone would not do: along a feature of small numbers it is small long before the loss is.
    pub(crate) fn is_minimum(&self, decrease: f64) -> bool {
        let (Some(first), Some(last)) = (self.curve.first(), self.curve.last()) else { return false };
        let size = last.loss.abs().max(SMALL_LOSS * first.loss.abs());
        last.gradient_max <= self.limits.tolerance && decrease <= DECREASE * self.limits.tolerance * size
    }
}
