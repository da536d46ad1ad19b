use crate::element::Element;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::parts::{ArrayName, AxisName, OutputKind};
use crate::problem::Problem;
use crate::support::{Feature, FeatureSet};
use ndarray::{Array1, Array2, ArrayViewMut, ArrayViewMut1, ArrayViewMut2, Axis, RemoveAxis, Slice};
use std::ops::Range;

/// The requested outputs: each is a view of an array that the caller owns, or `None`.
///
/// A backend overwrites the views, except for gradients that [accumulate](Self::accumulate), and computes no other
/// output. Views may have any strides. After an error their contents are unspecified.
#[derive(Debug)]
pub struct Outputs<'a, T> {
    /// dW = ∂loss/∂W (D×C).
    pub weights_gradient: Option<ArrayViewMut2<'a, T>>,
    /// dX = ∂loss/∂X (N×D).
    pub features_gradient: Option<ArrayViewMut2<'a, T>>,
    /// db = ∂loss/∂b (C). For a problem without a bias, the gradient at b = 0.
    pub bias_gradient: Option<ArrayViewMut1<'a, T>>,
    /// ℓ (N): the losses of formula (6), not divided by Ω. PyTorch calls this the reduction `none`.
    pub sample_losses: Option<ArrayViewMut1<'a, T>>,
    /// lse (N).
    pub log_sum_exp: Option<ArrayViewMut1<'a, T>>,
    /// argmax_c s_ic (N), the lowest class on ties. Unspecified if the row contains a NaN.
    pub predicted: Option<ArrayViewMut1<'a, usize>>,
    /// H_i = −Σ_c p_ic·log p_ic (N), in nats.
    pub entropy: Option<ArrayViewMut1<'a, T>>,
    /// log p of the label (N), ignored or not. NaN if the label is not a class or there are no labels.
    pub label_log_prob: Option<ArrayViewMut1<'a, T>>,
    /// The number of classes with a score above the label's (N): 0 for the best class. C if the label is not a class or
    /// there are no labels. Unspecified if the row contains a NaN.
    pub label_rank: Option<ArrayViewMut1<'a, usize>>,
    /// The K classes with the largest scores (N×K, K at most C), highest score first; the lower class first on ties.
    /// Unspecified if the row contains a NaN.
    pub top_classes: Option<ArrayViewMut2<'a, usize>>,
    /// log p of the K classes with the largest scores (N×K).
    pub top_log_prob: Option<ArrayViewMut2<'a, T>>,
    /// Adds dW and db to the contents of their arrays instead of overwriting them, to sum gradients over batches. The
    /// other outputs belong to the samples of one batch and are overwritten, except that
    /// [two passes](crate::TwoPass::backward) sum dX over shards.
    pub accumulate: bool,
}

impl<T> Default for Outputs<'_, T> {
    fn default() -> Self {
        Outputs {
            weights_gradient: None,
            features_gradient: None,
            bias_gradient: None,
            sample_losses: None,
            log_sum_exp: None,
            predicted: None,
            entropy: None,
            label_log_prob: None,
            label_rank: None,
            top_classes: None,
            top_log_prob: None,
            accumulate: false,
        }
    }
}

