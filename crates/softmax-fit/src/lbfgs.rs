//! L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.4), with a preconditioner as the initial
//! approximation of the inverse Hessian.
//!
//! It is implemented here instead of taken from a crate for three reasons. The tolerance applies to the gradient,
//! while steps are taken in the preconditioner's coordinates. Sums over the parameters are in f64 and in a fixed
//! order, even for f32. In f32 the line search must be able to stop by slopes, because losses differ by less than
//! their rounding long before the gradient is small.

use crate::descent::Descent;
use crate::landscape::{Landscape, Point, entries, entries_mut};
use crate::line_search::search;
use crate::preconditioner::Preconditioner;
use crate::report::Stop;
use crate::vectors::{add_scaled, combine, dot};
use ndarray::Array2;
use softmax::{Element, Result, ndarray};
use std::collections::VecDeque;

/// The number of pairs of a step and its change of the gradient.
const HISTORY: usize = 10;

/// The factor between the iterations at which the preconditioner is renewed.
const RENEWALS: usize = 3;

struct Pair<T> {
    step: Array2<T>,
    change: Array2<T>,
    /// 1 / (step·change).
    rho: f64,
}

/// Minimises from `point`, and leaves `point` where the solver stops.
///
/// ```text
/// until the gradient is small
///     direction = −H·gradient, by the pairs and the preconditioner
///     the line search goes along it
///     add the pair of this step, and drop the oldest of more than ten
/// ```
pub(crate) fn minimize<T: Element>(
    landscape: &mut Landscape<'_, T>,
    preconditioner: &mut Preconditioner,
    point: &mut Point<T>,
    descent: &mut Descent<'_>,
) -> Result<Stop> {
    let mut pairs: VecDeque<Pair<T>> = VecDeque::with_capacity(HISTORY);
    let mut next = point.clone();
    let mut scale = 1.0;
    let mut next_renewal = preconditioner.renewal(landscape.ground());
    let mut direction = Array2::zeros(point.parameters.dim());
    loop {
        if let Some(stop) = descent.arrive(point, landscape.evaluations) {
            return Ok(stop);
        }
        if descent.iteration() >= next_renewal {
            preconditioner.renew(landscape, &point.parameters)?;
            scale = pairs.back().map_or(1.0, |pair| scale_of(pair, preconditioner));
            next_renewal *= RENEWALS;
        }
        let step = loop {
            towards(&point.gradient, &pairs, preconditioner, scale, &mut direction);
            let slope = dot(entries(&direction), entries(&point.gradient));
            if descent.is_minimum(-0.5 * slope) {
                return Ok(Stop::Converged);
            }
            if slope < 0.0
                && let Some(step) = search(landscape, point, &direction, slope, 1.0, &mut next)?
            {
                break Some(step);
            }
            if pairs.is_empty() {
                break None;
            }
            pairs.clear();
        };
        if step.is_none() {
            return Ok(Stop::Rounding);
        }
        // Reuse the memory of the oldest pair.
        let eldest = if pairs.len() == HISTORY { pairs.pop_front() } else { None };
        let (mut step, mut change) = match eldest {
            Some(pair) => (pair.step, pair.change),
            None => (Array2::zeros(point.parameters.dim()), Array2::zeros(point.parameters.dim())),
        };
        difference(&next.parameters, &point.parameters, &mut step);
        difference(&next.gradient, &point.gradient, &mut change);
        std::mem::swap(point, &mut next);
        let rho = 1.0 / dot(entries(&step), entries(&change));
        let pair = Pair { step, change, rho };
        let its_scale = scale_of(&pair, preconditioner);
        if rho > 0.0 && rho.is_finite() && its_scale.is_normal() {
            scale = its_scale;
            pairs.push_back(pair);
        }
    }
}

/// The factor that scales the preconditioner to the curvature of a pair.
fn scale_of<T: Element>(pair: &Pair<T>, preconditioner: &Preconditioner) -> f64 {
    let mut preconditioned = widened(&pair.change);
    preconditioner.apply(&mut preconditioned);
    1.0 / (pair.rho * dot(entries(&preconditioned), entries(&pair.change)))
}

/// to = a − b.
fn difference<T: Element>(a: &Array2<T>, b: &Array2<T>, to: &mut Array2<T>) {
    to.assign(a);
    combine(entries_mut(to), entries(b), |to, b| to - b);
}

fn widened<T: Element>(array: &Array2<T>) -> Array2<f64> {
    array.mapv(Element::widen)
}

/// direction = −H·gradient, where H approximates the inverse Hessian. Computed in f64 and rounded at the end.
fn towards<T: Element>(
    gradient: &Array2<T>,
    pairs: &VecDeque<Pair<T>>,
    preconditioner: &Preconditioner,
    scale: f64,
    direction: &mut Array2<T>,
) {
    let mut q = widened(gradient);
    let mut alphas = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let alpha = pair.rho * dot(entries(&q), entries(&pair.step));
        add_scaled(entries_mut(&mut q), -alpha, entries(&pair.change));
        alphas.push(alpha);
    }
    preconditioner.apply(&mut q);
    if !pairs.is_empty() {
        q *= scale;
    }
    for (pair, alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = pair.rho * dot(entries(&q), entries(&pair.change));
        add_scaled(entries_mut(&mut q), alpha - beta, entries(&pair.step));
    }
    combine(entries_mut(direction), entries(&q), |_, q| T::narrow(-q));
}
