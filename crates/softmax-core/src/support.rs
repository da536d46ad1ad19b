//! Features of a problem or an evaluation that some backends do not support.

use crate::names::names;

/// A feature that a backend may support beyond the mean loss of plain labels and dW.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Feature {
    /// Computation in f32.
    F32,
    /// Computation in f64.
    F64,
    /// X in half precision, IEEE 754 binary16.
    F16Features,
    /// X in half precision, bfloat16.
    Bf16Features,
    /// X in compressed sparse rows.
    CsrFeatures,
    /// W in half precision, IEEE 754 binary16.
    F16Weights,
    /// W in half precision, bfloat16.
    Bf16Weights,
    /// Soft targets: a target mass for every class.
    SoftTargets,
    /// No targets.
    NoTargets,
    /// A single class, C = 1.
    OneClass,
    /// A bias b.
    Bias,
    /// Class weights w.
    ClassWeights,
    /// Sample weights u.
    SampleWeights,
    /// Class or sample weights below zero.
    NegativeWeights,
    /// The sum reduction.
    SumReduction,
    /// Label smoothing ε.
    LabelSmoothing,
    /// An ignored label (`ignore_index`).
    IgnoreIndex,
    /// The L2 penalty λ.
    L2,
    /// The z-loss ζ.
    ZLoss,
    /// The logit softcap κ.
    Softcap,
    /// The temperature τ.
    Temperature,
    /// dX.
    FeaturesGradient,
    /// dX of features in compressed sparse rows, as a dense array.
    CsrFeaturesGradient,
    /// db.
    BiasGradient,
    /// The sample losses.
    SampleLosses,
    /// The log-sum-exp of each sample.
    LogSumExp,
    /// The predicted classes.
    Predicted,
    /// Accumulation: adding dW and db to the contents of their arrays.
    Accumulation,
    /// The entropy of each sample's probabilities.
    Entropy,
    /// The log-probability of each label.
    LabelLogProb,
    /// The rank of each label.
    LabelRank,
    /// The best classes of each sample, and their log-probabilities.
    TopClasses,
    /// Two passes, for classes in shards and for upstream coefficients.
    TwoPasses,
    /// A part of the samples of a larger problem, with the Ω of the larger problem.
    PartOfSamples,
}

names!(Feature, "feature",
    F32 => "f32",
    F64 => "f64",
    F16Features => "f16 features",
    Bf16Features => "bf16 features",
    CsrFeatures => "CSR features",
    F16Weights => "f16 weights",
    Bf16Weights => "bf16 weights",
    SoftTargets => "soft targets",
    NoTargets => "problems without targets",
    OneClass => "one class alone",
    Bias => "a bias",
    ClassWeights => "class weights",
    SampleWeights => "sample weights",
    NegativeWeights => "negative weights",
    SumReduction => "the reduction sum",
    LabelSmoothing => "label smoothing",
    IgnoreIndex => "an ignored label",
    L2 => "L2",
    ZLoss => "z-loss",
    Softcap => "a softcap",
    Temperature => "a temperature",
    FeaturesGradient => "the features gradient",
    CsrFeaturesGradient => "the features gradient of CSR features",
    BiasGradient => "the bias gradient",
    SampleLosses => "sample losses",
    LogSumExp => "log-sum-exp",
    Predicted => "predicted classes",
    Accumulation => "accumulation into gradients",
    Entropy => "entropy",
    LabelLogProb => "label log-probabilities",
    LabelRank => "label ranks",
    TopClasses => "top classes",
    TwoPasses => "two passes",
    PartOfSamples => "a part of the samples",
);

impl Feature {
    /// Whether this is a storage of X or W rather than an option or an output.
    pub const fn is_storage(self) -> bool {
        matches!(
            self,
            Feature::F16Features
                | Feature::Bf16Features
                | Feature::CsrFeatures
                | Feature::F16Weights
                | Feature::Bf16Weights
        )
    }

    /// Whether this is a row fact: an output per sample beyond its loss, lse and predicted class.
    pub const fn is_row_fact(self) -> bool {
        matches!(self, Feature::Entropy | Feature::LabelLogProb | Feature::LabelRank | Feature::TopClasses)
    }
}

/// A set of [`Feature`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct FeatureSet(u64);

impl FeatureSet {
    /// The empty set.
    pub const NONE: FeatureSet = FeatureSet(0);

    /// This set with `feature` added.
    #[must_use]
    pub const fn with(self, feature: Feature) -> FeatureSet {
        FeatureSet(self.0 | 1 << feature as u32)
    }

    /// This set, with `feature` added if it is `needed`.
    #[must_use]
    pub(crate) const fn with_if(self, needed: bool, feature: Feature) -> FeatureSet {
        if needed { self.with(feature) } else { self }
    }

    /// The features of either set.
    #[must_use]
    pub const fn union(self, other: FeatureSet) -> FeatureSet {
        FeatureSet(self.0 | other.0)
    }

    /// Whether `feature` is in the set.
    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }

    /// The features, in the order of [`Feature::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.iter().copied().filter(move |&feature| self.contains(feature))
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        features.into_iter().fold(FeatureSet::NONE, FeatureSet::with)
    }
}
