//! State of up to [`ROWS`] samples between the two products, one array per quantity, so that samples are in the vector
//! lanes. Implements formulas (3), (4), (6) and (8), except for the parts that visit every class.

use crate::kernel::level::FusedElement;
use crate::terms::{NONE, Terms};

/// Maximum number of samples.
pub(crate) const ROWS: usize = 64;

/// One number per sample.
pub(crate) type Column<T> = [T; ROWS];

#[derive(Clone, Debug)]
pub(crate) struct Columns<T> {
    pub(crate) first_sample: usize,
    pub(crate) rows: usize,

    /// m, the largest score, and its class: the lowest index on ties.
    pub(crate) max: Column<T>,
    pub(crate) best: [u32; ROWS],
    /// Σ exp(s − m) over all classes except `best`, whose term is 1.
    pub(crate) rest: Column<T>,
    /// Σ a·(s − m).
    pub(crate) cross: Column<T>,
    /// Σ exp(s − m)·(m − s), and the score of the label (NaN if the label is no class). Only set if the entropy or the
    /// label's facts are requested.
    pub(crate) spread: Column<T>,
    pub(crate) label_score: Column<T>,
    /// Number of classes with a larger score than the label.
    pub(crate) above: [u32; ROWS],

    /// The label y, or `NONE` if the sample has none or is ignored; A, which is 0 if it is ignored.
    pub(crate) label: [usize; ROWS],
    pub(crate) total_mass: Column<T>,
    /// The target mass a of class `best`.
    best_mass: Column<T>,

    /// ln(1 + rest) = lse − m.
    log_rest: Column<T>,
    pub(crate) loss: Column<T>,

    /// G is e·factor − scale·a, except at the best class, where it is `at_best`.
    pub(crate) factor: Column<T>,
    pub(crate) scale: Column<T>,
    pub(crate) at_label: Column<T>,
    pub(crate) at_best: Column<T>,
    /// Factor of exp·(m − s) in G, if gradients depend on entropies.
    pub(crate) of_distance: Column<T>,
}

impl<T: FusedElement> Columns<T> {
    pub(crate) fn new() -> Self {
        let zeros = [T::zero(); ROWS];
        Columns {
            first_sample: 0,
            rows: 0,
            max: zeros,
            best: [0; ROWS],
            rest: zeros,
            cross: zeros,
            spread: zeros,
            label_score: zeros,
            above: [0; ROWS],
            label: [NONE; ROWS],
            total_mass: zeros,
            best_mass: zeros,
            log_rest: zeros,
            loss: zeros,
            factor: zeros,
            scale: zeros,
            at_label: zeros,
            at_best: zeros,
            of_distance: zeros,
        }
    }

    /// Starts with the samples from `first_sample` on.
    #[inline(always)]
    pub(crate) fn begin(&mut self, terms: &Terms<'_, '_, T>, first_sample: usize, rows: usize) {
        self.begin_labels(terms, first_sample, rows);
        terms.total_masses(first_sample, &self.label[..rows], &mut self.total_mass[..rows]);
    }

    /// Sets labels and ignored samples alone, without the masses.
    #[inline(always)]
    pub(crate) fn begin_labels(&mut self, terms: &Terms<'_, '_, T>, first_sample: usize, rows: usize) {
        (self.first_sample, self.rows) = (first_sample, rows);
        terms.labels(first_sample, &mut self.label[..rows]);
    }

    /// Number of the `classes` classes with a larger score than the label: all of them if the label is no class.
    pub(crate) fn label_rank(&self, k: usize, classes: usize) -> usize {
        if self.label_score[k].is_nan() { classes } else { self.above[k] as usize }
    }

    pub(crate) fn best(&self, k: usize) -> usize {
        self.best[k] as usize
    }

    pub(crate) fn lse(&self, k: usize) -> T {
        self.max[k] + self.log_rest[k] + self.defect(k)
    }

    /// The entropy H (10), from `rest` and `spread`: a sum of non-negative terms.
    pub(crate) fn entropy(&self, k: usize) -> T {
        self.log_rest[k] + self.spread[k] / (T::one() + self.rest[k]) + self.defect(k)
    }

    /// log p of a class, from its score.
    pub(crate) fn log_prob(&self, k: usize, score: T) -> T {
        -((self.max[k] - score) + self.log_rest[k])
    }

    /// 0, or NaN if the maximum is not finite: added to a result, it passes the NaN on.
    pub(crate) fn defect(&self, k: usize) -> T {
        self.max[k] * T::zero()
    }

    /// Number of samples whose predicted class is the label.
    pub(crate) fn correct(&self) -> usize {
        (0..self.rows).filter(|&k| self.label[k] == self.best(k)).count()
    }

