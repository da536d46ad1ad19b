//! The problem's options as the tiles need them: formulas (2) to (8), a sample or an element at a time.

use crate::kernel::level::FusedElement;
use crate::softcap::cap_scores;
use crate::stored::{Matrix, Stored};
use softmax_core::ndarray::ArrayView1;
use softmax_core::{Objective, Problem, Targets};

/// No class: of a sample that has no label, or is ignored.
pub(crate) const NONE: usize = usize::MAX;

/// The problem's options, as the tiles need them.
pub(crate) struct Terms<'t, 'p, T> {
    problem: &'t Problem<'p, T>,
    objective: &'t Objective,
    weights: Matrix<'p, T>,
    /// Whether a sample may not count.
    ignores: bool,
    bias: Option<ArrayView1<'p, T>>,
    class_weights: Option<ArrayView1<'p, T>>,
    /// What masses are measured in.
    unit: f64,
    /// 1/unit.
    per_unit: T,
    /// 1 − ε, and ε/C.
    kept: T,
    spread: T,
    /// Whether every target is a single class.
    point: bool,
    /// Σ_c ε·w_c/C, in units.
    total_spread: T,
    /// unit/(Ω·τ), a sample's share where it has no weight.
    share: T,
    /// Ω.
    pub(crate) total_weight: f64,
}

impl<'t, 'p, T: FusedElement> Terms<'t, 'p, T> {
    pub(crate) fn new(problem: &'t Problem<'p, T>, stored: &Stored<'p, T>) -> Self {
        let objective = problem.objective();
        let classes = problem.n_classes() as f64;
        let spread = objective.label_smoothing / classes;
        let weight_sum = problem.class_weights().map_or(classes, |w| w.iter().map(|w| w.widen()).sum());
        let total_weight = problem.total_weight();
        let unit = problem.mass_unit();
        Terms {
            problem,
            objective,
            weights: stored.weights,
            ignores: match problem.targets() {
                Targets::Labels(_) => objective.ignore_index.is_some(),
                Targets::Soft(_) => false,
                Targets::None => true,
            },
            bias: problem.bias(),
            class_weights: problem.class_weights(),
            unit,
            per_unit: T::narrow(1.0 / unit),
            kept: T::narrow(1.0 - objective.label_smoothing),
            spread: T::narrow(spread),
            point: spread == 0.0 && problem.has_labels(),
            total_spread: T::narrow(spread * weight_sum / unit),
            share: T::narrow(unit / total_weight / objective.temperature),
            total_weight,
        }
    }

    /// Whether tiles need a second array, for the slopes of a softcap.
    pub(crate) fn has_slopes(&self) -> bool {
        self.objective.softcap.is_some()
    }

    /// The labels of samples from the `first` on, [`NONE`] where there is none or it is ignored.
    #[inline(always)]
    pub(crate) fn labels(&self, first: usize, labels: &mut [usize]) {
        match self.problem.targets() {
            Targets::Soft(_) | Targets::None => labels.fill(NONE),
            Targets::Labels(_) => {
                for (k, label) in labels.iter_mut().enumerate() {
                    *label = self.problem.label(first + k).unwrap_or(NONE);
                }
            }
        }
    }

    #[inline(always)]
    pub(crate) fn is_ignored(&self, i: usize) -> bool {
        self.ignores && !self.problem.counts(i)
    }

    /// Whether any sample may be ignored.
    pub(crate) fn ignores(&self) -> bool {
        self.ignores
    }

    /// w_c, in units.
    fn class_weight(&self, c: usize) -> T {
        self.class_weights.map_or(T::one(), |w| w[c] * self.per_unit)
    }

    /// Whether every target is a single class.
    #[inline(always)]
    pub(crate) fn is_point(&self) -> bool {
        self.point
    }

    /// a_ic of a sample that is not ignored, in units.
    pub(crate) fn mass(&self, i: usize, c: usize) -> T {
        let target = match self.problem.targets() {
            Targets::Soft(soft) => soft[[i, c]],
            Targets::Labels(_) if self.problem.label(i) == Some(c) => T::one(),
            Targets::Labels(_) | Targets::None => T::zero(),
        };
        (self.kept * target + self.spread) * self.class_weight(c)
    }

