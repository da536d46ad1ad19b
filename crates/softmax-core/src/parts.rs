//! Names of the parts of a problem and an evaluation, for error messages and files.

use crate::names::{UnknownName, names};
use crate::support::Feature;
use std::fmt;

/// An array of a problem or of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayName {
    /// W.
    Weights,
    /// y.
    Labels,
    /// Y.
    SoftTargets,
    /// b.
    Bias,
    /// w.
    ClassWeights,
    /// u.
    SampleWeights,
    /// A direction V in the space of W, or v in the space of b.
    Direction,
    /// H·V, or its part for b.
    HessianVectorProduct,
    /// Statistics from the first of two passes.
    RowStatistics,
    /// Coefficients of the samples for the second pass.
    Upstream,
    /// An output.
    Output(OutputKind),
}

impl fmt::Display for ArrayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ArrayName::Weights => "weights",
            ArrayName::Labels => "labels",
            ArrayName::SoftTargets => "soft targets",
            ArrayName::Bias => "bias",
            ArrayName::ClassWeights => "class weights",
            ArrayName::SampleWeights => "sample weights",
            ArrayName::Direction => "direction",
            ArrayName::HessianVectorProduct => "Hessian-vector product",
            ArrayName::RowStatistics => "row statistics",
            ArrayName::Upstream => "upstream coefficients",
            ArrayName::Output(kind) => kind.name(),
        })
    }
}

/// What an axis of an array counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AxisName {
    /// N.
    Samples,
    /// D.
    Features,
    /// C.
    Classes,
}

names!(AxisName, "axis", Samples => "samples", Features => "features", Classes => "classes");

/// A numeric option of an [`Objective`](crate::Objective).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptionName {
    /// ε.
    LabelSmoothing,
    /// λ.
    L2,
    /// ζ.
    ZLoss,
    /// κ.
    Softcap,
    /// τ.
    Temperature,
}

names!(OptionName, "option",
    LabelSmoothing => "label_smoothing",
    L2 => "l2",
    ZLoss => "z_loss",
    Softcap => "softcap",
    Temperature => "temperature",
);

/// The name of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputKind {
    /// dW (D×C).
    WeightsGradient,
    /// dX (N×D).
    FeaturesGradient,
    /// db (C).
    BiasGradient,
    /// ℓ (N).
    SampleLosses,
    /// lse (N).
    LogSumExp,
    /// The predicted class (N).
    Predicted,
    /// H (N).
    Entropy,
    /// log p of the label (N).
    LabelLogProb,
    /// The number of classes with a larger score than the label (N).
    LabelRank,
    /// The classes with the largest scores (N×K).
    TopClasses,
    /// log p of the classes with the largest scores (N×K).
    TopLogProb,
}

names!(OutputKind, "output",
    WeightsGradient => "weights gradient",
    FeaturesGradient => "features gradient",
    BiasGradient => "bias gradient",
    SampleLosses => "sample losses",
    LogSumExp => "log-sum-exp",
    Predicted => "predicted classes",
    Entropy => "entropy",
    LabelLogProb => "label log-probability",
    LabelRank => "label rank",
    TopClasses => "top classes",
    TopLogProb => "top log-probabilities",
);

impl OutputKind {
    /// The symbol in formulas and files: `dW`, `dX`, `db`, `sample_loss`, `lse`, `predicted`, `entropy`, ….
    pub const fn symbol(self) -> &'static str {
        match self {
            OutputKind::WeightsGradient => "dW",
            OutputKind::FeaturesGradient => "dX",
            OutputKind::BiasGradient => "db",
            OutputKind::SampleLosses => "sample_loss",
            OutputKind::LogSumExp => "lse",
            OutputKind::Predicted => "predicted",
            OutputKind::Entropy => "entropy",
            OutputKind::LabelLogProb => "label_log_prob",
            OutputKind::LabelRank => "label_rank",
            OutputKind::TopClasses => "top_classes",
            OutputKind::TopLogProb => "top_log_prob",
        }
    }

    /// The feature that a backend needs to write this output; `None` for dW, which every backend writes.
    pub const fn feature(self) -> Option<Feature> {
        Some(match self {
            OutputKind::WeightsGradient => return None,
            OutputKind::FeaturesGradient => Feature::FeaturesGradient,
            OutputKind::BiasGradient => Feature::BiasGradient,
            OutputKind::SampleLosses => Feature::SampleLosses,
            OutputKind::LogSumExp => Feature::LogSumExp,
            OutputKind::Predicted => Feature::Predicted,
            OutputKind::Entropy => Feature::Entropy,
            OutputKind::LabelLogProb => Feature::LabelLogProb,
            OutputKind::LabelRank => Feature::LabelRank,
            OutputKind::TopClasses | OutputKind::TopLogProb => Feature::TopClasses,
        })
    }

    /// Whether this is one of dW, dX and db.
    pub const fn is_gradient(self) -> bool {
        matches!(self, OutputKind::WeightsGradient | OutputKind::FeaturesGradient | OutputKind::BiasGradient)
    }
}

/// A quantity of an evaluation that can be compared with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub enum Quantity {
    /// The loss.
    Loss,
    /// Ω.
    TotalWeight,
    /// The number of correct predictions.
    Correct,
    /// An output.
    Output(OutputKind),
}

impl Quantity {
    /// The name in words, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Quantity::Loss => "loss",
            Quantity::TotalWeight => "total weight",
            Quantity::Correct => "correct",
            Quantity::Output(kind) => kind.name(),
        }
    }

    /// The symbol in formulas and files: `dW`, …
    pub const fn symbol(self) -> &'static str {
        match self {
            Quantity::Output(kind) => kind.symbol(),
            other => other.name(),
        }
    }

    /// Whether this is one of dW, dX and db.
    pub const fn is_gradient(self) -> bool {
        matches!(self, Quantity::Output(kind) if kind.is_gradient())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.symbol().to_owned()
    }
}

/// Finds the quantity with this [symbol](Quantity::symbol).
impl TryFrom<String> for Quantity {
    type Error = UnknownName;

    fn try_from(symbol: String) -> Result<Self, UnknownName> {
        let outputs = OutputKind::ALL.iter().map(|&kind| Quantity::Output(kind));
        let all: Vec<Quantity> =
            [Quantity::Loss, Quantity::TotalWeight, Quantity::Correct].into_iter().chain(outputs).collect();
        all.iter().copied().find(|quantity| quantity.symbol() == symbol).ok_or_else(|| {
            let expected = all.iter().map(|quantity| quantity.symbol()).collect();
            UnknownName { kind: "quantity", expected, found: symbol }
        })
    }
}
