mod division;

use crate::element::{Dtype, Element};
use crate::error::{Error, Result};
use crate::features::Features;
use crate::objective::{Objective, Reduction};
use crate::parts::{ArrayName, AxisName, OptionName};
use crate::support::{Feature, FeatureSet};
use crate::targets::Targets;
use crate::views::View1;
use crate::weights::Weights;
use ndarray::{ArrayView, ArrayView1, Dimension};
use std::ops::Range;

/// The checked inputs of an evaluation. Shapes agree; labels are classes or the ignored value; class weights and sample
/// weights are finite; soft targets are finite and not negative; options are in their ranges, also when rounded to `T`;
/// there is at least one class. Backends rely on all of this.
///
/// A problem borrows its arrays, with any strides. Features, weights and bias may contain any number, including NaN and
/// infinities. N and D may be zero.
#[derive(Clone, Debug)]
pub struct Problem<'a, T> {
    features: Features<'a, T>,
    weights: Weights<'a, T>,
    targets: Targets<'a, T>,
    bias: Option<View1<'a, T>>,
    class_weights: Option<View1<'a, T>>,
    sample_weights: Option<View1<'a, T>>,
    objective: Objective,
    /// For a shard: its first class, and the number of all classes.
    shard: Option<(usize, usize)>,
    /// For a part of the samples: Ω of all samples.
    given_total_weight: Option<f64>,
    /// Ω, set by `build`.
    total_weight: f64,
    /// Whether a class weight or sample weight is negative, set by `build`.
    has_negative_weights: bool,
}

/// Builds a [`Problem`]; see [`Problem::builder`].
#[derive(Clone, Debug)]
#[must_use = "a problem is made by `build`"]
pub struct ProblemBuilder<'a, T>(Problem<'a, T>);

impl<'a, T: Element> ProblemBuilder<'a, T> {
    /// Replaces the features X (N×D).
    pub fn features(mut self, features: impl Into<Features<'a, T>>) -> Self {
        self.0.features = features.into();
        self
    }

    /// Replaces the weights W (D×C).
    pub fn weights(mut self, weights: impl Into<Weights<'a, T>>) -> Self {
        self.0.weights = weights.into();
        self
    }

    /// Replaces the targets.
    pub fn targets(mut self, targets: impl Into<Targets<'a, T>>) -> Self {
        self.0.targets = targets.into();
        self
    }

    /// The bias b (C), added to every sample's raw scores. −∞ masks a class. By default there is no bias.
    pub fn bias(mut self, bias: impl Into<Option<ArrayView1<'a, T>>>) -> Self {
        self.0.bias = bias.into();
        self
    }

    /// Class weights w (C), finite. Default 1.
    pub fn class_weights(mut self, class_weights: impl Into<Option<ArrayView1<'a, T>>>) -> Self {
        self.0.class_weights = class_weights.into();
        self
    }

    /// Sample weights u (N), finite. Default 1.
    pub fn sample_weights(mut self, sample_weights: impl Into<Option<ArrayView1<'a, T>>>) -> Self {
        self.0.sample_weights = sample_weights.into();
        self
    }

    /// The options of the loss. Default [`Objective::default`].
    pub fn objective(mut self, objective: Objective) -> Self {
        self.0.objective = objective;
        self
    }

    /// Makes this the problem of a shard of the classes, for [two passes](crate::TwoPass): the shard begins at class
    /// `first` of `total` classes and has as many as W has columns. Weights, bias, class weights and soft targets are
    /// the shard's; labels are indices among all classes.
    pub fn shard(mut self, first: usize, total: usize) -> Self {
        self.0.shard = Some((first, total));
        self
    }

