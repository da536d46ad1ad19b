//! The problem's options as the tiles need them: formulas (2) to (8), a sample or an element at a time.

use crate::kernel::level::FusedElement;
use crate::orders::group_classes;
use crate::softcap::cap_scores;
use crate::stored::{Matrix, Stored};
use softmax_core::ndarray::ArrayView1;
use softmax_core::{Objective, Outputs, Problem, RowStatistics, Targets, Upstream};

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
    /// g, h and k of each sample, where they are given.
    upstream: Coefficients<T>,
}

/// [`Upstream`], in arrays of its own.
struct Coefficients<T> {
    losses: Option<Vec<T>>,
    entropy: Option<Vec<T>>,
    log_sum_exp: Option<Vec<T>>,
}

/// What is known of all classes, of which the problem may have a shard.
struct Whole {
    unit: f64,
    total_weight: f64,
    /// Σ_c w_c, summed by groups.
    class_weight: f64,
}

/// Σ_c w_c of each group of classes.
pub(crate) fn group_weights<T: FusedElement>(problem: &Problem<'_, T>) -> Vec<f64> {
    let (c, of_group) = (problem.n_classes(), group_classes::<T>());
    let weight = |c: usize| problem.class_weights().map_or(1.0, |w| w[c].widen());
    (0..c).step_by(of_group).map(|first| (first..c.min(first + of_group)).map(weight).sum()).collect()
}

impl<'t, 'p, T: FusedElement> Terms<'t, 'p, T> {
    pub(crate) fn new(problem: &'t Problem<'p, T>, stored: &Stored<'p, T>) -> Self {
        let whole = Whole {
            unit: problem.mass_unit(),
            total_weight: problem.total_weight(),
            // Nothing is spread over the classes without smoothing.
            class_weight: match problem.objective().label_smoothing {
                0.0 => 0.0,
                _ => group_weights(problem).iter().sum(),
            },
        };
        Terms::of_shard(
            problem,
            stored,
            &whole,
            Coefficients { losses: None, entropy: None, log_sum_exp: None },
        )
    }

    /// For statistics of all classes, of which the problem may have a shard: unit, Ω and Σ w are those of all.
    pub(crate) fn of_statistics(
        problem: &'t Problem<'p, T>,
        stored: &Stored<'p, T>,
        statistics: &RowStatistics<T>,
        upstream: &Upstream<'_, T>,
    ) -> Self {
        let whole = Whole {
            unit: statistics.mass_unit(problem),
            total_weight: statistics.total_weight(problem),
            class_weight: statistics.groups().iter().map(|group| group.class_weight).sum(),
        };
        let copied = |given: Option<ArrayView1<'_, T>>| given.map(|given| given.to_vec());
        let coefficients = Coefficients {
            losses: copied(upstream.losses),
            entropy: copied(upstream.entropy),
            log_sum_exp: copied(upstream.log_sum_exp),
        };
        let terms = Terms::of_shard(problem, stored, &whole, coefficients);
        // Without targets there is no loss; but there are entropies.
        let ignores = terms.ignores && (problem.has_targets() || !terms.reaches_past_targets());
        Terms { ignores, ..terms }
    }

    fn of_shard(
        problem: &'t Problem<'p, T>,
        stored: &Stored<'p, T>,
        whole: &Whole,
        upstream: Coefficients<T>,
    ) -> Self {
        let objective = problem.objective();
        let Whole { unit, total_weight, class_weight } = *whole;
        let has_targets = problem.has_targets();
        let smoothing = if has_targets { objective.label_smoothing } else { 0.0 };
        let spread = smoothing / problem.total_classes() as f64;
        let share = if has_targets { unit / total_weight / objective.temperature } else { 0.0 };
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
            total_spread: T::narrow(spread * class_weight / unit),
            share: T::narrow(share),
            total_weight,
            upstream,
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
        self.class_weights.map_or(self.per_unit, |w| w[c] * self.per_unit)
    }

    /// Whether every target is a single class.
    #[inline(always)]
    pub(crate) fn is_point(&self) -> bool {
        self.point
    }

