use crate::element::Element;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::parts::{ArrayName, AxisName, OutputKind};
use crate::problem::Problem;
use crate::support::{Feature, FeatureSet};
use ndarray::{Array1, Array2, ArrayViewMut1, ArrayViewMut2};

/// Where a backend writes what is asked for: each output is a view that the caller owns, or `None`.
///
/// A backend overwrites a view, but for the gradients that it is asked to [accumulate](Self::accumulate), and computes
/// nothing that is not asked for. Views may have any strides. After an error their contents are unspecified.
#[derive(Debug)]
pub struct Outputs<'a, T> {
    /// dW = ∂loss/∂W (D×C).
    pub weights_gradient: Option<ArrayViewMut2<'a, T>>,
    /// dX = ∂loss/∂X (N×D).
    pub features_gradient: Option<ArrayViewMut2<'a, T>>,
    /// db = ∂loss/∂b (C); also without a bias, which then stands at zero.
    pub bias_gradient: Option<ArrayViewMut1<'a, T>>,
    /// ℓ (N): the losses of formula (6), not yet divided by Ω. What PyTorch calls the reduction `none`.
    pub sample_losses: Option<ArrayViewMut1<'a, T>>,
    /// lse (N).
    pub log_sum_exp: Option<ArrayViewMut1<'a, T>>,
    /// argmax_c s_ic (N): the first of equals. Some class, unspecified, where the row holds a NaN.
    pub predicted: Option<ArrayViewMut1<'a, usize>>,
    /// Adds dW and db to what their arrays hold, instead of overwriting it: for gradients over several batches. The other
    /// outputs are of one batch's samples, and are overwritten.
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
            accumulate: false,
        }
    }
}

impl<T: Element> Outputs<'_, T> {
    /// Checks each view's shape against the problem; part of [`SoftmaxBackend::check`](crate::SoftmaxBackend::check).
    ///
    /// # Errors
    /// [`Error::Shape`] names the output and the axis.
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
        require(
            OutputKind::BiasGradient,
            AxisName::Classes,
            c,
            self.bias_gradient.as_ref().map(|v| v.len()),
        )?;
        require(
            OutputKind::SampleLosses,
            AxisName::Samples,
            n,
            self.sample_losses.as_ref().map(|v| v.len()),
        )?;
        require(OutputKind::LogSumExp, AxisName::Samples, n, self.log_sum_exp.as_ref().map(|v| v.len()))?;
        require(OutputKind::Predicted, AxisName::Samples, n, self.predicted.as_ref().map(|v| v.len()))
    }

    /// What a backend must support to write these.
    pub fn needs(&self, problem: &Problem<'_, T>) -> FeatureSet {
        let dx = self.features_gradient.is_some();
        let of_csr = dx && matches!(problem.features(), Features::Csr(_));
        FeatureSet::NONE
            .with_if(dx, Feature::FeaturesGradient)
            .with_if(of_csr, Feature::CsrFeaturesGradient)
            .with_if(self.bias_gradient.is_some(), Feature::BiasGradient)
            .with_if(self.sample_losses.is_some(), Feature::SampleLosses)
            .with_if(self.log_sum_exp.is_some(), Feature::LogSumExp)
            .with_if(self.predicted.is_some(), Feature::Predicted)
            .with_if(self.accumulate, Feature::Accumulation)
    }

    /// Whether any of dW, dX and db is asked for.
    pub fn wants_gradient(&self) -> bool {
        self.weights_gradient.is_some() || self.features_gradient.is_some() || self.bias_gradient.is_some()
    }
}

/// A choice of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct OutputSet(u8);

impl OutputSet {
    /// None of them: the loss alone.
    pub const NONE: OutputSet = OutputSet(0);
    /// All of them.
    pub const ALL: OutputSet = OutputSet((1 << OutputKind::ALL.len()) - 1);

    /// This choice and one more.
    #[must_use]
    pub const fn with(self, kind: OutputKind) -> OutputSet {
        OutputSet(self.0 | 1 << kind as u8)
    }

    /// This choice less one.
    #[must_use]
    pub const fn without(self, kind: OutputKind) -> OutputSet {
        OutputSet(self.0 & !(1 << kind as u8))
    }

    /// Whether `kind` is chosen.
    pub const fn contains(self, kind: OutputKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The chosen ones, in the order of [`OutputKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = OutputKind> {
        OutputKind::ALL.iter().copied().filter(move |&kind| self.contains(kind))
    }
}

impl FromIterator<OutputKind> for OutputSet {
    fn from_iter<I: IntoIterator<Item = OutputKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(OutputSet::NONE, OutputSet::with)
    }
}

/// Arrays for a choice of outputs, for callers that have none of their own.
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
}

impl<T: Element> OwnedOutputs<T> {
    /// Zeros of the problem's shapes for the chosen outputs.
    pub fn zeros(problem: &Problem<'_, T>, set: OutputSet) -> Self {
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let wanted = |kind| set.contains(kind);
        OwnedOutputs {
            weights_gradient: wanted(OutputKind::WeightsGradient).then(|| Array2::zeros((d, c))),
            features_gradient: wanted(OutputKind::FeaturesGradient).then(|| Array2::zeros((n, d))),
            bias_gradient: wanted(OutputKind::BiasGradient).then(|| Array1::zeros(c)),
            sample_losses: wanted(OutputKind::SampleLosses).then(|| Array1::zeros(n)),
            log_sum_exp: wanted(OutputKind::LogSumExp).then(|| Array1::zeros(n)),
            predicted: wanted(OutputKind::Predicted).then(|| Array1::zeros(n)),
        }
    }

    /// Views of these arrays, to hand to a backend.
    pub fn as_outputs(&mut self) -> Outputs<'_, T> {
        Outputs {
            weights_gradient: self.weights_gradient.as_mut().map(|a| a.view_mut()),
            features_gradient: self.features_gradient.as_mut().map(|a| a.view_mut()),
            bias_gradient: self.bias_gradient.as_mut().map(|a| a.view_mut()),
            sample_losses: self.sample_losses.as_mut().map(|a| a.view_mut()),
            log_sum_exp: self.log_sum_exp.as_mut().map(|a| a.view_mut()),
            predicted: self.predicted.as_mut().map(|a| a.view_mut()),
            accumulate: false,
        }
    }
}