    /// Checks all inputs.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::Classes`], [`Error::Shape`], [`Error::Option`], [`Error::Label`] or
    /// [`Error::Value`]. If several apply, the first in this order.
    pub fn build(self) -> Result<Problem<'a, T>> {
        let mut problem = self.0;
        problem.check_shapes()?;
        problem.objective.check()?;
        check_rounded::<T>(&problem.objective)?;
        problem.check_targets()?;
        for (name, weights) in [
            (ArrayName::ClassWeights, problem.class_weights),
            (ArrayName::SampleWeights, problem.sample_weights),
        ] {
            if let Some(weights) = weights {
                let least = check_entries(name, weights, T::neg_infinity(), "a finite number")?;
                problem.has_negative_weights |= least < T::zero();
            }
        }
        problem.total_weight = problem.sum_weights(|i| problem.label_weight(i));
        Ok(problem)
    }
}

/// Checks options as rounded to `T`: L2 and z-loss must be finite, softcap and temperature must be normal numbers.
fn check_rounded<T: Element>(objective: &Objective) -> Result<()> {
    let require = |option, found, holds, expected| {
        if holds { Ok(()) } else { Err(Error::Option { option, expected, found }) }
    };
    for (option, value) in [(OptionName::L2, objective.l2), (OptionName::ZLoss, objective.z_loss)] {
        let holds = T::narrow(value).is_finite();
        require(option, value, holds, "a number that is finite in the element type")?;
    }
    for (option, value) in [
        (OptionName::Softcap, objective.softcap.unwrap_or(1.0)),
        (OptionName::Temperature, objective.temperature),
    ] {
        let holds = T::narrow(value).is_normal();
        require(option, value, holds, "a normal number of the element type")?;
    }
    Ok(())
}

