//! The problem's options in the form that the kernels use: formulas (2) to (8), one sample or one element at a time.
//!
//! Masses are measured in a common unit (`unit`), so that extreme class weights neither overflow nor underflow.

use crate::kernel::level::FusedElement;
use crate::orders::group_classes;
use crate::softcap::cap_scores;
use crate::stored::{Matrix, Stored};
use softmax_core::ndarray::ArrayView1;
use softmax_core::{Objective, Outputs, Problem, RowStatistics, Targets, Upstream};

/// The label of a sample that has none or is ignored.
pub(crate) const NONE: usize = usize::MAX;

/// The problem's options in the form that the kernels use.
pub(crate) struct Terms<'t, 'p, T> {
    problem: &'t Problem<'p, T>,
    objective: &'t Objective,
    weights: Matrix<'p, T>,
    /// Whether any sample may be ignored.
    ignores: bool,
    bias: Option<ArrayView1<'p, T>>,
    class_weights: Option<ArrayView1<'p, T>>,
    /// The unit of masses.
    unit: f64,
    /// 1/unit.
    per_unit: T,
    /// 1 − ε, and ε/C.
    kept: T,
    spread: T,
    /// Whether every target is a single class, without smoothing.
    point: bool,
    /// Σ_c ε·w_c/C, in units.
    total_spread: T,
    /// unit/(Ω·τ): the factor of a sample without a sample weight.
    share: T,
    /// Ω, the total weight.
    pub(crate) total_weight: f64,
    /// The upstream coefficients g, h and k of each sample, if given.
    upstream: Coefficients<T>,
}

/// [`Upstream`] in contiguous arrays.
struct Coefficients<T> {
    losses: Option<Vec<T>>,
    entropy: Option<Vec<T>>,
    log_sum_exp: Option<Vec<T>>,
}

/// Quantities of all classes, of which the problem may hold a shard.
struct Whole {
    unit: f64,
    total_weight: f64,
    /// Σ_c w_c, summed by groups.
    class_weight: f64,
}

