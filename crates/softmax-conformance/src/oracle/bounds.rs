//! Error bounds of a correct backend: a first-order rounding analysis of formulas (1) to (9), evaluated on the given
//! problem.
//!
//! With u the unit roundoff of the element type, a sum of n terms t computed in any order is off by at most n·u·Σ|t|,
//! and every elementary operation or function by a few u. The derivatives of the formula carry these errors to the
//! outputs. So the bounds grow with D (through the scores) and C (through the sum of exponentials), and shrink to a few
//! u if the problem is easy. They admit plain recursive summation over features and classes in the element type;
//! pairwise or wider sums stay far below them. They do not admit it over samples: there may be millions of terms, and a
//! plain f32 sum of them loses all digits. Sums over samples must be sums of blocks of some hundred terms.
//!
//! The bounds also include the further promises of the contract: with hard labels and no smoothing there is no
//! cancellation at the target, Ω and the loss are summed in f64 (no term grows with N), and each row is shifted by its
//! own maximum (no row's bound depends on the scores of another).

use super::inputs::{InputTargets, Inputs};
use super::real::Real;
use super::row::Row;
use super::upstream::Coefficients;
use softmax_core::Dtype;

/// Rounding errors of one elementary operation or library function in units of u, with a margin.
const FEW: f64 = 8.0;

/// Ω as a divisor.
#[derive(Clone, Copy)]
pub(crate) struct TotalWeight {
    /// |Ω|.
    pub(crate) size: f64,
    /// The relative error of Ω, summed in f64. It is more than a few u if weights of both signs cancel.
    pub(crate) relative_error: f64,
}

/// The error bounds of one sample's results.
pub(crate) struct RowBounds {
    pub(crate) scores: Vec<f64>,
    pub(crate) lse: f64,
    pub(crate) loss: f64,
    /// For each G_ic.
    pub(crate) gradient: Vec<f64>,
}

