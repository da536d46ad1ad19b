//! What two passes over the scores hand on: statistics of the rows, and coefficients of the samples.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::objective::Reduction;
use crate::parts::{ArrayName, AxisName};
use crate::problem::{Problem, check_classes};
use crate::targets::Targets;
use ndarray::{Array1, ArrayView1};
use std::ops::Range;

/// Coefficients of the samples in formula (11), N of each: what is differentiated depends on each sample's loss, entropy and
/// lse by so much.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a, T> {
    /// g, of the loss before it is multiplied by the sample weight u. Default u_i/Ω: the gradient is that of the loss.
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
    pub(crate) fn all(&self) -> [Option<&ArrayView1<'a, T>>; 3] {
        [self.losses.as_ref(), self.entropy.as_ref(), self.log_sum_exp.as_ref()]
    }
}

/// What the first pass knows of each sample, of some neighbouring classes: statistics of groups of them, in the order of the
/// classes. A backend has as many groups as it likes, one for instance.
#[derive(Clone, Debug, PartialEq)]
pub struct RowStatistics<T> {
    classes: Range<usize>,
    total_classes: usize,
    /// w of each label (N) that is one of these classes, and 0 for the other samples.
    label_weights: Array1<f64>,
    largest_class_weight: Option<f64>,
    groups: Vec<GroupStatistics<T>>,
}

/// Statistics of each row (N) over a group of classes, by which a row's scores are known up to rounding.
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
        let weight = |label| problem.class_weights().map_or(1.0, |w| w[label].widen());
        RowStatistics {
            classes: problem.class_range(),
            total_classes: problem.total_classes(),
            label_weights: Array1::from_shape_fn(problem.n_samples(), |i| {
                problem.label(i).map_or(0.0, weight)
            }),
            largest_class_weight: problem.largest_class_weight(),
            groups,
        }
    }

    /// Those of these classes and the next. It rounds nothing, so that the order in which shards are merged does not matter.
    ///
    /// # Errors
    /// [`Error::Classes`] where they are not the next classes, [`Error::Shape`] where samples differ in number.
    pub fn merge(mut self, next: Self) -> Result<Self> {
        let end = next.classes.end.max(self.classes.end);
        check_classes(self.classes.end..end, next.classes.clone())?;
        check_classes(0..self.total_classes, 0..next.total_classes)?;
        check_samples(ArrayName::RowStatistics, self.n_samples(), next.n_samples())?;
        self.classes.end = end;
        self.label_weights += &next.label_weights;
        self.largest_class_weight = match (self.largest_class_weight, next.largest_class_weight) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.groups.extend(next.groups);
        Ok(self)
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
    pub fn total_weight(&self, problem: &Problem<'_, T>) -> f64 {
        let weight = |i: usize| problem.sample_weights().map_or(1.0, |u| u[i].widen());
        match (problem.targets(), problem.objective().reduction) {
            (Targets::None, _) => 0.0,
            (_, Reduction::Sum) => 1.0,
            (Targets::Soft(_), Reduction::Mean) => (0..self.n_samples()).map(weight).sum(),
            (Targets::Labels(_), Reduction::Mean) => {
                let counted = (0..self.n_samples()).filter(|&i| problem.counts(i));
                counted.map(|i| weight(i) * self.label_weights[i]).sum()
            }
        }
    }

    /// [`Problem::mass_unit`] of the whole problem, of which this is a shard.
    pub fn mass_unit(&self, problem: &Problem<'_, T>) -> f64 {
        problem.mass_unit_for(self.largest_class_weight)
    }

    /// Checks that these are of all classes, and of as many as the problem's, and of its samples.
    ///
    /// # Errors
    /// [`Error::Classes`] or [`Error::Shape`].
    pub fn check(&self, problem: &Problem<'_, T>) -> Result<()> {
        check_classes(0..problem.total_classes(), self.classes.clone())?;
        check_samples(ArrayName::RowStatistics, problem.n_samples(), self.n_samples())
    }
}

pub(crate) fn check_samples(array: ArrayName, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape { array, axis: AxisName::Samples, expected, found })
}