impl<'a, T: Element> Problem<'a, T> {
    /// Starts a problem from features X (N×D), weights W (D×C), and labels (N), soft targets (N×C) or
    /// [`Targets::None`].
    pub fn builder(
        features: impl Into<Features<'a, T>>,
        weights: impl Into<Weights<'a, T>>,
        targets: impl Into<Targets<'a, T>>,
    ) -> ProblemBuilder<'a, T> {
        ProblemBuilder(Problem {
            features: features.into(),
            weights: weights.into(),
            targets: targets.into(),
            bias: None,
            class_weights: None,
            sample_weights: None,
            objective: Objective::default(),
            shard: None,
            given_total_weight: None,
            total_weight: 0.0,
            has_negative_weights: false,
        })
    }

    /// The number of samples N.
    pub fn n_samples(&self) -> usize {
        self.features.dim().0
    }

    /// The number of features D.
    pub fn n_features(&self) -> usize {
        self.features.dim().1
    }

    /// The number of classes C, at least 1. For a shard, the number of its own classes.
    pub fn n_classes(&self) -> usize {
        self.weights.dim().1
    }

    /// The number of classes over all shards. Without shards, C.
    pub fn total_classes(&self) -> usize {
        self.shard.map_or(self.n_classes(), |(_, total)| total)
    }

    /// The classes of this problem, as indices among all classes.
    pub fn class_range(&self) -> Range<usize> {
        let first = self.shard.map_or(0, |(first, _)| first);
        first..first + self.n_classes()
    }

    /// Checks that an array has a row for each sample.
    ///
    /// # Errors
    /// [`Error::Shape`], which names `array`.
    pub fn check_samples(&self, array: ArrayName, found: usize) -> Result<()> {
        check_samples(array, self.n_samples(), found)
    }

    /// Checks that this is not a shard. A shard has statistics but no loss.
    ///
    /// # Errors
    /// [`Error::Classes`].
    pub fn check_whole(&self) -> Result<()> {
        check_classes(0..self.total_classes(), self.class_range())
    }

    /// X (N×D).
    pub fn features(&self) -> Features<'a, T> {
        self.features
    }

    /// W (D×C).
    pub fn weights(&self) -> Weights<'a, T> {
        self.weights
    }

    /// Labels (N), soft targets (N×C), or none.
    pub fn targets(&self) -> &Targets<'a, T> {
        &self.targets
    }

    /// b (C).
    pub fn bias(&self) -> Option<ArrayView1<'a, T>> {
        self.bias
    }

    /// w (C).
    pub fn class_weights(&self) -> Option<ArrayView1<'a, T>> {
        self.class_weights
    }

    /// u (N).
    pub fn sample_weights(&self) -> Option<ArrayView1<'a, T>> {
        self.sample_weights
    }

    /// The options of the loss.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The class of sample `i`'s label, as a column of W. `None` if the sample is ignored, if the targets are not
    /// labels, or if the class is in another shard.
    #[inline]
    pub fn label(&self, i: usize) -> Option<usize> {
        self.column(self.label_of_all(i))
    }

    /// The label of sample `i` as an index among all classes. `None` if the sample is ignored or the targets are not
    /// labels.
    #[inline]
    pub fn label_of_all(&self, i: usize) -> Option<usize> {
        match &self.targets {
            Targets::Labels(labels) => labels.class(i, self.objective.ignore_index),
            Targets::Soft(_) | Targets::None => None,
        }
    }

    /// The class of sample `i`'s label as a column of W, ignored or not. `None` if the label is not a class, if the
    /// targets are not labels, or if the class is in another shard.
    #[inline]
    pub fn labelled_class(&self, i: usize) -> Option<usize> {
        match &self.targets {
            Targets::Labels(labels) => self.column(labels.class(i, None)),
            Targets::Soft(_) | Targets::None => None,
        }
    }

    /// Converts an index among all classes to a column of W. `None` if the class is in another shard.
    #[inline]
    fn column(&self, class: Option<usize>) -> Option<usize> {
        let first = self.shard.map_or(0, |(first, _)| first);
        class?.checked_sub(first).filter(|&column| column < self.n_classes())
    }

    /// Whether sample `i` counts: it has a target and is not ignored.
    #[inline]
    pub fn counts(&self, i: usize) -> bool {
        match &self.targets {
            Targets::Labels(labels) => labels.class(i, self.objective.ignore_index).is_some(),
            Targets::Soft(_) => true,
            Targets::None => false,
        }
    }

    /// Whether the targets are hard labels.
    pub fn has_labels(&self) -> bool {
        matches!(self.targets, Targets::Labels(_))
    }

    /// Whether there are targets. Without them the loss, the penalty and the gradients are 0, except the gradients of
    /// entropies and lse in [two passes](crate::TwoPass).
    pub fn has_targets(&self) -> bool {
        !matches!(self.targets, Targets::None)
    }

    /// Ω of formula (7), summed in f64 in the order of the samples. For a shard with hard labels under the mean, the
    /// sum covers only labels in the shard; [`RowStatistics::total_weight`](crate::RowStatistics::total_weight) covers
    /// all of them.
    pub fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// Ω of all samples, if this is [a part of them](Self::as_part).
    pub fn given_total_weight(&self) -> Option<f64> {
        self.given_total_weight
    }

    /// The features that a backend needs to evaluate this problem.
    pub fn needs(&self) -> FeatureSet {
        let objective = &self.objective;
        let dtype = match T::DTYPE {
            Dtype::F32 => Feature::F32,
            Dtype::F64 => Feature::F64,
        };
        let storage = [self.features.storage(), self.weights.storage()];
        storage
            .into_iter()
            .flatten()
            .collect::<FeatureSet>()
            .with(dtype)
            .with_if(matches!(self.targets, Targets::Soft(_)), Feature::SoftTargets)
            .with_if(matches!(self.targets, Targets::None), Feature::NoTargets)
            .with_if(self.total_classes() == 1, Feature::OneClass)
            .with_if(self.bias.is_some(), Feature::Bias)
            .with_if(self.class_weights.is_some(), Feature::ClassWeights)
            .with_if(self.sample_weights.is_some(), Feature::SampleWeights)
            .with_if(self.has_negative_weights, Feature::NegativeWeights)
            .with_if(objective.reduction == Reduction::Sum, Feature::SumReduction)
            .with_if(objective.label_smoothing != 0.0, Feature::LabelSmoothing)
            .with_if(objective.ignore_index.is_some() && self.has_labels(), Feature::IgnoreIndex)
            .with_if(objective.l2 != 0.0, Feature::L2)
            .with_if(objective.z_loss != 0.0, Feature::ZLoss)
            .with_if(objective.softcap.is_some(), Feature::Softcap)
            .with_if(objective.temperature != 1.0, Feature::Temperature)
            .with_if(self.given_total_weight.is_some(), Feature::PartOfSamples)
    }

    fn check_shapes(&self) -> Result<()> {
        let (n, d, c) = (self.n_samples(), self.n_features(), self.n_classes());
        if c == 0 {
            return Err(Error::NoClasses);
        }
        if let Some((first, total)) = self.shard
            && first.checked_add(c).is_none_or(|end| end > total)
        {
            return Err(Error::Classes { expected: 0..total, found: first..first.saturating_add(c) });
        }
        let require = |array, axis, expected, found| {
            if expected == found { Ok(()) } else { Err(Error::Shape { array, axis, expected, found }) }
        };
        require(ArrayName::Weights, AxisName::Features, d, self.weights.dim().0)?;
        match &self.targets {
            Targets::Labels(labels) => require(ArrayName::Labels, AxisName::Samples, n, labels.len())?,
            Targets::Soft(soft) => {
                require(ArrayName::SoftTargets, AxisName::Samples, n, soft.nrows())?;
                require(ArrayName::SoftTargets, AxisName::Classes, c, soft.ncols())?;
            }
            Targets::None => {}
        }
        if let Some(bias) = self.bias {
            require(ArrayName::Bias, AxisName::Classes, c, bias.len())?;
        }
        if let Some(class_weights) = self.class_weights {
            require(ArrayName::ClassWeights, AxisName::Classes, c, class_weights.len())?;
        }
        if let Some(sample_weights) = self.sample_weights {
            require(ArrayName::SampleWeights, AxisName::Samples, n, sample_weights.len())?;
        }
        Ok(())
    }

    fn check_targets(&self) -> Result<()> {
        let ignore_index = self.objective.ignore_index;
        match &self.targets {
            Targets::Labels(labels) => {
                let classes = self.total_classes();
                let is_class = |i: usize| self.label_of_all(i).is_some_and(|y| y < classes);
                let is_ignored = |i: usize| ignore_index.is_some_and(|y| i128::from(y) == labels.value(i));
                match (0..labels.len()).find(|&i| !is_class(i) && !is_ignored(i)) {
                    None => Ok(()),
                    Some(sample) => {
                        Err(Error::Label { sample, label: labels.value(sample), classes, ignore_index })
                    }
                }
            }
            Targets::Soft(soft) => {
                check_entries(ArrayName::SoftTargets, *soft, T::zero(), "a finite number, at least 0")
                    .map(drop)
            }
            Targets::None => Ok(()),
        }
    }
}

