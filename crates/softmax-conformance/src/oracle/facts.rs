//! The oracle's row facts: entropy, log-probabilities, rank of the label, and the best classes.

use super::bounds::RowBounds;
use super::expected::{TopClass, TopRow};
use super::real::Real;
use super::row::Row;
use softmax_core::Dtype;

/// Rounding errors of one elementary operation or library function in units of u, with a margin.
const FEW: f64 = 8.0;

/// The row facts of one sample. Each value comes with its bound.
pub(super) struct RowFacts<'r, R> {
    row: &'r Row<R>,
    /// The error of each score, or 0 if the score is not finite.
    score_errors: Vec<f64>,
    log_rest: R,
    /// Σ p over all classes except the best, and the sum of p times the error of the score over these classes.
    others: f64,
    errors_of_others: f64,
    /// The part of the error that all log-probabilities of the row share.
    shared_error: f64,
    sum_error: f64,
    u: f64,
    tiny: f64,
}

impl<'r, R: Real> RowFacts<'r, R> {
    pub(super) fn new(row: &'r Row<R>, bounds: &RowBounds, dtype: Dtype) -> Self {
        let (u, classes) = (dtype.unit_roundoff(), row.scores.len());
        let distances = &row.distances;
        let finite = |(score, &error): (&R, &f64)| if score.value().is_finite() { error } else { 0.0 };
        let score_errors: Vec<f64> = row.scores.iter().zip(&bounds.scores).map(finite).collect();
        let log_rest = row.rest.ln_1p();
        let (sum_error, tiny) = ((classes as f64 + FEW) * u, classes as f64 * dtype.min_positive());
        let p = |c: usize| row.probabilities[c].value();
        let present = || (0..classes).filter(|&c| p(c) > 0.0);
        let others: f64 = present().filter(|&c| c != row.best).map(p).sum();
        let errors_of_others = present().filter(|&c| c != row.best).map(|c| p(c) * score_errors[c]).sum();
        let shift: f64 = present().map(|c| p(c) * u * distances[c].value()).sum();
        let shared_error = shift + sum_error * others + FEW * u * log_rest.value() + tiny;
        RowFacts { row, score_errors, log_rest, others, errors_of_others, shared_error, sum_error, u, tiny }
    }

    fn p(&self, c: usize) -> f64 {
        self.row.probabilities[c].value()
    }

    /// The classes with a probability that is not 0.
    fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.row.scores.len()).filter(|&c| self.p(c) > 0.0)
    }

    /// The entropy (10) as log(1 + rest) + Σ p·(m − s), a sum of non-negative terms, and its bound.
    pub(super) fn entropy(&self) -> (f64, f64) {
        let mean_distance = self.row.mean_distance;
        let max = self.row.scores[self.row.best].value();
        if !max.is_finite() {
            return (f64::NAN, 0.0);
        }
        let entropy = self.log_rest + mean_distance;
        // ∂H/∂s_c = −p_c·(log p_c + H).
        let slope = |c: usize| {
            let log_p = -(self.row.distances[c] + self.log_rest);
            self.p(c) * (log_p + entropy).value().abs()
        };
        let distance = |c: usize| self.row.distances[c].value();
        let of_scores: f64 =
            self.present().map(|c| slope(c) * (self.score_errors[c] + self.u * distance(c))).sum();
        let of_sums = self.sum_error * (self.others + mean_distance.value());
        // The absolute error of an exponential below the smallest normal number is multiplied by its distance.
        let lost = self.tiny * 1000.0;
        (entropy.value(), of_scores + of_sums + FEW * self.u * entropy.value().abs() + lost)
    }

    /// log p_c, and its bound.
    pub(super) fn log_prob(&self, c: usize) -> (f64, f64) {
        let distance = self.row.distances[c];
        let log_prob = -(distance + self.log_rest);
        if !log_prob.value().is_finite() {
            return (log_prob.value(), 0.0);
        }
        // ∂log p_c/∂s_k = [k = c] − p_k. Here 1 − p_c is computed as the sum of the other p, since it may be far below
        // the roundoff of 1.
        let (best, own) = (self.row.best, self.score_errors[c]);
        let others = if c == best {
            self.errors_of_others + self.others * own
        } else {
            let (p, of_best) = (self.p(c), self.p(best) * (self.score_errors[best] + own));
            (self.errors_of_others - p * own).max(0.0) + (self.others - p).max(0.0) * own + of_best
        };
        (log_prob.value(), others + FEW * self.u * distance.value() + self.shared_error)
    }

    /// The smallest and the largest admissible number of classes with a larger score than the label. `None` if a score
    /// is NaN.
    pub(super) fn rank(&self, label: usize) -> Option<(usize, usize)> {
        if self.has_nan() {
            return None;
        }
        let of_label = self.row.scores[label];
        let (mut least, mut most) = (0, 0);
        for c in (0..self.row.scores.len()).filter(|&c| c != label) {
            let (margin, error) = (margin(self.row.scores[c], of_label), self.errors_of(c, label));
            least += usize::from(margin > error);
            most += usize::from(margin > 0.0 || (error > 0.0 && margin >= -error));
        }
        Some((least, most))
    }

    /// The classes that may be among the `k` best, largest score first. Empty if a score is NaN.
    pub(super) fn top(&self, k: usize) -> TopRow {
        if self.has_nan() || k == 0 {
            return TopRow::default();
        }
        let scores = &self.row.scores;
        let mut classes: Vec<usize> = (0..scores.len()).collect();
        // A stable sort: on ties the lowest index stays first.
        classes.sort_by(|&a, &b| margin(scores[b], scores[a]).total_cmp(&0.0));
        let last = classes[k - 1];
        let any_infinity = !scores[self.row.best].value().is_finite();
        let may_be = |c: usize| margin(scores[c], scores[last]) >= -self.errors_of(c, last);
        let candidates = classes.iter().enumerate().filter(|&(place, &c)| place < k || may_be(c));
        let candidates = candidates.map(|(_, &class)| {
            let (log_prob, bound) = self.log_prob(class);
            let bound = if any_infinity { f64::INFINITY } else { bound };
            let (score, score_error) = (scores[class].value(), self.score_errors[class]);
            TopClass { class, score, score_error, log_prob, bound }
        });
        TopRow { candidates: candidates.collect() }
    }

    fn errors_of(&self, a: usize, b: usize) -> f64 {
        self.score_errors[a] + self.score_errors[b]
    }

    fn has_nan(&self) -> bool {
        self.row.scores.iter().any(|s| s.value().is_nan())
    }
}

/// a − b, but 0 for equal infinities.
fn margin<R: Real>(a: R, b: R) -> f64 {
    if a.value() == b.value() && a.value().is_infinite() { 0.0 } else { (a - b).value() }
}
