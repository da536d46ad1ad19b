//! The problem's options as the tiles need them: formulas (2) to (8), a sample or an element at a time.

use crate::kernel::lanes::FusedElement;
use softmax_core::ndarray::ArrayView1;
use softmax_core::{Objective, Problem, Targets};
use std::ops::Range;

/// What is known of a row, from its first tile to its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<T> {
    /// m, and where it is: the first of equals.
    pub(crate) max: T,
    pub(crate) best: usize,
    /// Σ exp(s − m) over the classes other than `best`, whose own is 1.
    pub(crate) rest: T,
    /// ln(1 + rest), lse − m.
    pub(crate) log_rest: T,
    /// Σ a·(s − m).
    pub(crate) cross: T,
}

impl<T: FusedElement> Row<T> {
    pub(crate) fn new() -> Self {
        let zero = T::zero();
        Row { max: T::neg_infinity(), best: 0, rest: zero, log_rest: zero, cross: zero }
    }

    pub(crate) fn lse(&self) -> T {
        self.max + self.log_rest + self.defect()
    }

    /// 0, or NaN where the maximum is not finite, and with it all that depends on it.
    pub(crate) fn defect(&self) -> T {
        self.max * T::zero()
    }
}

/// What turns a row's exponentials into its G: e·factor − scale·a, but `at_best` at the best class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slope<T> {
    pub(crate) factor: T,
    scale: T,
    total_mass: T,
    at_best: T,
    counts: bool,
}

impl<T: FusedElement> Slope<T> {
    /// Of a sample that does not count.
    pub(crate) fn none() -> Self {
        let zero = T::zero();
        Slope { factor: zero, scale: zero, total_mass: zero, at_best: zero, counts: false }
    }
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
    /// 1/(Ω·τ), a sample's share where it has no weight.
    share: T,
    /// Ω.
    pub(crate) total_weight: f64,
}

impl<'t, 'p, T: FusedElement> Terms<'t, 'p, T> {
    pub(crate) fn new(problem: &'t Problem<'p, T>) -> Self {
        let objective = problem.objective();
        let classes = problem.n_classes() as f64;
        let spread = objective.label_smoothing / classes;
        let weight_sum = problem.class_weights().map_or(classes, |w| w.iter().map(|w| w.widen()).sum());
        let total_weight = total_weight(problem);
        Terms {
            problem,
            objective,
            bias: problem.bias(),
            class_weights: problem.class_weights(),
            kept: T::narrow(1.0 - objective.label_smoothing),
            spread: T::narrow(spread),
            total_spread: T::narrow(spread * weight_sum),
            share: T::narrow(1.0 / total_weight / objective.temperature),
            total_weight,
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

    /// Whether scores are the products as they are.
    pub(crate) fn is_bare(&self) -> bool {
        self.bias.is_none() && self.objective.temperature == 1.0 && self.objective.softcap.is_none()
    }

    /// Products to scores, (1) and (2): bias, temperature and softcap, and the softcap's slopes.
    pub(crate) fn bend(&self, scores: &mut [T], slopes: &mut [T], class: impl Fn(usize) -> usize) {
        let temperature = T::narrow(self.objective.temperature);
        if let Some(bias) = self.bias {
            for (k, s) in scores.iter_mut().enumerate() {
                *s += bias[class(k)];
            }
        }
        if self.objective.temperature != 1.0 {
            for s in scores.iter_mut() {
                *s /= temperature;
            }
        }
        if let Some(cap) = self.objective.softcap.map(T::narrow) {
            for (s, slope) in scores.iter_mut().zip(slopes) {
                let z = *s / cap;
                // 1 − tanh², without its cancellation.
                let e = (-(z.abs() + z.abs())).exp();
                let sum = T::one() + e;
                *slope = (e + e + e + e) / (sum * sum);
                *s = cap * z.tanh();
            }
        }
    }

    /// What some classes have of Σ a·(s − m), from their s − m.
    #[inline(always)]
    pub(crate) fn cross(&self, i: usize, classes: Range<usize>, shifted: impl Fn(usize) -> T) -> T {
        let product = |c: usize| {
            let mass = self.mass(i, c);
            // A class without mass may be masked, and 0·∞ is not 0.
            if mass == T::zero() { T::zero() } else { mass * shifted(c) }
        };
        if self.is_point() {
            return self.label(i).filter(|c| classes.contains(c)).map_or(T::zero(), product);
        }
        if self.is_ignored(i) { T::zero() } else { classes.map(product).sum() }
    }

    /// ℓ_i of (6).
    #[inline(always)]
    pub(crate) fn loss(&self, i: usize, row: &Row<T>) -> T {
        if self.is_ignored(i) {
            return T::zero();
        }
        let mut loss = self.total_mass(i) * row.log_rest - row.cross;
        if self.objective.z_loss != 0.0 {
            loss += T::narrow(self.objective.z_loss) * row.lse() * row.lse();
        }
        self.sample_weight(i) * (loss + row.defect())
    }

    /// The row's part of (8).
    #[inline(always)]
    pub(crate) fn slope(&self, i: usize, row: &Row<T>) -> Slope<T> {
        if self.is_ignored(i) {
            return Slope::none();
        }
        let total_mass = self.total_mass(i);
        let scale = match self.problem.sample_weights() {
            None => self.share,
            Some(weights) => T::narrow(weights[i].widen() / self.total_weight / self.objective.temperature),
        };
        let z_slope = match self.objective.z_loss {
            0.0 => T::zero(),
            z_loss => T::narrow(2.0 * z_loss) * row.lse(),
        };
        let sum = T::one() + row.rest;
        let factor = (total_mass + z_slope) / sum;
        let mass = self.mass(i, row.best);
        // Where p is above one half, A·p − a is taken as Σ a − A·Σ p over the other classes.
        let at_best = if row.rest < T::one() {
            (total_mass - mass) - total_mass * (row.rest / sum) + z_slope / sum
        } else {
            factor - mass
        };
        Slope { factor: scale * factor, scale, total_mass, at_best: scale * (at_best + row.defect()), counts: true }
    }

    /// Takes a row's target mass from its `e·factor`, for some classes, of which class c is at `tile[at(c)]`.
    #[inline(always)]
    pub(crate) fn subtract_mass(
        &self,
        i: usize,
        best: usize,
        slope: &Slope<T>,
        classes: Range<usize>,
        tile: &mut [T],
        at: impl Fn(usize) -> usize,
    ) {
        if !slope.counts {
            // Even where an exponential is NaN.
            classes.for_each(|c| tile[at(c)] = T::zero());
            return;
        }
        if self.is_point() {
            if let Some(y) = self.label(i).filter(|y| classes.contains(y)) {
                tile[at(y)] -= slope.scale * slope.total_mass;
            }
        } else {
            for c in classes.clone() {
                tile[at(c)] -= slope.scale * self.mass(i, c);
            }
        }
        if classes.contains(&best) {
            tile[at(best)] = slope.at_best;
        }
    }

    /// λ.
    pub(crate) fn l2(&self) -> T {
        T::narrow(self.objective.l2)
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
