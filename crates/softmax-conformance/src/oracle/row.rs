//! The formula for one sample, in either arithmetic.

use super::inputs::{InputTargets, Inputs};
use super::real::Real;
use super::upstream::{Coefficients, OfSample};
use softmax_core::Reduction;

/// The results of formulas (2) to (8) for one sample.
pub(crate) struct Row<R> {
    /// s_ic.
    pub(crate) scores: Vec<R>,
    /// (∂s_ic/∂raw_ic) / τ.
    pub(crate) slopes: Vec<R>,
    /// argmax_c s_ic, the lowest index on ties.
    pub(crate) best: usize,
    /// Σ_{c ≠ best} exp(s_ic − m_i).
    pub(crate) rest: R,
    pub(crate) lse: R,
    pub(crate) probabilities: Vec<R>,
    /// m_i − s_ic, and its mean weighted by p_i.
    pub(crate) distances: Vec<R>,
    pub(crate) mean_distance: R,
    /// a_ic and A_i; empty and zero for a sample that does not count.
    pub(crate) mass: Vec<R>,
    pub(crate) total_mass: R,
    /// ℓ_i/u_i and ℓ_i.
    #[cfg(test)]
    pub(crate) unweighted_loss: R,
    pub(crate) loss: R,
    /// G_ic. Empty for a sample that does not count, except without targets if entropy or lse have coefficients.
    pub(crate) gradient: Vec<R>,
}

impl<R: Real> Row<R> {
    /// Evaluates sample `i`. `raw` holds its scores before temperature and softcap, X_i·W + b.
    pub(crate) fn new(
        inputs: &Inputs,
        i: usize,
        raw: &[R],
        total_weight: R,
        coefficients: &Coefficients,
    ) -> Self {
        let objective = &inputs.objective;
        let (one, tau) = (R::from(1.0), R::from(objective.temperature));
        let mut slopes = vec![one / tau; raw.len()];
        let mut scores: Vec<R> = raw.iter().map(|&z| z / tau).collect();
        if let Some(cap) = objective.softcap.map(R::from) {
            for (score, slope) in scores.iter_mut().zip(&mut slopes) {
                let z = *score / cap;
                *slope = z.sech_squared() / tau;
                *score = cap * z.tanh();
            }
        }

        let best = first_maximum(&scores);
        let max = scores[best];
        let shifted: Vec<R> = scores.iter().map(|&s| s - max).collect();
        let exps: Vec<R> = shifted.iter().map(|t| t.exp()).collect();
        // With a single class, the sum over the other classes is empty and would not pass on a NaN.
        let rest = if max.value().is_nan() { max } else { sum_without(&exps, best) };
        let log_rest = rest.ln_1p();
        let lse = max + log_rest;
        let probabilities: Vec<R> = exps.iter().map(|&e| e / (exps[best] + rest)).collect();

        let mut row = Row {
            scores,
            slopes,
            best,
            rest,
            lse,
            probabilities,
            distances: shifted.iter().map(|&t| R::zero() - t).collect(),
            mean_distance: R::zero(),
            mass: Vec::new(),
            total_mass: R::zero(),
            #[cfg(test)]
            unweighted_loss: R::zero(),
            loss: R::zero(),
            gradient: Vec::new(),
        };
        // A masked class has p = 0 and distance ∞; 0·∞ would be NaN.
        let present = |&(p, _): &(&R, &R)| p.value() > 0.0;
        let spread = row.probabilities.iter().zip(&row.distances).filter(present);
        row.mean_distance = spread.fold(R::zero(), |sum, (&p, &distance)| sum + p * distance);
        if !inputs.counts(i) {
            if coefficients.reach_past_targets() && !inputs.is_ignored(i) {
                let of = coefficients.of(inputs, i, total_weight);
                row.gradient = row.beyond_loss(of).zip(&row.slopes).map(|(g, &slope)| g * slope).collect();
            }
            return row;
        }

        row.mass = target_mass(inputs, i);
        row.total_mass = row.mass.iter().fold(R::zero(), |sum, &a| sum + a);
        let sample_weight = R::from(inputs.sample_weights[i]);
        let z_loss = R::from(objective.z_loss);

        // A·lse − Σ a·s is computed as A·(lse − m) + Σ a·(m − s), which has no cancellation if no weight is negative.
        let mut loss = row.total_mass * log_rest;
        for (&a, &t) in row.mass.iter().zip(&shifted) {
            if a.value() != 0.0 {
                loss = loss - a * t;
            }
        }
        if objective.z_loss != 0.0 {
            loss = loss + z_loss * lse * lse;
        }
        #[cfg(test)]
        {
            row.unweighted_loss = loss;
        }
        row.loss = sample_weight * loss;

        // A·p − a cancels if p is nearly 1. It is then computed as Σ a − A·Σ p over the other classes.
        let confident = (rest.value() < 1.0).then_some(best);
        let z_slope = if objective.z_loss == 0.0 { R::zero() } else { R::from(2.0) * z_loss * lse };
        let of = coefficients.of(inputs, i, total_weight);
        row.gradient = (0..raw.len())
            .zip(row.beyond_loss(of))
            .map(|(c, beyond)| {
                let p = row.probabilities[c];
                let plain = if Some(c) == confident {
                    sum_without(&row.mass, c) - row.total_mass * sum_without(&row.probabilities, c)
                } else {
                    row.total_mass * p - row.mass[c]
                };
                (of.loss * (plain + z_slope * p) + beyond) * row.slopes[c]
            })
            .collect();
        row
    }