    /// Computes the losses ℓ (6) from `max`, `rest` and `cross`; returns their sum in f64.
    #[inline(always)]
    pub(crate) fn losses(&mut self, terms: &Terms<'_, '_, T>) -> f64 {
        self.log_rest = self.rest;
        T::ln_1p_in_place(&mut self.log_rest);
        let z_loss = terms.z_loss();
        for k in 0..ROWS {
            let mut loss = self.total_mass[k] * self.log_rest[k] - self.cross[k];
            if z_loss != T::zero() {
                loss += z_loss * self.lse(k) * self.lse(k);
            }
            self.loss[k] = loss + self.defect(k);
        }
        terms.weigh(self.first_sample, &mut self.loss[..self.rows]);
        for k in 0..self.rows {
            if terms.is_ignored(self.first_sample + k) {
                self.loss[k] = T::zero();
            }
        }
        self.loss[..self.rows].iter().map(|loss| loss.widen()).sum()
    }

    /// Computes the factors of (8) from `best`, `max` and `rest`.
    #[inline(always)]
    pub(crate) fn slopes(&mut self, terms: &Terms<'_, '_, T>) {
        let Columns { first_sample, rows, .. } = *self;
        terms.shares(first_sample, &mut self.scale[..rows]);
        for k in 0..rows {
            self.best_mass[k] = if terms.is_point() {
                if self.label[k] == self.best(k) { self.total_mass[k] } else { T::zero() }
            } else if terms.has_class(self.best(k)) {
                terms.mass(first_sample + k, self.best(k))
            } else {
                T::zero()
            };
        }
        let twice_z = terms.z_loss() + terms.z_loss();
        for k in 0..ROWS {
            let (total_mass, best_mass, rest) = (self.total_mass[k], self.best_mass[k], self.rest[k]);
            let z_slope = if twice_z == T::zero() { T::zero() } else { twice_z * self.lse(k) };
            let sum = T::one() + rest;
            let factor = (total_mass + z_slope) / sum;
            // If p is above one half, A·p − a is computed as Σ a − A·Σ p over the other classes, which keeps its
            // digits.
            let others = (total_mass - best_mass) - total_mass * (rest / sum) + z_slope / sum;
            let at_best = if rest < T::one() { others } else { factor - best_mass };
            self.factor[k] = self.scale[k] * factor;
            self.at_label[k] = self.scale[k] * total_mass;
            self.at_best[k] = self.scale[k] * (at_best + self.defect(k));
        }
        for k in 0..rows {
            // (11): −p·(log p + H) is p·((m − s) − Σ p·(m − s)). At the best class m − s is 0, so only the second term
            // remains.
            if let Some((of_entropy, of_lse)) = terms.beyond_loss(first_sample + k) {
                let sum = T::one() + self.rest[k];
                let beyond = (of_lse - of_entropy * (self.spread[k] / sum)) / sum;
                self.factor[k] += beyond;
                self.at_best[k] += beyond;
                self.of_distance[k] = of_entropy / sum;
            }
        }
    }

    /// Subtracts sample k's target mass from its `e·factor`. Class c is at `tile[at(c)]`.
    #[inline(always)]
    pub(crate) fn subtract_mass(
        &self,
        terms: &Terms<'_, '_, T>,
        k: usize,
        classes: usize,
        tile: &mut [T],
        at: impl Fn(usize) -> usize,
    ) {
        let i = self.first_sample + k;
        if terms.is_point() && self.label[k] != NONE {
            tile[at(self.label[k])] -= self.at_label[k];
        } else if terms.is_ignored(i) {
            // An ignored row is 0, even if an exponential is NaN.
            (0..classes).for_each(|c| tile[at(c)] = T::zero());
            return;
        } else {
            (0..classes).for_each(|c| tile[at(c)] -= self.scale[k] * terms.mass(i, c));
        }
        tile[at(self.best(k))] = self.at_best[k];
    }

    /// Subtracts sample k's target masses from a row of `e·factor` that begins at class `first`. If the target is a
    /// single class, its mass is subtracted elsewhere. The row of an ignored sample becomes 0, even if an exponential
    /// is NaN.
    #[inline(always)]
    pub(crate) fn subtract_masses(&self, terms: &Terms<'_, '_, T>, k: usize, first: usize, row: &mut [T]) {
        let i = self.first_sample + k;
        if terms.is_ignored(i) {
            row.fill(T::zero());
        } else if !terms.is_point() {
            row.iter_mut().zip(first..).for_each(|(g, c)| *g -= self.scale[k] * terms.mass(i, c));
        }
    }
}
