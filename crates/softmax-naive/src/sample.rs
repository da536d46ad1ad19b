//! One sample's part of the derivation: scores, maximum, probabilities, target mass, loss, ∂loss/∂scores.

use softmax_core::{Element, Problem, Targets};
use std::iter::Sum;

/// State of the current sample. An evaluation makes one `Sample` and reuses it for every sample.
pub(crate) struct Sample<T> {
    /// s_j.
    scores: Vec<T>,
    /// (∂s_j/∂raw_j) / τ.
    slopes: Vec<T>,
    /// exp(s_j + log k), where log k = −m.
    exps: Vec<T>,
    /// a_j, and A below. In f64, because they and their divisor Ω may be near the limits of `T`.
    pub(crate) mass: Vec<f64>,
    pub(crate) total_mass: f64,
    gradient: Vec<T>,
    /// argmax_j s_j, the lowest index on ties.
    pub(crate) best: usize,
    /// Σ exps over the classes other than `best`. The exp of `best` is 1.
    pub(crate) rest: T,
}

impl<T: Element> Sample<T> {
    pub(crate) fn new(classes: usize) -> Self {
        let row = || vec![T::zero(); classes];
        Sample {
            scores: row(),
            slopes: row(),
            exps: row(),
            mass: vec![0.0; classes],
            total_mass: 0.0,
            gradient: row(),
            best: 0,
            rest: T::zero(),
        }
    }

    /// Formulas (1) to (4) for sample `i`.
    pub(crate) fn score(&mut self, problem: &Problem<'_, T>, i: usize) {
        let (features, weights) = (problem.features(), problem.weights());
        let temperature = T::narrow(problem.objective().temperature);
        for j in 0..self.scores.len() {
            let mut raw = T::zero();
            for (k, x) in features.row(i) {
                raw += x * weights.at(k, j);
            }
            if let Some(bias) = problem.bias() {
                raw += bias[j];
            }
            raw /= temperature;
            (self.scores[j], self.slopes[j]) = match problem.objective().softcap.map(T::narrow) {
                None => (raw, T::one() / temperature),
                Some(cap) => (cap * (raw / cap).tanh(), sech_squared(raw / cap) / temperature),
            };
        }

        self.best = first_maximum(&self.scores);
        let log_k = -self.scores[self.best];
        for (exp, &score) in self.exps.iter_mut().zip(&self.scores) {
            *exp = (score + log_k).exp();
        }
        self.rest = sum_of_others(&self.exps, self.best);
        if log_k.is_nan() {
            // With a single class, no other term carries the NaN.
            self.rest = log_k;
        }
    }

    /// (4).
    pub(crate) fn log_sum_exp(&self) -> T {
        self.scores[self.best] + self.rest.ln_1p()
    }

    /// (5), as exp(s_j − m) / Σ exp(s − m). A large m would round s_j − lse.
    fn probability(&self, j: usize) -> T {
        self.exps[j] / (self.exps[self.best] + self.rest)
    }

    /// log p_j, as minus a sum of non-negative terms, so it keeps its digits where p_j is nearly 1.
    pub(crate) fn log_probability(&self, j: usize) -> T {
        -((self.scores[self.best] - self.scores[j]) + self.rest.ln_1p())
    }

    /// H of (10), as log(1 + rest) + Σ p·(m − s). All terms are non-negative, so none cancel.
    pub(crate) fn entropy(&self) -> T {
        self.rest.ln_1p() + self.spread() / (self.exps[self.best] + self.rest)
    }

    /// Σ exp(s − m)·(m − s).
    pub(crate) fn spread(&self) -> T {
        let mut spread = T::zero();
        for (j, &exp) in self.exps.iter().enumerate() {
            // A masked class has exp = 0 and distance m − s = ∞; 0·∞ would be NaN.
            if exp != T::zero() {
                spread += exp * (self.max() - self.scores[j]);
            }
        }
        spread
    }

    /// m, the largest score.
    pub(crate) fn max(&self) -> T {
        self.scores[self.best]
    }

    /// Whether every score is −∞. A NaN is not −∞.
    pub(crate) fn is_masked(&self) -> bool {
        self.scores.iter().all(|&score| score == T::neg_infinity())
    }

    /// s_j and its slope, (∂s_j/∂raw_j) / τ.
    pub(crate) fn score_and_slope(&self, j: usize) -> (T, T) {
        (self.scores[j], self.slopes[j])
    }

    /// The number of classes with a score above the label's.
    pub(crate) fn rank(&self, label: usize) -> usize {
        self.count_above(self.scores[label])
    }

    /// The number of classes with a score above `least`.
    pub(crate) fn count_above(&self, least: T) -> usize {
        self.scores.iter().filter(|&&score| score > least).count()
    }

    /// The `k` classes with the largest scores, largest first; the lower class first on ties.
    pub(crate) fn best_classes(&self, k: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = Vec::with_capacity(k);
        let mut taken = vec![false; self.scores.len()];
        while classes.len() < k {
            let mut best = None;
            for (j, &score) in self.scores.iter().enumerate().filter(|&(j, _)| !taken[j]) {
                if best.is_none_or(|best: usize| score > self.scores[best]) {
                    best = Some(j);
                }
            }
            // `best` is never `None`, because `k` is at most the number of classes.
            best.into_iter().for_each(|best| taken[best] = true);
            classes.extend(best);
        }
        classes
    }