    /// A of samples from the `first` on, in units, 0 where ignored.
    #[inline(always)]
    pub(crate) fn total_masses(&self, first: usize, labels: &[usize], masses: &mut [T]) {
        for (k, (mass, &label)) in masses.iter_mut().zip(labels).enumerate() {
            *mass = match self.problem.targets() {
                Targets::Soft(_) => (0..self.problem.n_classes()).map(|c| self.mass(first + k, c)).sum(),
                _ if label == NONE => T::zero(),
                _ => self.kept * self.class_weight(label) + self.total_spread,
            };
        }
    }

    /// Multiplies losses in units by the samples' weights.
    #[inline(always)]
    pub(crate) fn weigh(&self, first: usize, losses: &mut [T]) {
        if let Some(weights) = self.problem.sample_weights() {
            for (k, loss) in losses.iter_mut().enumerate() {
                *loss *= T::narrow(weights[first + k].widen() * self.unit);
            }
        } else if self.class_weights.is_some() {
            losses.iter_mut().for_each(|loss| *loss *= T::narrow(self.unit));
        }
    }

    /// u·unit/(Ω·τ).
    #[inline(always)]
    pub(crate) fn shares(&self, first: usize, shares: &mut [T]) {
        match self.problem.sample_weights() {
            None => shares.fill(self.share),
            Some(weights) => {
                for (k, share) in shares.iter_mut().enumerate() {
                    let weight = weights[first + k].widen();
                    *share = T::narrow(weight * self.unit / self.total_weight / self.objective.temperature);
                }
            }
        }
    }

    /// ζ, in units.
    pub(crate) fn z_loss(&self) -> T {
        T::narrow(self.objective.z_loss / self.unit)
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
            let slopes = &mut slopes[..scores.len()];
            cap_scores(cap, scores, slopes);
        }
    }

    /// What `classes` of them from the `first` on have of Σ a·(s − m) for sample i with this label, from their s − m, in
    /// units.
    #[inline(always)]
    pub(crate) fn cross(
        &self,
        i: usize,
        label: usize,
        first: usize,
        classes: usize,
        shifted: impl Fn(usize) -> T,
    ) -> T {
        // A class without mass may be masked, and 0·∞ is not 0.
        let product = |mass: T, j: usize| if mass == T::zero() { T::zero() } else { mass * shifted(j) };
        if self.point {
            let j = label.wrapping_sub(first);
            return if j < classes { product(self.kept * self.class_weight(label), j) } else { T::zero() };
        }
        if self.is_ignored(i) {
            return T::zero();
        }
        (0..classes).map(|j| product(self.mass(i, first + j), j)).sum()
    }

    /// The label of a sample, [`NONE`] where there is none or it is ignored.
    pub(crate) fn label(&self, i: usize) -> usize {
        match self.problem.targets() {
            Targets::Labels(_) => self.problem.label(i).unwrap_or(NONE),
            Targets::Soft(_) | Targets::None => NONE,
        }
    }

    /// The class that is the label of a sample, ignored or not, [`NONE`] where it is no class.
    pub(crate) fn labelled_class(&self, i: usize) -> usize {
        self.problem.labelled_class(i).unwrap_or(NONE)
    }

    /// What a label's class has of Σ a·(s − m), from its s − m, and of Σ a, where every target is a single class.
    pub(crate) fn point_cross(&self, label: usize, shifted: T) -> (T, T) {
        let mass = self.kept * self.class_weight(label);
        (if mass == T::zero() { mass } else { mass * shifted }, mass)
    }

    /// What `classes` of them from the `first` on have of Σ a for sample i.
    pub(crate) fn mass_of(&self, i: usize, first: usize, classes: usize) -> T {
        if self.is_ignored(i) {
            return T::zero();
        }
        (first..first + classes).map(|c| self.mass(i, c)).sum()
    }

    /// Whether there is a penalty: λ is not 0, and the problem has targets.
    fn has_penalty(&self) -> bool {
        self.objective.l2 != 0.0 && self.problem.has_targets()
    }

    /// λ and W, where there is a penalty.
    pub(crate) fn penalty_gradient(&self) -> Option<(T, Matrix<'p, T>)> {
        self.has_penalty().then(|| (T::narrow(self.objective.l2), self.weights))
    }

    /// The loss (7) for a sum of sample losses, in f64.
    pub(crate) fn loss(&self, loss_sum: f64) -> f64 {
        let loss = if self.problem.has_targets() { loss_sum / self.total_weight } else { 0.0 };
        if !self.has_penalty() {
            return loss;
        }
        loss + self.objective.l2 / 2.0 * self.weights.sum_of_squares()
    }
}
