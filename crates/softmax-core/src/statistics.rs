//! What two passes over the scores hand on: statistics of the rows, and coefficients of the samples.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::parts::ArrayName;
use crate::problem::{Problem, check_classes, check_samples};
use ndarray::{Array1, ArrayView1, Axis, Slice};
use std::ops::Range;

/// Coefficients of the samples in formula (11), N of each: the derivatives of the caller's objective by each sample's loss,
/// entropy and lse.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a, T> {
    /// g, of the loss without the sample weight u. Default u_i/Ω: the gradient is that of the loss. Where an objective is a
    /// function of [`Outputs::sample_losses`](crate::Outputs::sample_losses), which have u in them, g is u_i times its
    /// derivative.
    pub losses: Option<ArrayView1<'a, T>>,
    /// h, of the entropy. Default 0.
    pub entropy: Option<ArrayView1<'a, T>>,
    /// k, of lse. Default 0.
    pub log_sum_exp: Option<ArrayView1<'a, T>>,
}

impl<T> Default for Upstream<'_, T> {
    fn default() -> Self {
        Upstream { losses: None, entropy: None, log_sum_exp: None }
    }
}

impl<'a, T> Upstream<'a, T> {
    /// Whether sample `i` has gradients: it has a target and is not ignored, or there are no targets, and coefficients of
    /// entropies or lse.
    pub fn reaches<U: Element>(&self, problem: &Problem<'_, U>, i: usize) -> bool {
        let reaches_past_targets = self.entropy.is_some() || self.log_sum_exp.is_some();
        problem.counts(i) || (reaches_past_targets && !problem.has_targets())
    }

    /// Those of some of the samples, beside [`Problem::rows`].
    ///
    /// # Panics
    /// Where there are no such samples.
    #[must_use]
    pub fn rows(&self, samples: Range<usize>) -> Self
    where
        T: Copy,
    {
        let of = |given: Option<ArrayView1<'a, T>>| {
            given.map(|given| given.slice_axis_move(Axis(0), Slice::from(samples.clone())))
        };
        Upstream { losses: of(self.losses), entropy: of(self.entropy), log_sum_exp: of(self.log_sum_exp) }
    }

    pub(crate) fn all(&self) -> [Option<&ArrayView1<'a, T>>; 3] {
        [self.losses.as_ref(), self.entropy.as_ref(), self.log_sum_exp.as_ref()]
    }
}

/// What the first pass knows of each sample, of some neighbouring classes: statistics of groups of them, in the order of the
/// classes. A backend has as many groups as it likes, one for instance. They are for the backend that made them, or another
/// of its kind: what a backend adds up group by group is its own.
///
/// Each group takes six numbers for each row; `softmax-fused` has one for every 256 classes of f32, or 128 of f64.
#[derive(Clone, Debug, PartialEq)]
pub struct RowStatistics<T> {
    classes: Range<usize>,
    total_classes: usize,
    /// w of each label (N) that is one of these classes, and 0 for the other samples.
    label_weights: Array1<f64>,
    largest_class_weight: Option<f64>,
    groups: Vec<GroupStatistics<T>>,
}

/// Statistics of each row (N) over a group of classes, from which loss, entropy, lse and gradients follow. Of a row whose scores
/// are all −∞ in the group, `max` is −∞, and `rest`, `cross` and `spread` are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatistics<T> {
    /// Σ_c w_c over the group's classes.
    pub class_weight: f64,
    /// Σ W_kc² over the group's columns.
    pub squared_norm: f64,
    /// m: the largest score.
    pub max: Array1<T>,
    /// Which of all classes has it, the first of equals.
    pub best: Array1<usize>,
    /// Σ_c exp(s_ic − m_i) over the classes other than that.
    pub rest: Array1<T>,
    /// Σ_c a_ic, of samples that count.
    pub mass: Array1<f64>,
    /// Σ_c a_ic·(m_i − s_ic), of samples that count.
    pub cross: Array1<f64>,
    /// Σ_c exp(s_ic − m_i)·(m_i − s_ic).
    pub spread: Array1<T>,
}

impl<T: Element> RowStatistics<T> {
    /// The statistics of a problem's classes, by groups.
    pub fn new(problem: &Problem<'_, T>, groups: Vec<GroupStatistics<T>>) -> Self {
        RowStatistics {
            classes: problem.class_range(),
            total_classes: problem.total_classes(),
            label_weights: Array1::from_shape_fn(problem.n_samples(), |i| problem.label_weight(i)),
            largest_class_weight: problem.largest_class_weight(),
            groups,
        }
    }

    /// Those of `classes` of so many in all, from what [`classes`](Self::classes) to [`groups`](Self::groups) gave elsewhere:
    /// in another process.
    pub fn from_parts(
        classes: Range<usize>,
        total_classes: usize,
        label_weights: Array1<f64>,
        largest_class_weight: Option<f64>,
        groups: Vec<GroupStatistics<T>>,
    ) -> Self {
        RowStatistics { classes, total_classes, label_weights, largest_class_weight, groups }
    }

