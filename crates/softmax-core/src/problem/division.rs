//! Problems derived from another: with other parameters, for a range of samples, or for a range of classes.

use super::Problem;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::parts::{ArrayName, AxisName};
use crate::targets::Targets;
use crate::weights::Weights;
use ndarray::{ArrayView1, Axis, Slice};
use std::ops::Range;

impl<'a, T: Element> Problem<'a, T> {
    /// The same samples and options with new weights (D×C) and a new bias (C), for a training step. The values of
    /// targets, sample weights and class weights are not checked again.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoClasses`] or [`Error::Classes`] if the number of features or classes differs.
    pub fn with_parameters<'b>(
        &self,
        weights: impl Into<Weights<'b, T>>,
        bias: impl Into<Option<ArrayView1<'b, T>>>,
    ) -> Result<Problem<'b, T>>
    where
        'a: 'b,
    {
        let classes = self.n_classes();
        let mut moved: Problem<'b, T> = self.clone();
        moved.weights = weights.into();
        moved.bias = bias.into();
        moved.check_shapes()?;
        let found = moved.n_classes();
        if found == classes {
            return Ok(moved);
        }
        Err(Error::Shape { array: ArrayName::Weights, axis: AxisName::Classes, expected: classes, found })
    }

    /// This problem as a part of one with more samples. The mean is over all samples, whose Ω is `total_weight`. The
    /// losses and gradients of all parts sum to those of the whole problem if exactly one part has the penalty.
    ///
    /// ```
    /// use softmax_core::ndarray::array;
    /// use softmax_core::Problem;
    ///
    /// let (x, w, y) = (array![[1.0], [2.0], [3.0]], array![[0.1, 0.2]], array![0, 1, 1]);
    /// let whole = Problem::builder(x.view(), w.view(), y.view()).build()?;
    /// let batch = whole.rows(0..2).as_part(whole.total_weight(), true);
    /// assert_eq!((whole.rows(0..2).total_weight(), batch.total_weight()), (2.0, 3.0));
    /// # Ok::<(), softmax_core::Error>(())
    /// ```
    #[must_use]
    pub fn as_part(mut self, total_weight: f64, has_penalty: bool) -> Self {
        if !has_penalty {
            self.objective.l2 = 0.0;
        }
        self.given_total_weight = Some(total_weight);
        self.total_weight = self.sum_weights(|i| self.label_weight(i));
        self
    }

    /// The problem of a range of samples (a micro-batch), with the same options. Under the mean it has its own total
    /// weight, unless this problem is already [a part](Self::as_part).
    ///
    /// # Panics
    /// If `samples` is out of range.
    #[must_use]
    pub fn rows(&self, samples: Range<usize>) -> Self {
        let range = || Slice::from(samples.clone());
        let mut part = Problem {
            features: self.features.rows(samples.clone()),
            targets: match &self.targets {
                Targets::Labels(labels) => Targets::Labels(labels.range(samples.clone())),
                Targets::Soft(soft) => Targets::Soft(soft.slice_axis_move(Axis(0), range())),
                Targets::None => Targets::None,
            },
            sample_weights: self.sample_weights.map(|u| u.slice_axis_move(Axis(0), range())),
            ..self.clone()
        };
        part.total_weight = part.sum_weights(|i| part.label_weight(i));
        part
    }

    /// The problem of a range of classes, with the same options, for [two passes](crate::TwoPass).
    ///
    /// # Panics
    /// If `classes` is empty or out of range.
    #[must_use]
    pub fn shard(&self, classes: Range<usize>) -> Self {
        assert!(!classes.is_empty(), "a shard must have a class");
        let range = || Slice::from(classes.clone());
        let first = self.class_range().start + classes.start;
        let mut part = Problem {
            weights: self.weights.classes(classes.clone()),
            targets: match &self.targets {
                Targets::Soft(soft) => Targets::Soft(soft.slice_axis_move(Axis(1), range())),
                other => *other,
            },
            bias: self.bias.map(|b| b.slice_axis_move(Axis(0), range())),
            class_weights: self.class_weights.map(|w| w.slice_axis_move(Axis(0), range())),
            shard: Some((first, self.total_classes())),
            ..self.clone()
        };
        part.total_weight = part.sum_weights(|i| part.label_weight(i));
        part
    }
}