    /// The part of (11) from entropy and lse, for each class. −p·(log p + H) is computed as p·((m − s) − Σ p·(m − s)).
    fn beyond_loss(&self, of: OfSample<R>) -> impl Iterator<Item = R> {
        self.probabilities.iter().zip(&self.distances).map(move |(&p, &distance)| {
            if p.value() == 0.0 {
                return R::zero();
            }
            let entropy = if of.entropy.value() == 0.0 {
                R::zero()
            } else {
                of.entropy * p * (distance - self.mean_distance)
            };
            entropy + of.log_sum_exp * p
        })
    }
}

/// The target mass a_i of each class.
fn target_mass<R: Real>(inputs: &Inputs, i: usize) -> Vec<R> {
    let classes = inputs.class_weights.len();
    let smoothing = R::from(inputs.objective.label_smoothing);
    let spread = smoothing / R::from(classes as f64);
    let kept = R::from(1.0) - smoothing;
    let target = |c| match &inputs.targets {
        InputTargets::Labels(labels) => R::from(f64::from(labels[i] == Some(c))),
        InputTargets::Soft(soft) => R::from(soft[[i, c]]),
        InputTargets::None => R::zero(),
    };
    (0..classes).map(|c| (kept * target(c) + spread) * R::from(inputs.class_weights[c])).collect()
}

/// Ω, and the sum of the absolute values of its terms.
pub(crate) fn total_weight<R: Real>(inputs: &Inputs) -> (R, f64) {
    match (&inputs.targets, inputs.objective.reduction) {
        (InputTargets::None, _) => (R::zero(), 0.0),
        (_, Reduction::Sum) => (R::from(1.0), 0.0),
        (_, Reduction::Mean) => {
            let factors = (0..inputs.sample_weights.len()).filter_map(|i| inputs.weight_factors(i));
            factors.fold((R::zero(), 0.0), |(sum, size), (u, w)| {
                (sum + R::from(u) * R::from(w), size + (u * w).abs())
            })
        }
    }
}

fn first_maximum<R: Real>(values: &[R]) -> usize {
    let mut best = 0;
    for (c, value) in values.iter().enumerate().skip(1) {
        // The low parts decide if the high parts are equal, so the difference is compared with 0.
        if (*value - values[best]).value() > 0.0 {
            best = c;
        }
    }
    best
}

fn sum_without<R: Real>(values: &[R], left_out: usize) -> R {
    let kept = values.iter().enumerate().filter(|&(c, _)| c != left_out);
    kept.fold(R::zero(), |sum, (_, &value)| sum + value)
}