impl<T: Element> Outputs<'_, T> {
    /// Checks each view's shape against the problem; part of [`SoftmaxBackend::check`](crate::SoftmaxBackend::check).
    ///
    /// # Errors
    /// [`Error::Shape`] names the output and the axis; [`Error::TopClasses`] if there are fewer classes than requested.
    pub fn check(&self, problem: &Problem<'_, T>) -> Result<()> {
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let require = |kind: OutputKind, axis, expected, found: Option<usize>| match found {
            Some(found) if found != expected => {
                Err(Error::Shape { array: ArrayName::Output(kind), axis, expected, found })
            }
            _ => Ok(()),
        };
        let (dw, dx) = (&self.weights_gradient, &self.features_gradient);
        require(OutputKind::WeightsGradient, AxisName::Features, d, dw.as_ref().map(|v| v.nrows()))?;
        require(OutputKind::WeightsGradient, AxisName::Classes, c, dw.as_ref().map(|v| v.ncols()))?;
        require(OutputKind::FeaturesGradient, AxisName::Samples, n, dx.as_ref().map(|v| v.nrows()))?;
        require(OutputKind::FeaturesGradient, AxisName::Features, d, dx.as_ref().map(|v| v.ncols()))?;
        let vectors = [
            (OutputKind::SampleLosses, self.sample_losses.as_ref().map(|v| v.len())),
            (OutputKind::LogSumExp, self.log_sum_exp.as_ref().map(|v| v.len())),
            (OutputKind::Predicted, self.predicted.as_ref().map(|v| v.len())),
            (OutputKind::Entropy, self.entropy.as_ref().map(|v| v.len())),
            (OutputKind::LabelLogProb, self.label_log_prob.as_ref().map(|v| v.len())),
            (OutputKind::LabelRank, self.label_rank.as_ref().map(|v| v.len())),
        ];
        let bias = self.bias_gradient.as_ref().map(|v| v.len());
        require(OutputKind::BiasGradient, AxisName::Classes, c, bias)?;
        vectors.into_iter().try_for_each(|(kind, found)| require(kind, AxisName::Samples, n, found))?;
        let classes = self.top_classes.as_ref().map(|v| v.dim());
        let log_prob = self.top_log_prob.as_ref().map(|v| v.dim());
        require(OutputKind::TopClasses, AxisName::Samples, n, classes.map(|(rows, _)| rows))?;
        require(OutputKind::TopLogProb, AxisName::Samples, n, log_prob.map(|(rows, _)| rows))?;
        let classes = problem.total_classes();
        match self.top().unwrap_or(0) {
            found if found > classes => Err(Error::TopClasses { classes, found }),
            top => require(OutputKind::TopLogProb, AxisName::Classes, top, log_prob.map(|(_, top)| top)),
        }
    }

    /// K, the requested number of best classes. `None` if neither they nor their log p are requested.
    pub fn top(&self) -> Option<usize> {
        let classes = self.top_classes.as_ref().map(|v| v.ncols());
        classes.or(self.top_log_prob.as_ref().map(|v| v.ncols()))
    }

    /// Whether the output `kind` is requested.
    pub fn wants(&self, kind: OutputKind) -> bool {
        match kind {
            OutputKind::WeightsGradient => self.weights_gradient.is_some(),
            OutputKind::FeaturesGradient => self.features_gradient.is_some(),
            OutputKind::BiasGradient => self.bias_gradient.is_some(),
            OutputKind::SampleLosses => self.sample_losses.is_some(),
            OutputKind::LogSumExp => self.log_sum_exp.is_some(),
            OutputKind::Predicted => self.predicted.is_some(),
            OutputKind::Entropy => self.entropy.is_some(),
            OutputKind::LabelLogProb => self.label_log_prob.is_some(),
            OutputKind::LabelRank => self.label_rank.is_some(),
            OutputKind::TopClasses => self.top_classes.is_some(),
            OutputKind::TopLogProb => self.top_log_prob.is_some(),
        }
    }

    /// The features that a backend needs to write the requested outputs.
    pub fn needs(&self, problem: &Problem<'_, T>) -> FeatureSet {
        let of_csr =
            self.wants(OutputKind::FeaturesGradient) && matches!(problem.features(), Features::Csr(_));
        let kinds = OutputKind::ALL.iter().filter(|&&kind| self.wants(kind));
        let of_kinds: FeatureSet = kinds.filter_map(|kind| kind.feature()).collect();
        of_kinds.with_if(of_csr, Feature::CsrFeaturesGradient).with_if(self.accumulate, Feature::Accumulation)
    }

    /// The outputs of [`TwoPass::backward`](crate::TwoPass::backward) for a shard: the shard's part of dW and db, and
    /// all of dX.
    ///
    /// # Panics
    /// If `classes` is out of range.
    pub fn of_shard(&mut self, classes: Range<usize>) -> Outputs<'_, T> {
        let range = || Slice::from(classes.clone());
        let (dw, db) = (self.weights_gradient.as_mut(), self.bias_gradient.as_mut());
        Outputs {
            weights_gradient: dw.map(|dw| dw.slice_axis_mut(Axis(1), range())),
            bias_gradient: db.map(|db| db.slice_axis_mut(Axis(0), range())),
            features_gradient: self.features_gradient.as_mut().map(|dx| dx.view_mut()),
            accumulate: self.accumulate,
            ..Outputs::default()
        }
    }

    /// The same views with a shorter lifetime.
    pub fn reborrow(&mut self) -> Outputs<'_, T> {
        Outputs {
            weights_gradient: self.weights_gradient.as_mut().map(|view| view.view_mut()),
            features_gradient: self.features_gradient.as_mut().map(|view| view.view_mut()),
            bias_gradient: self.bias_gradient.as_mut().map(|view| view.view_mut()),
            sample_losses: self.sample_losses.as_mut().map(|view| view.view_mut()),
            log_sum_exp: self.log_sum_exp.as_mut().map(|view| view.view_mut()),
            predicted: self.predicted.as_mut().map(|view| view.view_mut()),
            entropy: self.entropy.as_mut().map(|view| view.view_mut()),
            label_log_prob: self.label_log_prob.as_mut().map(|view| view.view_mut()),
            label_rank: self.label_rank.as_mut().map(|view| view.view_mut()),
            top_classes: self.top_classes.as_mut().map(|view| view.view_mut()),
            top_log_prob: self.top_log_prob.as_mut().map(|view| view.view_mut()),
            accumulate: self.accumulate,
        }
    }

    /// The outputs of a range of samples: their rows of every output with one row per sample, including dX. dW and db
    /// are left out.
    ///
    /// # Panics
    /// If `samples` is out of range.
    pub fn of_rows(&mut self, samples: Range<usize>) -> Outputs<'_, T> {
        let rows = || Slice::from(samples.clone());
        let all = self.reborrow();
        Outputs {
            weights_gradient: None,
            bias_gradient: None,
            features_gradient: all.features_gradient.map(|view| slice(view, rows())),
            sample_losses: all.sample_losses.map(|view| slice(view, rows())),
            log_sum_exp: all.log_sum_exp.map(|view| slice(view, rows())),
            predicted: all.predicted.map(|view| slice(view, rows())),
            entropy: all.entropy.map(|view| slice(view, rows())),
            label_log_prob: all.label_log_prob.map(|view| slice(view, rows())),
            label_rank: all.label_rank.map(|view| slice(view, rows())),
            top_classes: all.top_classes.map(|view| slice(view, rows())),
            top_log_prob: all.top_log_prob.map(|view| slice(view, rows())),
            accumulate: false,
        }
    }

    /// Whether the label's log p, its rank, or the best classes are requested.
    pub fn wants_class_facts(&self) -> bool {
        self.label_log_prob.is_some() || self.label_rank.is_some() || self.top().is_some()
    }

    /// Whether any of dW, dX and db is requested.
    pub fn wants_gradient(&self) -> bool {
        self.weights_gradient.is_some() || self.features_gradient.is_some() || self.bias_gradient.is_some()
    }
}

