//! What a backend computes, by the symbols of the formulas.

use serde::{Deserialize, Serialize};
use softmax_core::OutputKind;
use std::fmt;

/// An output of an evaluation, as records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Output {
    /// The loss.
    Loss,
    /// The sum of the samples' weights.
    TotalWeight,
    /// How many predictions are right.
    Correct,
    /// dW.
    WeightsGradient,
    /// db.
    BiasGradient,
    /// dX.
    FeaturesGradient,
    /// ℓ.
    SampleLosses,
    /// lse.
    LogSumExp,
    /// The predicted classes.
    Predicted,
}

impl Output {
    const ALL: [Output; 9] = [
        Output::Loss,
        Output::TotalWeight,
        Output::Correct,
        Output::WeightsGradient,
        Output::BiasGradient,
        Output::FeaturesGradient,
        Output::SampleLosses,
        Output::LogSumExp,
        Output::Predicted,
    ];

    /// The formulas' symbol where there is one, such as `dW`, and else the name.
    pub const fn symbol(self) -> &'static str {
        match self {
            Output::Loss => "loss",
            Output::TotalWeight => "total weight",
            Output::Correct => "correct",
            Output::WeightsGradient => "dW",
            Output::BiasGradient => "db",
            Output::FeaturesGradient => "dX",
            Output::SampleLosses => "sample losses",
            Output::LogSumExp => "log-sum-exp",
            Output::Predicted => "predicted classes",
        }
    }

    /// Whether it is a derivative of the loss.
    pub const fn is_gradient(self) -> bool {
        matches!(self, Output::WeightsGradient | Output::BiasGradient | Output::FeaturesGradient)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

impl From<OutputKind> for Output {
    fn from(kind: OutputKind) -> Self {
        match kind {
            OutputKind::WeightsGradient => Output::WeightsGradient,
            OutputKind::FeaturesGradient => Output::FeaturesGradient,
            OutputKind::BiasGradient => Output::BiasGradient,
            OutputKind::SampleLosses => Output::SampleLosses,
            OutputKind::LogSumExp => Output::LogSumExp,
            OutputKind::Predicted => Output::Predicted,
        }
    }
}

impl From<Output> for &'static str {
    fn from(output: Output) -> Self {
        output.symbol()
    }
}

impl TryFrom<String> for Output {
    type Error = String;

    fn try_from(symbol: String) -> Result<Self, String> {
        let found = Output::ALL.into_iter().find(|output| output.symbol() == symbol);
        found.ok_or_else(|| format!("expected an output, found {symbol}"))
    }
}