    /// Whether a class, counted from the problem's first, is one of the problem's.
    #[inline(always)]
    pub(crate) fn has_class(&self, class: usize) -> bool {
        class < self.problem.n_classes()
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
                _ => self.label_mass(self.class_weight(label)),
            };
        }
    }

    /// A of a sample whose label has this weight, in units.
    fn label_mass(&self, class_weight: T) -> T {
        self.kept * class_weight + self.total_spread
    }

    /// A of sample `i`, in units, 0 where ignored: of soft targets the sum that groups of classes gave.
    pub(crate) fn total_mass(&self, i: usize, of_groups: T, label_weight: Option<f64>) -> T {
        match self.problem.targets() {
            Targets::Soft(_) => of_groups,
            _ if !self.problem.counts(i) => T::zero(),
            _ => self.label_mass(match label_weight {
                Some(weight) => T::narrow(weight) * self.per_unit,
                None => self.problem.label(i).map_or(T::zero(), |label| self.class_weight(label)),
            }),
        }
    }

    /// Multiplies losses in units by the samples' weights.
    #[inline(always)]
    pub(crate) fn weigh(&self, first: usize, losses: &mut [T]) {
        if let Some(weights) = self.problem.sample_weights() {
            for (k, loss) in losses.iter_mut().enumerate() {
                *loss *= T::narrow(weights[first + k].widen() * self.unit);
            }
        } else if self.unit != 1.0 {
            losses.iter_mut().for_each(|loss| *loss *= T::narrow(self.unit));
        }
    }

    /// g·unit/τ, where g is u/Ω unless it is given.
    #[inline(always)]
    pub(crate) fn shares(&self, first: usize, shares: &mut [T]) {
        let Objective { temperature, .. } = *self.objective;
        match (&self.upstream.losses, self.problem.sample_weights()) {
            _ if !self.problem.has_targets() => shares.fill(T::zero()),
            (Some(given), _) => {
                for (k, share) in shares.iter_mut().enumerate() {
                    *share = T::narrow(given[first + k].widen() * self.unit / temperature);
                }
            }
            (None, None) => shares.fill(self.share),
            (None, Some(weights)) => {
                for (k, share) in shares.iter_mut().enumerate() {
                    let weight = weights[first + k].widen();
                    *share = T::narrow(weight * self.unit / self.total_weight / temperature);
                }
            }
        }
    }

    /// h/τ and k/τ of a sample, where either is given.
    #[inline(always)]
    pub(crate) fn beyond_loss(&self, i: usize) -> Option<(T, T)> {
        let Coefficients { entropy, log_sum_exp, .. } = &self.upstream;
        let of = |given: &Option<Vec<T>>| {
            given.as_ref().map_or(T::zero(), |given| T::narrow(given[i].widen() / self.objective.temperature))
        };
        self.reaches_past_targets().then(|| (of(entropy), of(log_sum_exp)))
    }

    /// Whether there are gradients without targets.
    fn reaches_past_targets(&self) -> bool {
        self.upstream.entropy.is_some() || self.upstream.log_sum_exp.is_some()
    }

    /// Whether gradients depend on entropies.
    pub(crate) fn has_entropy(&self) -> bool {
        self.upstream.entropy.is_some()
    }

    /// ζ, in units; 0 without targets.
    pub(crate) fn z_loss(&self) -> T {
        if self.problem.has_targets() { T::narrow(self.objective.z_loss / self.unit) } else { T::zero() }
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

    /// κ.
    pub(crate) fn softcap(&self) -> Option<T> {
        self.objective.softcap.map(T::narrow)
    }

    /// τ.
    pub(crate) fn temperature(&self) -> f64 {
        self.objective.temperature
    }

    /// What masses are measured in.
    pub(crate) fn unit(&self) -> f64 {
        self.unit
    }

    /// Which of all classes the problem's first one is.
    pub(crate) fn first_class(&self) -> usize {
        self.problem.class_range().start
    }

    /// The label of a sample among all classes.
    pub(crate) fn label_of_all(&self, i: usize) -> Option<usize> {
        self.problem.label_of_all(i)
    }

    /// Whether there is a penalty: λ is not 0, and the problem has targets.
    fn has_penalty(&self) -> bool {
        self.objective.l2 != 0.0 && self.problem.has_targets()
    }

    /// λ and W, where there is a penalty.
    pub(crate) fn penalty_gradient(&self) -> Option<(T, Matrix<'p, T>)> {
        self.has_penalty().then(|| (T::narrow(self.objective.l2), self.weights))
    }

    /// The loss (7) for a sum of sample losses, in f64. `squared_norm` gives ‖W‖².
    pub(crate) fn loss(&self, loss_sum: f64, squared_norm: impl FnOnce() -> f64) -> f64 {
        let loss = if self.problem.has_targets() { loss_sum / self.total_weight } else { 0.0 };
        if !self.has_penalty() {
            return loss;
        }
        loss + self.objective.l2 / 2.0 * squared_norm()
    }
}

/// Makes dX of ignored samples zero: what was computed is zero times weights, which may be infinite.
pub(crate) fn clear_ignored<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    samples: usize,
    outputs: &mut Outputs<'_, T>,
) {
    if let Some(dx) = outputs.features_gradient.as_mut().filter(|_| terms.ignores()) {
        for i in (0..samples).filter(|&i| terms.is_ignored(i)) {
            dx.row_mut(i).fill(T::zero());
        }
    }
}
