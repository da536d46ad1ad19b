//! Formulas (2) to (8) between the products, on tiles: some rows of scores by some classes, in place.

use crate::kernel::lanes::FusedElement;
use softmax_core::ndarray::ArrayView1;
use softmax_core::{Objective, Problem, Targets};

/// What is known of a row, from its first tile to its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<T> {
    /// m, and where it is: the first of equals.
    pub(crate) max: T,
    pub(crate) best: usize,
    /// Σ exp(s − m) over the classes other than `best`, whose own is 1.
    pub(crate) rest: T,
    /// Σ a·(s − m).
    pub(crate) cross: T,
}

impl<T: FusedElement> Row<T> {
    pub(crate) fn new() -> Self {
        Row { max: T::neg_infinity(), best: 0, rest: T::zero(), cross: T::zero() }
    }

    /// lse − m.
    pub(crate) fn log_rest(&self) -> T {
        self.rest.ln_1p()
    }

    pub(crate) fn lse(&self) -> T {
        self.max + self.log_rest() + self.defect()
    }

    /// 0, or NaN where the maximum is not finite, and with it all that depends on it.
    pub(crate) fn defect(&self) -> T {
        self.max * T::zero()
    }
}

/// Where a tile lies: rows of `width` scores, of which the first `classes` are classes, from `first_class` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first_sample: usize,
    pub(crate) first_class: usize,
    pub(crate) classes: usize,
    pub(crate) width: usize,
}

/// The problem's options, as the tiles need them.
pub(crate) struct Terms<'t, 'p, T> {
    problem: &'t Problem<'p, T>,
    objective: &'t Objective,
    bias: Option<ArrayView1<'p, T>>,
    class_weights: Option<ArrayView1<'p, T>>,
    /// 1 − ε, and ε/C.
    kept: T,
    spread: T,
    /// Σ_c ε·w_c/C.
    total_spread: T,
    /// Ω.
    pub(crate) total_weight: f64,
}

impl<'t, 'p, T: FusedElement> Terms<'t, 'p, T> {
    pub(crate) fn new(problem: &'t Problem<'p, T>) -> Self {
        let objective = problem.objective();
        let classes = problem.n_classes() as f64;
        let spread = objective.label_smoothing / classes;
        let weight_sum = problem.class_weights().map_or(classes, |w| w.iter().map(|w| w.widen()).sum());
        Terms {
            problem,
            objective,
            bias: problem.bias(),
            class_weights: problem.class_weights(),
            kept: T::narrow(1.0 - objective.label_smoothing),
            spread: T::narrow(spread),
            total_spread: T::narrow(spread * weight_sum),
            total_weight: total_weight(problem),
        }
    }

    /// Whether tiles need a second array, for the slopes of a softcap.
    pub(crate) fn has_slopes(&self) -> bool {
        self.objective.softcap.is_some()
    }

    /// The label, if the sample has one and it is not ignored.
    fn label(&self, i: usize) -> Option<usize> {
        match self.problem.targets() {
            Targets::Labels(labels) => Some(labels[i]).filter(|&y| !self.problem.is_ignored(y)),
            Targets::Soft(_) => None,
        }
    }

    pub(crate) fn is_ignored(&self, i: usize) -> bool {
        matches!(self.problem.targets(), Targets::Labels(labels) if self.problem.is_ignored(labels[i]))
    }

    fn sample_weight(&self, i: usize) -> T {
        self.problem.sample_weights().map_or(T::one(), |u| u[i])
    }

    fn class_weight(&self, c: usize) -> T {
        self.class_weights.map_or(T::one(), |w| w[c])
    }

    /// Whether every target is a single class.
    fn is_point(&self) -> bool {
        self.spread == T::zero() && matches!(self.problem.targets(), Targets::Labels(_))
    }

