//! The data between the two passes over the scores: row statistics, and coefficients of the samples.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::parts::ArrayName;
use crate::problem::{Problem, check_classes, check_samples};
use ndarray::{Array1, ArrayView1, Axis, Slice};
use std::ops::Range;

/// Coefficients of the samples (N) in formula (11): the derivatives of the caller's objective by each sample's loss,
/// entropy and lse.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a, T> {
    /// g: the derivative by the loss without the sample weight u. The default u_i/Ω gives the gradient of the loss. For
    /// an objective that is a function of [`Outputs::sample_losses`](crate::Outputs::sample_losses), which include u_i,
    /// g is u_i times its derivative.
    pub losses: Option<ArrayView1<'a, T>>,
    /// h: the derivative by the entropy. Default 0.
    pub entropy: Option<ArrayView1<'a, T>>,
    /// k: the derivative by lse. Default 0.
    pub log_sum_exp: Option<ArrayView1<'a, T>>,
}

impl<T> Default for Upstream<'_, T> {
    fn default() -> Self {
        Upstream { losses: None, entropy: None, log_sum_exp: None }
    }
}

impl<'a, T> Upstream<'a, T> {
    /// Whether sample `i` has gradients: it has a target and is not ignored, or the problem has no targets and there
    /// are coefficients of entropies or lse.
    pub fn reaches<U: Element>(&self, problem: &Problem<'_, U>, i: usize) -> bool {
        let reaches_past_targets = self.entropy.is_some() || self.log_sum_exp.is_some();
        problem.counts(i) || (reaches_past_targets && !problem.has_targets())
    }

    /// The coefficients of a range of samples, for the problem that [`Problem::rows`] returns.
    ///
    /// # Panics
    /// If `samples` is out of range.
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

/// Statistics of each sample over a range of classes, from the first pass: a list of groups of classes, in class order.
/// Each backend chooses its groups; there may be only one. Only the backend that made the statistics, or another
/// instance of it, can use them, because each backend sums over groups in its own way.
///
/// A group stores six numbers per row. `softmax-fused` has one group per 256 classes in f32 and per 128 in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct RowStatistics<T> {
    classes: Range<usize>,
    total_classes: usize,
    /// The class weight of each sample's label (N); 0 if the label is not one of these classes or is ignored.
    label_weights: Array1<f64>,
    largest_class_weight: Option<f64>,
    groups: Vec<GroupStatistics<T>>,
}

/// Statistics of each row (N) over a group of classes. They determine loss, entropy, lse and gradients. If all scores
/// of a row are −∞ in the group, `max` is −∞, and `rest`, `cross` and `spread` are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatistics<T> {
    /// Σ_c w_c over the group's classes.
    pub class_weight: f64,
    /// Σ W_kc² over the group's columns.
    pub squared_norm: f64,
    /// m: the largest score.
    pub max: Array1<T>,
    /// The class with the largest score, as an index among all classes; the lowest index on ties.
    pub best: Array1<usize>,
    /// Σ_c exp(s_ic − m_i) over the classes of the group other than `best`.
    pub rest: Array1<T>,
    /// Σ_c a_ic; 0 for samples that do not count.
    pub mass: Array1<f64>,
    /// Σ_c a_ic·(m_i − s_ic); 0 for samples that do not count.
    pub cross: Array1<f64>,
    /// Σ_c exp(s_ic − m_i)·(m_i − s_ic).
    pub spread: Array1<T>,
}

impl<T: Element> RowStatistics<T> {
    /// The statistics of the problem's classes, from the statistics of their groups.
    pub fn new(problem: &Problem<'_, T>, groups: Vec<GroupStatistics<T>>) -> Self {
        RowStatistics {
            classes: problem.class_range(),
            total_classes: problem.total_classes(),
            label_weights: Array1::from_shape_fn(problem.n_samples(), |i| problem.label_weight(i)),
            largest_class_weight: problem.largest_class_weight(),
            groups,
        }
    }

    /// Statistics from the values that the methods of the same names returned in another process.
    pub fn from_parts(
        classes: Range<usize>,
        total_classes: usize,
        label_weights: Array1<f64>,
        largest_class_weight: Option<f64>,
        groups: Vec<GroupStatistics<T>>,
    ) -> Self {
        RowStatistics { classes, total_classes, label_weights, largest_class_weight, groups }
    }

    /// Merges the statistics of these classes with those of the `next`. Merging is exact, so consecutive shards may be
    /// merged in any grouping.
    ///
    /// # Errors
    /// [`Error::Classes`] if the classes are not consecutive; [`Error::Shape`] if the numbers of samples differ.
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
            // A shard without class weights has weight 1 for each class.
            (a, b) => a.or(b).map(|largest| largest.max(1.0)),
        };
        self.groups.extend(next.groups);
        Ok(self)
    }

    /// These statistics with all groups replaced by `group`.
    #[must_use]
    pub fn with_group(self, group: GroupStatistics<T>) -> Self {
        RowStatistics { groups: vec![group], ..self }
    }

    /// The statistics of a range of samples.
    ///
    /// # Panics
    /// If `samples` is out of range.
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

    /// Appends the statistics of the `next` samples, over the same classes in the same groups.
    ///
    /// # Errors
    /// [`Error::Classes`] if the classes differ; [`Error::Shape`] if the number of groups differs.
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

    /// The classes of these statistics, as indices among all classes.
    pub fn classes(&self) -> Range<usize> {
        self.classes.clone()
    }

    /// The number of all classes.
    pub fn total_classes(&self) -> usize {
        self.total_classes
    }

    /// The largest |class weight|, if there are class weights.
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

    /// The class weight of each sample's label (N), or 1 without class weights. 0 if the sample is ignored, or if its
    /// label is not one of these classes.
    pub fn label_weights(&self) -> ArrayView1<'_, f64> {
        self.label_weights.view()
    }

    /// Ω of formula (7) for a problem of these samples, bit-identical to [`Problem::total_weight`] of the undivided
    /// problem.
    ///
    /// # Panics
    /// If the number of samples differs from the problem's; see [`check`](Self::check).
    pub fn total_weight(&self, problem: &Problem<'_, T>) -> f64 {
        problem.sum_weights(|i| self.label_weights[i])
    }

    /// [`Problem::mass_unit`] of the undivided problem.
    pub fn mass_unit(&self, problem: &Problem<'_, T>) -> f64 {
        problem.mass_unit_for(self.largest_class_weight)
    }

    /// Checks that the statistics are over all classes of the problem, and that each group has the problem's samples.
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
        // Without groups there are statistics for 0 samples.
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
