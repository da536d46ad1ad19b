//! Newton's method with the Hessian as a matrix of (D+1)·C rows and columns, solved by a Cholesky factor.
//!
//! With S = X·W + b and without a softcap, the Hessian of a sample's loss (6) with respect to its scores is
//! u·((A + 2ζ·lse)·(diag p − p·pᵀ) + 2ζ·p·pᵀ)/(Ω·τ²).

use crate::descent::Descent;
use crate::factor::solve;
use crate::landscape::{Landscape, Point, entries};
use crate::line_search::search;
use crate::moments::largest_scale;
use crate::probabilities::log_probabilities;
use crate::report::Stop;
use crate::vectors::dot;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use softmax::{Element, Outputs, Problem, Result, Targets, ndarray};

/// Minimises from `point`, and leaves `point` where the solver stops.
pub(crate) fn minimize<T: Element>(
    landscape: &mut Landscape<'_, T>,
    point: &mut Point<T>,
    descent: &mut Descent<'_>,
) -> Result<Stop> {
    let mut next = point.clone();
    loop {
        if let Some(stop) = descent.arrive(point, landscape.evaluations) {
            return Ok(stop);
        }
        let direction = match newton_direction(landscape, point)? {
            Some(direction) => direction,
            None => return Ok(Stop::Rounding),
        };
        let slope = dot(entries(&direction), entries(&point.gradient));
        if descent.is_minimum(-0.5 * slope) {
            return Ok(Stop::Converged);
        }
        if slope >= 0.0 || search(landscape, point, &direction, slope, 1.0, &mut next)?.is_none() {
            return Ok(Stop::Rounding);
        }
        std::mem::swap(point, &mut next);
    }
}

/// −H⁻¹·gradient, solved in coordinates in which the Hessian's diagonal is 1. `None` if the Hessian cannot be factored.
fn newton_direction<T: Element>(
    landscape: &mut Landscape<'_, T>,
    point: &Point<T>,
) -> Result<Option<Array2<T>>> {
    let mut hessian = hessian(landscape, &point.parameters)?;
    let size = hessian.nrows();
    let most = largest_scale(landscape.ground().problem);
    let scales: Vec<f64> = (0..size)
        .map(|k| {
            let scale = 1.0 / hessian[(k, k)].sqrt();
            if scale.is_normal() && scale <= most { scale } else { 0.0 }
        })
        .collect();
    for column in 0..size {
        for row in column..size {
            hessian[(row, column)] *= scales[row] * scales[column];
        }
        hessian[(column, column)] = 1.0;
    }
    let gradient = entries(&point.gradient);
    let mut step = Mat::from_fn(size, 1, |k, _| -scales[k] * gradient[k].widen());
    if solve(hessian, &mut step).is_none() {
        return Ok(None);
    }
    let step = (0..size).map(|k| scales[k] * step[(k, 0)]).collect();
    let Ok(mut step) = Array2::<f64>::from_shape_vec(point.parameters.dim(), step) else { return Ok(None) };
    // Adding one number to all classes changes no probability. Without a penalty, the Hessian does not determine that
    // number: choose a mean of 0.
    let ground = landscape.ground();
    if ground.problem.objective().z_loss == 0.0 {
        let rows = step.rows_mut().into_iter().enumerate();
        for (_, mut row) in rows.filter(|&(row, _)| ground.penalty(row) == 0.0) {
            let mean = row.mean().unwrap_or_default();
            row -= mean;
        }
    }
    Ok(Some(step.mapv(T::narrow)))
}

/// The number of samples in one matrix product.
const BLOCK: usize = 1024;