    /// a_ic of a sample that is not ignored.
    fn mass(&self, i: usize, c: usize) -> T {
        let target = match self.problem.targets() {
            Targets::Labels(labels) if labels[i] == c => T::one(),
            Targets::Labels(_) => T::zero(),
            Targets::Soft(soft) => soft[[i, c]],
        };
        (self.kept * target + self.spread) * self.class_weight(c)
    }

    /// A_i.
    fn total_mass(&self, i: usize) -> T {
        match self.problem.targets() {
            Targets::Labels(labels) => self.kept * self.class_weight(labels[i]) + self.total_spread,
            Targets::Soft(_) => (0..self.problem.n_classes()).map(|c| self.mass(i, c)).sum(),
        }
    }

    /// Products to scores, (1) and (2), and each row's maximum in this tile.
    #[inline(always)]
    pub(crate) fn score(&self, tile: &mut [T], slopes: &mut [T], place: Place, maxima: &mut [T]) {
        let bare =
            self.bias.is_none() && self.objective.temperature == 1.0 && self.objective.softcap.is_none();
        for (i, (row, max)) in tile.chunks_exact_mut(place.width).zip(maxima).enumerate() {
            if !bare {
                let slopes = slopes.chunks_exact_mut(place.width).nth(i).unwrap_or(&mut []);
                self.bend(&mut row[..place.classes], slopes, place.first_class);
            }
            row[place.classes..].fill(T::neg_infinity());
            let mut largest = T::neg_infinity();
            for &s in row.iter() {
                largest = if s > largest { s } else { largest };
            }
            *max = largest;
        }
    }

    /// Bias, temperature and softcap.
    fn bend(&self, row: &mut [T], slopes: &mut [T], first_class: usize) {
        let temperature = T::narrow(self.objective.temperature);
        if let Some(bias) = self.bias {
            for (c, s) in row.iter_mut().enumerate() {
                *s += bias[first_class + c];
            }
        }
        if self.objective.temperature != 1.0 {
            for s in row.iter_mut() {
                *s /= temperature;
            }
        }
        if let Some(cap) = self.objective.softcap.map(T::narrow) {
            for (s, slope) in row.iter_mut().zip(slopes) {
                let z = *s / cap;
                // 1 − tanh², without its cancellation.
                let e = (-(z.abs() + z.abs())).exp();
                let sum = T::one() + e;
                *slope = (e + e + e + e) / (sum * sum);
                *s = cap * z.tanh();
            }
        }
    }

    /// Where in a row of scores its maximum is, the first of equals. 0 where all are NaN.
    #[inline(always)]
    pub(crate) fn find(row: &[T], max: T) -> usize {
        row.iter().position(|&s| s == max).unwrap_or(0)
    }

    /// Scores to exponentials, (3) and (4): s becomes exp(s − m), but 0 at the row's best class, and what this
    /// tile has of Σ a·(s − m) is added to `cross`.
    #[inline(always)]
    pub(crate) fn exponentiate(&self, tile: &mut [T], place: Place, rows: &[Row<T>], cross: &mut [T]) {
        for (i, (row, state)) in tile.chunks_exact_mut(place.width).zip(rows).enumerate() {
            for s in row.iter_mut() {
                *s -= state.max;
            }
            cross[i] += self.cross(&row[..place.classes], place.first_sample + i, place.first_class);
        }
        T::exp_in_place(tile);
        for (row, state) in tile.chunks_exact_mut(place.width).zip(rows) {
            if let Some(best) = row[..place.classes].get_mut(state.best.wrapping_sub(place.first_class)) {
                *best = state.defect();
            }
        }
    }

    #[inline(always)]
    fn cross(&self, shifted: &[T], i: usize, first_class: usize) -> T {
        let product = |c: usize| {
            let mass = self.mass(i, first_class + c);
            // A class without mass may be masked, and 0·∞ is not 0.
            if mass == T::zero() { T::zero() } else { mass * shifted[c] }
        };
        if self.is_point() {
            let here = self.label(i).map(|y| y.wrapping_sub(first_class)).filter(|&c| c < shifted.len());
            return here.map_or(T::zero(), product);
        }
        if self.is_ignored(i) { T::zero() } else { (0..shifted.len()).map(product).sum() }
    }