/// A range of rows of a view.
fn slice<A, D: RemoveAxis>(view: ArrayViewMut<'_, A, D>, rows: Slice) -> ArrayViewMut<'_, A, D> {
    view.slice_axis_move(Axis(0), rows)
}

/// A set of [`OutputKind`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct OutputSet(u16);

impl OutputSet {
    /// No outputs, only the loss.
    pub const NONE: OutputSet = OutputSet(0);
    /// Every output.
    pub const ALL: OutputSet = OutputSet((1 << OutputKind::ALL.len()) - 1);

    /// This set with `kind` added.
    #[must_use]
    pub const fn with(self, kind: OutputKind) -> OutputSet {
        OutputSet(self.0 | 1 << kind as u8)
    }

    /// This set without `kind`.
    #[must_use]
    pub const fn without(self, kind: OutputKind) -> OutputSet {
        OutputSet(self.0 & !(1 << kind as u8))
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: OutputKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The outputs in the set, in the order of [`OutputKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = OutputKind> {
        OutputKind::ALL.iter().copied().filter(move |&kind| self.contains(kind))
    }
}

impl FromIterator<OutputKind> for OutputSet {
    fn from_iter<I: IntoIterator<Item = OutputKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(OutputSet::NONE, OutputSet::with)
    }
}

/// Owned arrays for a set of outputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnedOutputs<T> {
    /// dW (D×C).
    pub weights_gradient: Option<Array2<T>>,
    /// dX (N×D).
    pub features_gradient: Option<Array2<T>>,
    /// db (C).
    pub bias_gradient: Option<Array1<T>>,
    /// ℓ (N).
    pub sample_losses: Option<Array1<T>>,
    /// lse (N).
    pub log_sum_exp: Option<Array1<T>>,
    /// The predicted class (N).
    pub predicted: Option<Array1<usize>>,
    /// H (N).
    pub entropy: Option<Array1<T>>,
    /// log p of the label (N).
    pub label_log_prob: Option<Array1<T>>,
    /// The label's rank (N).
    pub label_rank: Option<Array1<usize>>,
    /// The best classes (N×K).
    pub top_classes: Option<Array2<usize>>,
    /// log p of the best classes (N×K).
    pub top_log_prob: Option<Array2<T>>,
}

impl<T: Element> OwnedOutputs<T> {
    /// The K of [`zeros`](Self::zeros), or C if the problem has fewer classes.
    pub const TOP: usize = 5;

    /// Zeros in the problem's shapes for the outputs of `set`, with the [`TOP`](Self::TOP) best classes.
    pub fn zeros(problem: &Problem<'_, T>, set: OutputSet) -> Self {
        Self::zeros_with_top(problem, set, Self::TOP.min(problem.n_classes()))
    }

    /// Zeros in the problem's shapes for the outputs of `set`, with the `top` best classes.
    pub fn zeros_with_top(problem: &Problem<'_, T>, set: OutputSet, top: usize) -> Self {
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let wanted = |kind| set.contains(kind);
        OwnedOutputs {
            weights_gradient: wanted(OutputKind::WeightsGradient).then(|| Array2::zeros((d, c))),
            features_gradient: wanted(OutputKind::FeaturesGradient).then(|| Array2::zeros((n, d))),
            bias_gradient: wanted(OutputKind::BiasGradient).then(|| Array1::zeros(c)),
            sample_losses: wanted(OutputKind::SampleLosses).then(|| Array1::zeros(n)),
            log_sum_exp: wanted(OutputKind::LogSumExp).then(|| Array1::zeros(n)),
            predicted: wanted(OutputKind::Predicted).then(|| Array1::zeros(n)),
            entropy: wanted(OutputKind::Entropy).then(|| Array1::zeros(n)),
            label_log_prob: wanted(OutputKind::LabelLogProb).then(|| Array1::zeros(n)),
            label_rank: wanted(OutputKind::LabelRank).then(|| Array1::zeros(n)),
            top_classes: wanted(OutputKind::TopClasses).then(|| Array2::zeros((n, top))),
            top_log_prob: wanted(OutputKind::TopLogProb).then(|| Array2::zeros((n, top))),
        }
    }

    /// Views of these arrays, for a backend to write.
    pub fn as_outputs(&mut self) -> Outputs<'_, T> {
        Outputs {
            weights_gradient: self.weights_gradient.as_mut().map(|a| a.view_mut()),
            features_gradient: self.features_gradient.as_mut().map(|a| a.view_mut()),
            bias_gradient: self.bias_gradient.as_mut().map(|a| a.view_mut()),
            sample_losses: self.sample_losses.as_mut().map(|a| a.view_mut()),
            log_sum_exp: self.log_sum_exp.as_mut().map(|a| a.view_mut()),
            predicted: self.predicted.as_mut().map(|a| a.view_mut()),
            entropy: self.entropy.as_mut().map(|a| a.view_mut()),
            label_log_prob: self.label_log_prob.as_mut().map(|a| a.view_mut()),
            label_rank: self.label_rank.as_mut().map(|a| a.view_mut()),
            top_classes: self.top_classes.as_mut().map(|a| a.view_mut()),
            top_log_prob: self.top_log_prob.as_mut().map(|a| a.view_mut()),
            accumulate: false,
        }
    }
}