/// The Hessian, with parameters in the order of their array: by feature, then by class.
fn hessian<T: Element>(landscape: &mut Landscape<'_, T>, parameters: &Array2<T>) -> Result<Mat<f64>> {
    let (rows, classes) = parameters.dim();
    let problem = landscape.ground().problem_at(parameters)?;
    let pairs: Vec<(usize, usize)> = (0..classes).flat_map(|c| (0..=c).map(move |e| (c, e))).collect();
    let mut blocks: Vec<Mat<f64>> = pairs.iter().map(|_| Mat::zeros(rows, rows)).collect();
    let has_bias = landscape.ground().has_bias;
    for start in (0..problem.n_samples()).step_by(BLOCK) {
        let part = problem.rows(start..(start + BLOCK).min(problem.n_samples()));
        let curvatures = Curvatures::new(landscape, &part, problem.total_weight())?;
        let n = part.n_samples();
        let mut x = Mat::<f64>::zeros(n, rows);
        for i in 0..n {
            part.features().row(i).for_each(|(k, value)| x[(i, k)] = value.widen());
            if has_bias {
                x[(i, rows - 1)] = 1.0;
            }
        }
        blocks.par_iter_mut().zip(&pairs).for_each(|(block, &(c, e))| {
            let weights = curvatures.of(c, e);
            let weighted = Mat::from_fn(n, rows, |i, k| weights[i] * x[(i, k)]);
            let (x, weighted): (MatRef<'_, f64>, MatRef<'_, f64>) = (x.as_ref(), weighted.as_ref());
            matmul(block.as_mut(), Accum::Add, x.transpose(), weighted, 1.0, Par::Seq);
        });
    }
    let mut hessian = Mat::zeros(rows * classes, rows * classes);
    for (block, (c, e)) in blocks.iter().zip(pairs) {
        for j in 0..rows {
            for k in 0..rows {
                hessian[(j * classes + c, k * classes + e)] = block[(j, k)];
                hessian[(j * classes + e, k * classes + c)] = block[(j, k)];
            }
        }
    }
    let l2 = problem.objective().l2;
    for k in 0..problem.n_features() * classes {
        hessian[(k, k)] += l2;
    }
    Ok(hessian)
}

/// The factors of the Hessians of some samples' losses with respect to their scores.
struct Curvatures<T> {
    log_p: Array2<T>,
    /// u·(A + 2ζ·lse)/(Ω·τ²), and u·2ζ/(Ω·τ²).
    swing: Array1<f64>,
    bend: Array1<f64>,
}

impl<T: Element> Curvatures<T> {
    fn new(landscape: &mut Landscape<'_, T>, part: &Problem<'_, T>, total_weight: f64) -> Result<Self> {
        let backend = landscape.backend();
        let log_p = log_probabilities(backend, part)?;
        let objective = *part.objective();
        let mut lse = Array1::zeros(part.n_samples());
        if objective.z_loss != 0.0 {
            let mut outputs = Outputs { log_sum_exp: Some(lse.view_mut()), ..Outputs::default() };
            backend.evaluate(part, &mut outputs)?;
        }
        let unit = |i: usize| {
            let u = part.sample_weights().map_or(1.0, |u| u[i].widen());
            if part.counts(i) { u / (total_weight * objective.temperature.powi(2)) } else { 0.0 }
        };
        let mass = |i: usize| target_mass(part, i);
        let n = part.n_samples();
        let twice = 2.0 * objective.z_loss;
        let swing = (0..n).map(|i| unit(i) * (mass(i) + twice * lse[i].widen())).collect();
        let bend = (0..n).map(|i| unit(i) * twice).collect();
        Ok(Curvatures { log_p, swing, bend })
    }

    /// The entry of the classes `c` and `e` in each sample's Hessian (N).
    fn of(&self, c: usize, e: usize) -> Vec<f64> {
        let entry = |i: usize| {
            let (p, q) = (self.log_p[[i, c]].widen().exp(), self.log_p[[i, e]].widen().exp());
            // For p·(1 − p), 1 − p is summed over the other classes: it would cancel if p is near 1.
            let others = || -> f64 {
                let others = (0..self.log_p.ncols()).filter(|&k| k != c);
                others.map(|k| self.log_p[[i, k]].widen().exp()).sum()
            };
            let spread = if c == e { p * others() } else { -p * q };
            let entry = self.swing[i] * spread + self.bend[i] * p * q;
            // log p of an ignored sample may be NaN.
            if self.swing[i] == 0.0 && self.bend[i] == 0.0 { 0.0 } else { entry }
        };
        (0..self.log_p.nrows()).map(entry).collect()
    }
}

/// A_i: the sum of a sample's target masses.
fn target_mass<T: Element>(problem: &Problem<'_, T>, i: usize) -> f64 {
    let (classes, smoothing) = (problem.n_classes(), problem.objective().label_smoothing);
    let weight = |c: usize| problem.class_weights().map_or(1.0, |w| w[c].widen());
    let smoothed = || smoothing / classes as f64 * (0..classes).map(weight).sum::<f64>();
    let even = if smoothing == 0.0 { 0.0 } else { smoothed() };
    match problem.targets() {
        Targets::Labels(_) => problem.label(i).map_or(0.0, |y| (1.0 - smoothing) * weight(y) + even),
        Targets::Soft(soft) => {
            let hard: f64 = soft.row(i).iter().enumerate().map(|(c, y)| y.widen() * weight(c)).sum();
            (1.0 - smoothing) * hard + even
        }
        Targets::None => 0.0,
    }
}