impl RowBounds {
    /// Bounds for `row`, the results of sample `i`. `magnitudes` holds Σ_d |x_id·w_dc| + |b_c| for each class.
    pub(crate) fn new<R: Real>(
        inputs: &Inputs,
        i: usize,
        row: &Row<R>,
        magnitudes: &[f64],
        total_weight: TotalWeight,
        coefficients: &Coefficients,
        dtype: Dtype,
    ) -> Self {
        let (u, tiny) = (dtype.unit_roundoff(), dtype.min_positive());
        let (_, features, classes) = inputs.dim();
        let objective = &inputs.objective;
        let tau = objective.temperature;
        let scores: Vec<f64> = row.scores.iter().map(|s| s.value()).collect();
        let max = scores[row.best];
        // A masked class has a score of exactly −∞, an infinite distance, and p = 0.
        let distance = |c: usize| max - scores[c];
        let p: Vec<f64> = row.probabilities.iter().map(|p| p.value()).collect();

        // (1): D products, each of which may underflow, their sum, the bias and 1/τ. (2): the softcap multiplies the
        // error by its slope and adds its own.
        let raw_errors = magnitudes.iter().map(|m| (features as f64 + 4.0) * (u * m + tiny) / tau);
        let score_errors: Vec<f64> = match objective.softcap {
            None => raw_errors.collect(),
            Some(_) => raw_errors
                .zip(&row.slopes)
                .zip(magnitudes)
                .zip(&scores)
                .map(|(((e, slope), m), s)| slope.value() * tau * (e + 2.0 * u * m / tau) + FEW * u * s.abs())
                .collect(),
        };

        // Means, weighted by p, of each class's own error and of the rounding of its distance from the maximum.
        let weighted = |f: &dyn Fn(usize) -> f64| -> f64 {
            (0..classes).filter(|&c| p[c] > 0.0).map(|c| p[c] * f(c)).sum()
        };
        let mean_score_error = weighted(&|c| score_errors[c]);
        let mean_shift_error = weighted(&|c| u * distance(c));
        let others = others_of(&p, row.best);
        let sum_error = (classes as f64 + FEW) * u;

        // (4)
        let log_rest = row.rest.ln_1p().value();
        let lse_value = row.lse.value();
        let lse = mean_score_error
            + mean_shift_error
            + sum_error * others
            + FEW * u * log_rest
            + 2.0 * u * max.abs()
            + classes as f64 * tiny;

        // (5): a relative error, except for underflow.
        let shared = mean_score_error + mean_shift_error + u * lse_value.abs() + sum_error;
        let p_error = |c: usize| {
            let own =
                if p[c] > 0.0 { (1.0 - p[c]).max(0.0) * score_errors[c] + u * distance(c) } else { 0.0 };
            p[c] * (own + shared) + tiny
        };
        let p_errors: Vec<f64> = (0..classes).map(p_error).collect();

        let mut bounds = RowBounds { scores: score_errors, lse, loss: 0.0, gradient: Vec::new() };
        // A backend may find another maximum if two scores are closer than their errors.
        let e = &bounds.scores;
        let max_error = (0..classes)
            .filter(|&c| scores[c] > f64::NEG_INFINITY)
            .map(|c| if c == row.best { e[c] } else { e[c] - distance(c) })
            .fold(0.0, f64::max);

        // The part of (11) from entropy and lse.
        let of = coefficients.of(inputs, i, total_weight.size);
        let (of_entropy, of_lse) = (of.entropy.abs(), of.log_sum_exp.abs());
        let distance_error = |c: usize| e[c] + max_error + u * distance(c);
        let mean_distance = row.mean_distance.value();
        let mean_error = weighted(&|c| distance_error(c))
            + (0..classes).filter(|&c| p[c] > 0.0).map(|c| p_errors[c] * distance(c)).sum::<f64>()
            + sum_error * mean_distance;
        let beyond_loss = |c: usize| {
            if p[c] == 0.0 {
                // The absolute error of an exponential below the smallest normal number is multiplied by its distance.
                return (of_lse + of_entropy * (1000.0 + mean_distance)) * tiny;
            }
            let size = distance(c) + mean_distance;
            let off = (distance(c) - mean_distance).abs();
            // Admits log p + H computed as it stands, where log(1 + rest) occurs twice.
            let rounding = FEW * u * p[c] * (of_lse + of_entropy * (size + log_rest));
            let of_errors = p_errors[c] * (of_lse + of_entropy * off);
            of_errors + of_entropy * p[c] * (distance_error(c) + mean_error) + rounding
        };
        if !inputs.counts(i) {
            if !row.gradient.is_empty() {
                bounds.gradient = (0..classes)
                    .map(|c| {
                        let slope = row.slopes[c].value();
                        let slope_error = slope_error(objective.softcap, slope, tau, scores[c], e[c], u);
                        let size =
                            p[c] * (of_lse + of_entropy * (mean_distance + distance_or_0(p[c], distance(c))));
                        beyond_loss(c) * slope
                            + size * slope_error
                            + FEW * u * row.gradient[c].value().abs()
                            + tiny
                    })
                    .collect();
            }
            return bounds;
        }

        // Absolute values: class and sample weights may be negative.
        let mass: Vec<f64> = row.mass.iter().map(|a| a.value().abs()).collect();
        let total_mass: f64 = mass.iter().sum();
        let sample_weight = inputs.sample_weights[i].abs();
        let hard = matches!(inputs.targets, InputTargets::Labels(_)) && objective.label_smoothing == 0.0;

        // (6)
        let best_error = (0..classes)
            .filter(|&c| c != row.best && scores[c] > f64::NEG_INFINITY)
            .map(|c| e[c] + e[row.best] - distance(c))
            .fold(0.0, f64::max);
        let rest_error: f64 = (0..classes)
            .filter(|&c| c != row.best && p[c] > 0.0)
            .map(|c| p[c] * (e[c] + max_error + u * distance(c) + sum_error))
            .sum();
        let mut loss = total_mass * (rest_error + FEW * u * log_rest + classes as f64 * tiny);
        let terms = if hard { FEW } else { classes as f64 + FEW };
        for c in (0..classes).filter(|&c| mass[c] != 0.0) {
            let error = if c == row.best { best_error } else { e[c] + max_error };
            loss += mass[c] * (error + terms * u * distance(c));
        }
        if !hard {
            // Admits formula (6) computed as it stands, A·lse − Σ a·s, with its cancellation.
            let sizes: f64 =
                (0..classes).filter(|&c| mass[c] != 0.0).map(|c| mass[c] * scores[c].abs()).sum();
            loss += terms * u * (total_mass * lse_value.abs() + sizes);
        }
        if objective.z_loss != 0.0 {
            let z = objective.z_loss;
            loss += 2.0 * z * lse_value.abs() * lse + FEW * u * z * lse_value * lse_value;
        }
        bounds.loss = sample_weight * loss + FEW * u * row.loss.value().abs() + tiny;

        // (8)
        let scale =
            if coefficients.losses.is_some() { of.loss.abs() } else { sample_weight / total_weight.size };
        let z_slope = 2.0 * objective.z_loss * lse_value;
        let z_slope_error = 2.0 * objective.z_loss * lse;
        let swing = total_mass + z_slope.abs();
        bounds.gradient = (0..classes)
            .map(|c| {
                let own = swing * p_errors[c] + p[c] * z_slope_error;
                let error = if hard && mass[c] != 0.0 {
                    let rest = others_of(&p, c);
                    total_mass * (others_of(&p_errors, c) + sum_error * rest + classes as f64 * tiny)
                        + z_slope.abs() * p_errors[c]
                        + p[c] * z_slope_error
                        + FEW * u * (total_mass * rest + z_slope.abs() * p[c])
                } else if hard {
                    own + FEW * u * swing * p[c]
                } else {
                    own + FEW * u * (swing * p[c] + mass[c])
                };
                let slope = row.slopes[c].value();
                let slope_error = slope_error(objective.softcap, slope, tau, scores[c], bounds.scores[c], u);
                let gradient = row.gradient[c].value();
                let beyond =
                    of_lse * p[c] + of_entropy * p[c] * (distance_or_0(p[c], distance(c)) + mean_distance);
                let unsloped = if slope == 0.0 || beyond > 0.0 {
                    scale * (swing * p[c] + mass[c]) + beyond
                } else {
                    gradient.abs() / slope
                };
                // If the two terms cancel, their rounding errors do not.
                let rounding =
                    (FEW * u + total_weight.relative_error) * gradient.abs() + FEW * u * beyond * slope;
                (scale * error + beyond_loss(c)) * slope + unsloped * slope_error + rounding + scale * tiny
            })
            .collect();
        bounds
    }
}

/// m − s of a class with p > 0, otherwise 0: the distance of a masked class is infinite.
fn distance_or_0(p: f64, distance: f64) -> f64 {
    if p > 0.0 { distance } else { 0.0 }
}

/// The sum over the classes other than `c`. A difference would lose it: it may be far smaller than `parts[c]`.
fn others_of(parts: &[f64], c: usize) -> f64 {
    parts.iter().enumerate().filter(|&(k, _)| k != c).map(|(_, part)| part).sum()
}

/// The error of (∂s/∂raw)/τ = (1 − (s/κ)²)/τ. Admits this formula computed as it stands, with an absolute error of a
/// few u/τ.
fn slope_error(softcap: Option<f64>, slope: f64, tau: f64, score: f64, score_error: f64, u: f64) -> f64 {
    match softcap {
        None => 0.0,
        Some(cap) => 2.0 * score.abs() / (cap * cap) * score_error / tau + FEW * u * slope + 4.0 * u / tau,
    }
}
