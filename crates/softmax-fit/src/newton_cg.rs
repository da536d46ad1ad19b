//! Newton's method with steps by preconditioned conjugate gradients (Nocedal and Wright, Numerical Optimization,
//! algorithm 7.1). It needs products with the Hessian, but not the matrix.

use crate::descent::Descent;
use crate::landscape::{Landscape, Point, entries, entries_mut};
use crate::line_search::search;
use crate::preconditioner::Preconditioner;
use crate::report::Stop;
use crate::vectors::{add_scaled, combine, dot};
use ndarray::Array2;
use softmax::{Element, Result, ndarray};

/// The most products with the Hessian in a step.
const MOST_PRODUCTS: usize = 200;

/// Minimises from `point`, and leaves `point` where the solver stops.
///
/// ```text
/// until the gradient is small
///     direction = about −H⁻¹·gradient, the more exactly the smaller the gradient is
///     search along it, and try step 1 first
/// ```
pub(crate) fn minimize<T: Element>(
    landscape: &mut Landscape<'_, T>,
    preconditioner: &mut Preconditioner,
    point: &mut Point<T>,
    descent: &mut Descent<'_>,
) -> Result<Stop> {
    let mut next = point.clone();
    let renewal = preconditioner.renewal(landscape.ground());
    let mut first_size = None;
    loop {
        if let Some(stop) = descent.arrive(point, landscape.evaluations) {
            return Ok(stop);
        }
        let before = landscape.evaluations;
        let Some(direction) = newton_direction(landscape, preconditioner, point, &mut first_size, descent)?
        else {
            return Ok(Stop::Interrupted);
        };
        let slope = dot(entries(&direction), entries(&point.gradient));
        if descent.is_minimum(-0.5 * slope) {
            return Ok(Stop::Converged);
        }
        if slope >= 0.0 || search(landscape, point, &direction, slope, 1.0, &mut next)?.is_none() {
            return Ok(Stop::Rounding);
        }
        std::mem::swap(point, &mut next);
        if landscape.evaluations - before > renewal {
            preconditioner.renew(landscape, &point.parameters)?;
        }
    }
}

/// An approximation of −H⁻¹·gradient; `None` after an interruption.
fn newton_direction<T: Element>(
    landscape: &mut Landscape<'_, T>,
    preconditioner: &Preconditioner,
    point: &Point<T>,
    first_size: &mut Option<f64>,
    descent: &mut Descent<'_>,
) -> Result<Option<Array2<T>>> {
    let ground = landscape.ground();
    let preconditioned = |residual: &Array2<f64>| {
        let mut z = residual.clone();
        preconditioner.apply(&mut z);
        // The loss has no curvature along shifts, so rounding alone would determine the length of a step.
        ground.remove_shifts(&mut z);
        z
    };
    let mut residual = point.gradient.mapv(|g| -g.widen());
    let mut z = preconditioned(&residual);
    let mut size = dot(entries(&residual), entries(&z));
    let first = *first_size.get_or_insert(size);
    // The relative tolerance falls with the gradient, which gives superlinear convergence.
    let enough = size * (size / first).sqrt().clamp(1e-4, 0.25).powi(2);
    let mut step = Array2::<f64>::zeros(residual.dim());
    let mut conjugate = z.clone();
    let mut direction = Array2::<T>::zeros(residual.dim());
    let mut product = Array2::<T>::zeros(residual.dim());
    for products in 0..MOST_PRODUCTS {
        if descent.is_interrupted() {
            return Ok(None);
        }
        combine(entries_mut(&mut direction), entries(&conjugate), |_, p| T::narrow(p));
        landscape.hessian_product(&point.parameters, &direction, &mut product)?;
        let curvature = dot(entries(&conjugate), entries(&product));
        if !(curvature > 0.0 && curvature.is_finite()) {
            // The curvature is not positive, because of rounding or because the loss is not convex.
            if products == 0 {
                step = conjugate;
            }
            break;
        }
        let length = size / curvature;
        add_scaled(entries_mut(&mut step), length, entries(&conjugate));
        add_scaled(entries_mut(&mut residual), -length, entries(&product));
        z = preconditioned(&residual);
        let next = dot(entries(&residual), entries(&z));
        if next.is_nan() || next <= enough {
            break;
        }
        let ratio = next / size;
        size = next;
        combine(entries_mut(&mut conjugate), entries(&z), |p, z| z + ratio * p);
    }
    combine(entries_mut(&mut direction), entries(&step), |_, s| T::narrow(s));
    Ok(Some(direction))
}