    /// ℓ_i of (6).
    pub(crate) fn loss(&self, i: usize, row: &Row<T>) -> T {
        if self.is_ignored(i) {
            return T::zero();
        }
        let mut loss = self.total_mass(i) * row.log_rest() - row.cross;
        if self.objective.z_loss != 0.0 {
            loss += T::narrow(self.objective.z_loss) * row.lse() * row.lse();
        }
        self.sample_weight(i) * (loss + row.defect())
    }

    /// Exponentials, which are 0 at the best class, to G: (8).
    #[inline(always)]
    pub(crate) fn finish(&self, tile: &mut [T], slopes: &[T], place: Place, rows: &[Row<T>]) {
        for (k, (row, state)) in tile.chunks_exact_mut(place.width).zip(rows).enumerate() {
            let i = place.first_sample + k;
            if self.is_ignored(i) {
                row.fill(T::zero());
                continue;
            }
            let total_mass = self.total_mass(i);
            let weight = self.sample_weight(i).widen() / self.total_weight / self.objective.temperature;
            let scale = T::narrow(weight);
            let z_slope = match self.objective.z_loss {
                0.0 => T::zero(),
                z_loss => T::narrow(2.0 * z_loss) * state.lse(),
            };
            let sum = T::one() + state.rest;
            let factor = (total_mass + z_slope) / sum;
            let best = state.best.wrapping_sub(place.first_class);
            if self.is_point() {
                let factor = scale * factor;
                for g in row.iter_mut() {
                    *g *= factor;
                }
                if let Some(y) = self.label(i).map(|y| y.wrapping_sub(place.first_class))
                    && y < place.classes
                    && y != best
                {
                    row[y] -= scale * total_mass;
                }
            } else {
                for (c, g) in row[..place.classes].iter_mut().enumerate() {
                    *g = scale * (factor * *g - self.mass(i, place.first_class + c));
                }
            }
            if best < place.classes {
                let mass = self.mass(i, state.best);
                // Where p is above one half, A·p − a is taken as Σ a − A·Σ p over the other classes.
                let gradient = if state.rest < T::one() {
                    (total_mass - mass) - total_mass * (state.rest / sum) + z_slope / sum
                } else {
                    factor - mass
                };
                row[best] = scale * (gradient + state.defect());
            }
            if self.has_slopes() {
                let slopes = slopes.chunks_exact(place.width).nth(k).unwrap_or(&[]);
                for (g, &slope) in row[..place.classes].iter_mut().zip(slopes) {
                    *g *= slope;
                }
            }
        }
    }

    /// (λ/2)·‖W‖², in f64.
    pub(crate) fn penalty(&self) -> f64 {
        let lambda = self.objective.l2;
        if lambda == 0.0 {
            return 0.0;
        }
        lambda / 2.0 * self.problem.weights().iter().map(|w| w.widen() * w.widen()).sum::<f64>()
    }

    /// Whether the sample counts and is predicted right.
    pub(crate) fn is_correct(&self, i: usize, row: &Row<T>) -> bool {
        self.label(i) == Some(row.best)
    }
}

/// Ω, in f64.
fn total_weight<T: FusedElement>(problem: &Problem<'_, T>) -> f64 {
    if problem.objective().reduction == softmax_core::Reduction::Sum {
        return 1.0;
    }
    let sample_weight = |i: usize| problem.sample_weights().map_or(1.0, |u| u[i].widen());
    match problem.targets() {
        Targets::Soft(_) => (0..problem.n_samples()).map(sample_weight).sum(),
        Targets::Labels(labels) => {
            let class_weight = |y: usize| problem.class_weights().map_or(1.0, |w| w[y].widen());
            let counted = labels.iter().enumerate().filter(|&(_, &y)| !problem.is_ignored(y));
            counted.map(|(i, &y)| sample_weight(i) * class_weight(y)).sum()
        }
    }
}