/// Returns an error unless the number of samples is the expected one.
pub(crate) fn check_samples(array: ArrayName, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape { array, axis: AxisName::Samples, expected, found })
}

/// Returns an error unless the classes are the expected ones.
pub(crate) fn check_classes(expected: Range<usize>, found: Range<usize>) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Classes { expected, found }) }
}

/// Returns an error if an entry is not finite or is below `least`; otherwise the smallest entry, or 0 if none is
/// negative.
fn check_entries<T: Element, D: Dimension>(
    array: ArrayName,
    entries: ArrayView<'_, T, D>,
    least: T,
    expected: &'static str,
) -> Result<T> {
    let is_admitted = |x: T| x.is_finite() && x >= least;
    match entries.iter().position(|&x| !is_admitted(x)) {
        None => Ok(entries.iter().fold(T::zero(), |min, &x| if x < min { x } else { min })),
        Some(position) => {
            let found = entries.iter().nth(position).map_or(f64::NAN, |x| x.widen());
            Err(Error::Value { array, index: unravel(position, entries.shape()), expected, found })
        }
    }
}

/// The index per axis of the `position`-th entry in logical order.
fn unravel(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (slot, &length) in index.iter_mut().zip(shape).rev() {
        *slot = position % length;
        position /= length;
    }
    index
}