    /// ℓ_i of (6). A·lse − Σ a·s is computed as A·(lse − m) + Σ a·(m − s). Unless class weights are negative, no
    /// term is negative, so the loss of a confident prediction keeps its digits.
    pub(crate) fn loss(&mut self, problem: &Problem<'_, T>, i: usize) -> f64 {
        self.set_target_mass(problem, i);
        let mut loss = self.total_mass * self.rest.ln_1p().widen() + self.cross();
        let z_loss = problem.objective().z_loss;
        if z_loss != 0.0 {
            let lse = self.log_sum_exp().widen();
            loss += z_loss * lse * lse;
        }
        loss * sample_weight(problem, i)
    }

    /// Σ a·(m − s). Call [`set_target_mass`](Self::set_target_mass) first.
    pub(crate) fn cross(&self) -> f64 {
        let mut cross = 0.0;
        for (&mass, &score) in self.mass.iter().zip(&self.scores) {
            // A class without mass may be masked: m − s = ∞, and 0·∞ would be NaN.
            if mass != 0.0 {
                cross += mass * (self.max() - score).widen();
            }
        }
        cross
    }

    /// G_i of (8). Call [`loss`](Self::loss) for the sample first.
    pub(crate) fn score_gradient(&mut self, problem: &Problem<'_, T>, i: usize, total_weight: f64) -> &[T] {
        let scale = sample_weight(problem, i) / total_weight;
        for j in 0..self.scores.len() {
            let difference = self.difference(problem, j);
            self.gradient[j] = T::narrow(scale * difference * self.slopes[j].widen());
        }
        &self.gradient
    }

    /// ∂ℓ_i/∂s_j without the factor u_i: (A + 2ζ·lse)·p_j − a_j.
    ///
    /// Where p_j is above one half, A·p_j − a_j is computed as Σ a − A·Σ p over the other classes. With p_j nearly
    /// 1, the direct difference would have no digits left.
    fn difference(&self, problem: &Problem<'_, T>, j: usize) -> f64 {
        let difference = if j == self.best && self.rest < T::one() {
            let others = self.rest / (self.exps[self.best] + self.rest);
            sum_of_others(&self.mass, j) - self.total_mass * others.widen()
        } else {
            self.total_mass * self.probability(j).widen() - self.mass[j]
        };
        difference + self.z_slope(problem) * self.probability(j).widen()
    }

    /// 2ζ·lse; exactly 0 if ζ = 0, even if lse is not finite.
    fn z_slope(&self, problem: &Problem<'_, T>) -> f64 {
        match problem.objective().z_loss {
            0.0 => 0.0,
            z_loss => 2.0 * z_loss * self.log_sum_exp().widen(),
        }
    }

    /// The derivative of G_i along `direction`, a direction of X_i·W + b (before the temperature): formula (8),
    /// differentiated by the product rule. Call [`loss`](Self::loss) for the sample first.
    pub(crate) fn score_gradient_change(
        &mut self,
        problem: &Problem<'_, T>,
        i: usize,
        direction: &[T],
        total_weight: f64,
    ) -> &[T] {
        let objective = problem.objective();
        let scale = sample_weight(problem, i) / total_weight;
        let swing = self.total_mass + self.z_slope(problem);
        let p: Vec<f64> = (0..direction.len()).map(|j| self.probability(j).widen()).collect();
        let slopes = self.slopes.iter().map(|slope| slope.widen());
        let score_changes: Vec<f64> =
            direction.iter().zip(slopes).map(|(r, slope)| slope * r.widen()).collect();
        let lse_change: f64 = score_changes.iter().zip(&p).map(|(ds, p)| p * ds).sum();
        for (j, &score_change) in score_changes.iter().enumerate() {
            let p_change = p[j] * (score_change - lse_change);
            let change = swing * p_change + 2.0 * objective.z_loss * lse_change * p[j];
            let mut product = change * self.slopes[j].widen();
            if let Some(cap) = objective.softcap {
                // ∂s/∂raw = 1 − (s/κ)².
                let slope_change = -2.0 * self.scores[j].widen() / (cap * cap) * score_change;
                product += self.difference(problem, j) * slope_change / objective.temperature;
            }
            self.gradient[j] = T::narrow(scale * product);
        }
        &self.gradient
    }

    /// Sets the target mass a_i and its sum A. Labels, label smoothing, class weights and soft targets affect the
    /// loss and the gradient only through these numbers.
    pub(crate) fn set_target_mass(&mut self, problem: &Problem<'_, T>, i: usize) {
        let smoothing = problem.objective().label_smoothing;
        let spread = smoothing / problem.total_classes() as f64;
        for (j, mass) in self.mass.iter_mut().enumerate() {
            let target = match problem.targets() {
                Targets::Soft(soft) => soft[[i, j]].widen(),
                Targets::Labels(_) if problem.label(i) == Some(j) => 1.0,
                Targets::Labels(_) | Targets::None => 0.0,
            };
            let class_weight = problem.class_weights().map_or(1.0, |w| w[j].widen());
            *mass = ((1.0 - smoothing) * target + spread) * class_weight;
        }
        self.total_mass = self.mass.iter().sum();
    }
}

/// u_i.
pub(crate) fn sample_weight<T: Element>(problem: &Problem<'_, T>, i: usize) -> f64 {
    problem.sample_weights().map_or(1.0, |u| u[i].widen())
}

/// The derivative of tanh: 1 − tanh², computed without cancellation.
fn sech_squared<T: Element>(z: T) -> T {
    let e = (T::narrow(-2.0) * z.abs()).exp();
    T::narrow(4.0) * e / ((T::one() + e) * (T::one() + e))
}

fn first_maximum<T: Element>(values: &[T]) -> usize {
    let mut best = 0;
    for (j, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = j;
        }
    }
    best
}

fn sum_of_others<R: Copy + Sum>(values: &[R], left_out: usize) -> R {
    values.iter().enumerate().filter(|&(j, _)| j != left_out).map(|(_, &value)| value).sum()
}
