//! The steps for one sample between the products: G_i replaces the raw scores in place.

use crate::facts::RowFacts;
use ndarray::{ArrayView1, ArrayViewMut1, Zip};
use softmax_core::{Element, Objective, Problem, Targets};

/// The coefficients that are the same for every sample.
pub(crate) struct Terms<'a, T> {
    objective: &'a Objective,
    class_weights: Option<ArrayView1<'a, T>>,
    /// The mass unit, [`Problem::mass_unit`].
    unit: f64,
    /// 1 − ε.
    kept: T,
    /// ε/C.
    spread: T,
    /// Σ_c ε·w_c/C, in mass units.
    total_spread: T,
}

/// The results of a row that do not depend on Ω.
pub(crate) struct Summary<T> {
    pub(crate) lse: T,
    pub(crate) best: usize,
    /// ℓ_i.
    pub(crate) loss: T,
}

/// The target of one sample: a label, or a row of soft targets. Label smoothing is in [`Terms`].
enum Target<'a, T> {
    Label(usize),
    Soft(ArrayView1<'a, T>),
}

impl<'a, T: Element> Terms<'a, T> {
    pub(crate) fn new(problem: &'a Problem<'_, T>) -> Self {
        let objective = problem.objective();
        let spread = T::narrow(objective.label_smoothing / problem.n_classes() as f64);
        let class_weights = problem.class_weights();
        let unit = problem.mass_unit();
        let classes = problem.n_classes() as f64;
        let total = class_weights.map_or(classes, |w| w.iter().map(|w| w.widen() / unit).sum());
        let kept = T::narrow(1.0 - objective.label_smoothing);
        Terms { objective, class_weights, unit, kept, spread, total_spread: spread * T::narrow(total) }
    }

    /// Replaces the scores in `row`, whose largest is at `best`, with G_i without the factor of the softcap's slopes.
    /// Without `total_weight` there is no G_i, only the summary. An ignored sample has zero G_i and zero loss.
    pub(crate) fn process(
        &self,
        problem: &Problem<'_, T>,
        i: usize,
        mut row: ArrayViewMut1<'_, T>,
        best: usize,
        facts: Option<&mut RowFacts<T>>,
        total_weight: Option<f64>,
    ) -> Summary<T> {
        let max = row[best];
        row -= max;

        let target = match problem.targets() {
            Targets::Labels(_) | Targets::None => problem.label(i).map(Target::Label),
            Targets::Soft(soft) => Some(Target::Soft(soft.row(i).reborrow())),
        };
        let cross = target.as_ref().map_or(T::zero(), |target| self.cross(target, row.view()));

        // The sum leaves out the largest term, which is exactly 1. So the others keep their digits in log1p.
        row.mapv_inplace(T::exp);
        let at_best = std::mem::replace(&mut row[best], T::zero());
        // With a single class, no other term carries the NaN.
        let rest = if max.is_nan() { max } else { row.sum() };
        row[best] = at_best;
        let log_rest = rest.ln_1p();
        let lse = max + log_rest;
        if let Some(facts) = facts {
            facts.with_exponentials(row.view(), rest, log_rest);
        }

        let Some(target) = target else {
            row.fill(T::zero());
            return Summary { lse, best, loss: T::zero() };
        };
        let total_mass = self.total_mass(&target);
        let sample_weight = problem.sample_weights().map_or(1.0, |u| u[i].widen()) * self.unit;
        let z_loss = T::narrow(self.objective.z_loss / self.unit);
        let mut loss = total_mass * log_rest - cross;
        if self.objective.z_loss != 0.0 {
            loss += z_loss * lse * lse;
        }

        let loss = T::narrow(sample_weight) * loss;
        let Some(total_weight) = total_weight else { return Summary { lse, best, loss } };

        // (8). Where p is above one half, A·p − a is computed as Σ a − A·Σ p over the other classes, to keep its
        // digits.
        let scale = T::narrow(sample_weight / total_weight / self.objective.temperature);
        let z_slope = (z_loss + z_loss) * lse;
        let sum = at_best + rest;
        let confident = (rest < T::one()).then(|| {
            total_mass - self.mass_at(&target, best) - total_mass * (rest / sum) + z_slope * (at_best / sum)
        });
        let factor = (total_mass + z_slope) / sum;
        row.mapv_inplace(|exp| factor * exp);
        self.subtract_mass(&target, &mut row);
        if let Some(confident) = confident {
            row[best] = confident;
        }
        row *= scale;
        Summary { lse, best, loss }
    }

    /// Turns X_i·W into the scores s: applies bias, temperature and softcap. Writes ∂s/∂raw to `slopes` if there is a
    /// softcap.
    pub(crate) fn cap(
        &self,
        problem: &Problem<'_, T>,
        row: &mut ArrayViewMut1<'_, T>,
        mut slopes: ArrayViewMut1<'_, T>,
    ) {
        if let Some(bias) = problem.bias() {
            *row += &bias;
        }
        if self.objective.temperature != 1.0 {
            *row /= T::narrow(self.objective.temperature);
        }
        if let Some(cap) = self.objective.softcap.map(T::narrow) {
            Zip::from(row).and(&mut slopes).for_each(|s, slope| {
                let z = *s / cap;
                // 1/cosh², because 1 − tanh² would cancel.
                let e = (-(z.abs() + z.abs())).exp();
                let half = T::one() + e;
                *slope = (e + e + e + e) / (half * half);
                *s = cap * z.tanh();
            });
        }
    }

    /// w_c, in mass units.
    fn class_weight(&self, c: usize) -> T {
        self.class_weights.map_or(T::one(), |w| w[c] * T::narrow(1.0 / self.unit))
    }

    /// a_ic, in mass units.
    fn mass_at(&self, target: &Target<'_, T>, c: usize) -> T {
        let own = match target {
            Target::Label(y) if *y == c => T::one(),
            Target::Label(_) => T::zero(),
            Target::Soft(soft) => soft[c],
        };
        (self.kept * own + self.spread) * self.class_weight(c)
    }

    /// A_i, in mass units.
    fn total_mass(&self, target: &Target<'_, T>) -> T {
        match target {
            Target::Label(y) => self.kept * self.class_weight(*y) + self.total_spread,
            Target::Soft(soft) => (0..soft.len()).map(|c| self.mass_at(target, c)).sum(),
        }
    }

    fn is_point(&self, target: &Target<'_, T>) -> bool {
        matches!(target, Target::Label(_)) && self.spread == T::zero()
    }

    /// Σ_c a_ic·(s_ic − m_i), in mass units. Classes without mass are skipped, because they may be masked.
    fn cross(&self, target: &Target<'_, T>, shifted: ArrayView1<'_, T>) -> T {
        let product = |c: usize| {
            let mass = self.mass_at(target, c);
            if mass == T::zero() { T::zero() } else { mass * shifted[c] }
        };
        match target {
            Target::Label(y) if self.is_point(target) => product(*y),
            _ => (0..shifted.len()).map(product).sum(),
        }
    }

    fn subtract_mass(&self, target: &Target<'_, T>, row: &mut ArrayViewMut1<'_, T>) {
        match target {
            Target::Label(y) if self.is_point(target) => row[*y] -= self.mass_at(target, *y),
            _ => row.indexed_iter_mut().for_each(|(c, g)| *g -= self.mass_at(target, c)),
        }
    }
}

pub(crate) fn argmax<T: Element>(row: ArrayView1<'_, T>) -> usize {
    let mut best = 0;
    for (c, &score) in row.iter().enumerate() {
        if score > row[best] {
            best = c;
        }
    }
    best
}