    /// Those of these classes and the next. Merging is exact: neighbouring shards may be merged in any grouping.
    ///
    /// # Errors
    /// [`Error::Classes`] where they are not the next classes, [`Error::Shape`] where samples differ in number.
    pub fn merge(mut self, next: Self) -> Result<Self> {
        if next.classes.start != self.classes.end {
            let expected = self.classes.end..self.total_classes;
            return Err(Error::Classes { expected, found: next.classes });
        }
        check_classes(0..self.total_classes, 0..next.total_classes)?;
        check_samples(ArrayName::RowStatistics, self.n_samples(), next.n_samples())?;
        self.classes.end = next.classes.end;
        self.label_weights += &next.label_weights;
        self.largest_class_weight = match (self.largest_class_weight, next.largest_class_weight) {
            (Some(a), Some(b)) => Some(a.max(b)),
            // Without class weights they are 1.
            (a, b) => a.or(b).map(|largest| largest.max(1.0)),
        };
        self.groups.extend(next.groups);
        Ok(self)
    }

    /// The same with its groups' sums in one group.
    #[must_use]
    pub fn with_group(self, group: GroupStatistics<T>) -> Self {
        RowStatistics { groups: vec![group], ..self }
    }

    /// Those of some of the samples.
    ///
    /// # Panics
    /// Where there are no such samples.
    #[must_use]
    pub fn rows(&self, samples: Range<usize>) -> Self {
        let of_group = |group: &GroupStatistics<T>| GroupStatistics {
            max: rows(&group.max, &samples),
            best: rows(&group.best, &samples),
            rest: rows(&group.rest, &samples),
            mass: rows(&group.mass, &samples),
            cross: rows(&group.cross, &samples),
            spread: rows(&group.spread, &samples),
            ..*group
        };
        RowStatistics {
            classes: self.classes.clone(),
            label_weights: rows(&self.label_weights, &samples),
            groups: self.groups.iter().map(of_group).collect(),
            ..*self
        }
    }

    /// Those of these samples and the next, of the same classes in the same groups.
    ///
    /// # Errors
    /// [`Error::Classes`] where classes differ, [`Error::Shape`] where groups do.
    pub fn followed_by(mut self, next: &Self) -> Result<Self> {
        check_classes(self.classes.clone(), next.classes.clone())?;
        check_samples(ArrayName::RowStatistics, self.groups.len(), next.groups.len())?;
        append(&mut self.label_weights, &next.label_weights);
        for (group, next) in self.groups.iter_mut().zip(&next.groups) {
            append(&mut group.max, &next.max);
            append(&mut group.best, &next.best);
            append(&mut group.rest, &next.rest);
            append(&mut group.mass, &next.mass);
            append(&mut group.cross, &next.cross);
            append(&mut group.spread, &next.spread);
        }
        Ok(self)
    }

    /// Which of all classes these are of.
    pub fn classes(&self) -> Range<usize> {
        self.classes.clone()
    }

    /// The number of all classes.
    pub fn total_classes(&self) -> usize {
        self.total_classes
    }

    /// The size of the largest class weight, where there are any.
    pub fn largest_class_weight(&self) -> Option<f64> {
        self.largest_class_weight
    }

    /// The groups, in the order of their classes.
    pub fn groups(&self) -> &[GroupStatistics<T>] {
        &self.groups
    }

    /// The number of samples N.
    pub fn n_samples(&self) -> usize {
        self.label_weights.len()
    }

    /// w of each sample's label (N), 1 without class weights; 0 where a sample has no label, or is ignored.
    pub fn label_weights(&self) -> ArrayView1<'_, f64> {
        self.label_weights.view()
    }

    /// Ω of formula (7) for a problem of these samples: summed as [`Problem::total_weight`] is, to the same bits.
    ///
    /// # Panics
    /// Where the problem has other samples; [`check`](Self::check) tells.
    pub fn total_weight(&self, problem: &Problem<'_, T>) -> f64 {
        problem.sum_weights(|i| self.label_weights[i])
    }

    /// [`Problem::mass_unit`] of the whole problem, of which this is a shard.
    pub fn mass_unit(&self, problem: &Problem<'_, T>) -> f64 {
        problem.mass_unit_for(self.largest_class_weight)
    }

    /// Checks that these are of all classes, and of as many as the problem's, and that each group has its samples.
    ///
    /// # Errors
    /// [`Error::Classes`] or [`Error::Shape`].
    pub fn check(&self, problem: &Problem<'_, T>) -> Result<()> {
        check_classes(0..problem.total_classes(), self.classes.clone())?;
        let of_group = |group: &GroupStatistics<T>| {
            let GroupStatistics { max, best, rest, mass, cross, spread, .. } = group;
            [max.len(), best.len(), rest.len(), mass.len(), cross.len(), spread.len()]
        };
        let lengths = self.groups.iter().flat_map(of_group).chain([self.n_samples()]);
        // Without a group no sample has statistics.
        let lengths = lengths.chain(self.groups.is_empty().then_some(0));
        lengths
            .into_iter()
            .try_for_each(|found| check_samples(ArrayName::RowStatistics, problem.n_samples(), found))
    }
}

fn rows<A: Clone>(array: &Array1<A>, samples: &Range<usize>) -> Array1<A> {
    array.slice_axis(Axis(0), Slice::from(samples.clone())).to_owned()
}

fn append<A: Clone>(array: &mut Array1<A>, next: &Array1<A>) {
    array.append(Axis(0), next.view()).expect("arrays of one axis");
}