/// Σ_c w_c for each group of classes.
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
            // Only label smoothing needs the sum of the class weights.
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

    /// Terms for statistics of all classes: unit, Ω and Σ w are those of all classes, while the problem may hold a
    /// shard.
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
        // A sample without a target has no loss, but its entropy has a gradient: without targets no sample is ignored
        // if such gradients are requested.
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

    /// Whether the kernels need a second array of scores, for the slopes of a softcap.
    pub(crate) fn has_slopes(&self) -> bool {
        self.objective.softcap.is_some()
    }

    /// Writes the labels of the samples from `first` on: [`NONE`] for a sample that has none or is ignored.
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

    /// Whether every target is a single class, without smoothing.
    #[inline(always)]
    pub(crate) fn is_point(&self) -> bool {
        self.point
    }

    /// Whether a class, counted from the first class of the problem, belongs to the problem.
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

    /// Writes A of the samples from `first` on, in units; 0 for an ignored sample.
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

    /// A of a sample whose label has this class weight, in units.
    fn label_mass(&self, class_weight: T) -> T {
        self.kept * class_weight + self.total_spread
    }

    /// A of sample `i`, in units; 0 if it is ignored. For soft targets it is `of_groups`, the sum over the groups of
    /// classes.
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

    /// Multiplies losses, in units, by the sample weights.
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

    /// Writes g·unit/τ. The default of g is u/Ω.
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

    /// h/τ and k/τ of a sample, if the caller gave either.
    #[inline(always)]
    pub(crate) fn beyond_loss(&self, i: usize) -> Option<(T, T)> {
        let Coefficients { entropy, log_sum_exp, .. } = &self.upstream;
        let of = |given: &Option<Vec<T>>| {
            given.as_ref().map_or(T::zero(), |given| T::narrow(given[i].widen() / self.objective.temperature))
        };
        self.reaches_past_targets().then(|| (of(entropy), of(log_sum_exp)))
    }

    /// Whether gradients exist without targets: those of entropies and log-sum-exps.
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

    /// Whether scores equal the products X·W: no bias, temperature or softcap.
    pub(crate) fn is_bare(&self) -> bool {
        self.bias.is_none() && self.objective.temperature == 1.0 && self.objective.softcap.is_none()
    }

    /// Turns products into scores by (1) and (2): bias, temperature and softcap. Writes the slopes of the softcap.
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

    /// The part of Σ a·(s − m), in units, of the `classes` classes from `first` on, from their s − m.
    #[inline(always)]
    pub(crate) fn cross(
        &self,
        i: usize,
        label: usize,
        first: usize,
        classes: usize,
        shifted: impl Fn(usize) -> T,
    ) -> T {
        // A masked class has s − m = −∞. If it has no mass it adds 0; the product 0·∞ would be NaN.
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

    /// The label of a sample: [`NONE`] if it has none or is ignored.
    pub(crate) fn label(&self, i: usize) -> usize {
        match self.problem.targets() {
            Targets::Labels(_) => self.problem.label(i).unwrap_or(NONE),
            Targets::Soft(_) | Targets::None => NONE,
        }
    }

    /// The class that is the label of a sample, ignored or not: [`NONE`] if the label is no class.
    pub(crate) fn labelled_class(&self, i: usize) -> usize {
        self.problem.labelled_class(i).unwrap_or(NONE)
    }

    /// The label's parts of Σ a·(s − m) and of Σ a, from its s − m, if every target is a single class.
    pub(crate) fn point_cross(&self, label: usize, shifted: T) -> (T, T) {
        let mass = self.kept * self.class_weight(label);
        (if mass == T::zero() { mass } else { mass * shifted }, mass)
    }

    /// The part of Σ a·(s − m), in units, of the `classes` classes from `first` on, from their s − m.
    pub(crate) fn mass_of(&self, i: usize, first: usize, classes: usize) -> T {
        if self.is_ignored(i) {
            return T::zero();
        }
        (first..first + classes).map(|c| self.mass(i, c)).sum()
    }

    /// κ, the softcap.
    pub(crate) fn softcap(&self) -> Option<T> {
        self.objective.softcap.map(T::narrow)
    }

    /// τ, the temperature.
    pub(crate) fn temperature(&self) -> f64 {
        self.objective.temperature
    }

    /// The unit of masses.
    pub(crate) fn unit(&self) -> f64 {
        self.unit
    }

    /// The index, among all classes, of the first class of the problem.
    pub(crate) fn first_class(&self) -> usize {
        self.problem.class_range().start
    }

    /// The label of a sample, counted among all classes.
    pub(crate) fn label_of_all(&self, i: usize) -> Option<usize> {
        self.problem.label_of_all(i)
    }

    /// Whether an L2 penalty applies: λ is not 0 and the problem has targets.
    fn has_penalty(&self) -> bool {
        self.objective.l2 != 0.0 && self.problem.has_targets()
    }

    /// λ and W, if an L2 penalty applies.
    pub(crate) fn penalty_gradient(&self) -> Option<(T, Matrix<'p, T>)> {
        self.has_penalty().then(|| (T::narrow(self.objective.l2), self.weights))
    }

    /// The loss (7) in f64, from the sum of the sample losses. `squared_norm` computes ‖W‖².
    pub(crate) fn loss(&self, loss_sum: f64, squared_norm: impl FnOnce() -> f64) -> f64 {
        let loss = if self.problem.has_targets() { loss_sum / self.total_weight } else { 0.0 };
        if !self.has_penalty() {
            return loss;
        }
        loss + self.objective.l2 / 2.0 * squared_norm()
    }
}

/// Sets dX of ignored samples to zero. The computed value is zero times weights, which is NaN where a weight is
/// infinite.
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
