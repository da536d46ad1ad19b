//! The lines that are sent over the pipes, each a JSON object. `docs/EXTERNAL.md` describes them.

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use softmax_core::{Dtype, Feature, Objective, OutputKind, Problem, Quantity, Reduction, Targets};
use softmax_core::{Element, Outputs};
use std::path::PathBuf;

/// The version of the protocol that this crate implements.
pub(crate) const VERSION: u32 = 1;

/// The first line that a process writes, which describes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Hello {
    /// [`VERSION`].
    pub(crate) protocol: u32,
    /// The library and its version, such as `PyTorch 2.9.0`.
    pub(crate) version: String,
    #[serde(default = "cpu")]
    pub(crate) device: String,
    #[serde(default)]
    pub(crate) deterministic: bool,
    #[serde(default)]
    pub(crate) batch_invariant: bool,
    /// The names of the supported features, beyond the loss with plain labels and dW. At least one is an element type.
    pub(crate) supports: Vec<String>,
}

fn cpu() -> String {
    "cpu".to_owned()
}

/// A line that is sent to a process.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Request {
    /// The answer repeats this number.
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) call: Call,
}

/// What a process is asked to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "call")]
pub(crate) enum Call {
    /// Evaluate a problem.
    Evaluate(Box<Evaluate>),
    /// Evaluate the last problem again, and report only the time.
    Repeat,
}

/// A problem, whose arrays are in a file, and the requested outputs.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Evaluate {
    /// The file with the problem's arrays, in safetensors.
    pub(crate) problem: PathBuf,
    /// The file to be written with the outputs, in safetensors.
    pub(crate) answer: PathBuf,
    pub(crate) dtype: Dtype,
    pub(crate) samples: usize,
    pub(crate) features: usize,
    pub(crate) classes: usize,
    pub(crate) targets: TargetKind,
    pub(crate) options: Options,
    pub(crate) outputs: Vec<OutputName>,
    /// The number of classes in the top-k outputs, or 0 if none is requested.
    pub(crate) top: usize,
    /// Whether the process should measure the memory of the evaluation.
    pub(crate) watch_memory: bool,
}

/// The kinds of [`Targets`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetKind {
    Labels,
    Soft,
    None,
}

/// An [`OutputKind`], by its symbol.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "Quantity", into = "Quantity")]
pub(crate) struct OutputName(pub(crate) OutputKind);

impl From<OutputName> for Quantity {
    fn from(name: OutputName) -> Self {
        Quantity::Output(name.0)
    }
}

impl TryFrom<Quantity> for OutputName {
    type Error = String;

    fn try_from(quantity: Quantity) -> Result<Self, String> {
        match quantity {
            Quantity::Output(kind) => Ok(OutputName(kind)),
            other => Err(format!("expected an output, found {other}")),
        }
    }
}

/// An [`Objective`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Options {
    #[serde(with = "reduction")]
    reduction: Reduction,
    label_smoothing: f64,
    ignore_index: Option<i64>,
    l2: f64,
    z_loss: f64,
    softcap: Option<f64>,
    temperature: f64,
}

mod reduction {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use softmax_core::Reduction;

    pub(super) fn serialize<S: Serializer>(reduction: &Reduction, serializer: S) -> Result<S::Ok, S::Error> {
        reduction.name().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<Reduction, D::Error> {
        String::deserialize(json)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<&Objective> for Options {
    fn from(objective: &Objective) -> Self {
        let Objective { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature } =
            *objective;
        Options { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature }
    }
}

impl From<Options> for Objective {
    fn from(options: Options) -> Self {
        let Options { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature } = options;
        Objective { reduction, label_smoothing, ignore_index, l2, z_loss, softcap, temperature }
    }
}

impl Evaluate {
    pub(crate) fn new<T: Element>(
        problem: &Problem<'_, T>,
        outputs: &Outputs<'_, T>,
        (file, answer): (PathBuf, PathBuf),
    ) -> Self {
        let kinds = OutputKind::ALL.iter().filter(|&&kind| outputs.wants(kind));
        Evaluate {
            problem: file,
            answer,
            dtype: T::DTYPE,
            samples: problem.n_samples(),
            features: problem.n_features(),
            classes: problem.n_classes(),
            targets: match problem.targets() {
                Targets::Labels(_) => TargetKind::Labels,
                Targets::Soft(_) => TargetKind::Soft,
                Targets::None => TargetKind::None,
            },
            options: problem.objective().into(),
            outputs: kinds.map(|&kind| OutputName(kind)).collect(),
            top: outputs.top().unwrap_or(0),
            watch_memory: false,
        }
    }
}

/// A line with which a process answers. Its keys show how the call ended.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Reply {
    pub(crate) id: u64,
    /// A feature that this call needs and the process lacks, even if its first line lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsupported: Option<String>,
    /// Why the call failed. The process stays usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The loss of an evaluation. The other outputs are in the answer's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<Number>,
    /// Ω. If absent, the caller computes it from the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total_weight: Option<Number>,
    /// The number of correctly predicted samples. Required if the problem has labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correct: Option<usize>,
    /// The time of the evaluation, without reading the problem and writing the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// The peak memory beyond inputs and outputs, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extra_bytes: Option<u64>,
}

/// Whether the protocol has this feature.
///
/// It has no accumulation, which the caller does itself, no two passes, and no part of the samples.
pub fn is_in_protocol(feature: Feature) -> bool {
    !matches!(feature, Feature::Accumulation | Feature::TwoPasses | Feature::PartOfSamples)
}

/// The feature with this name in the protocol.
pub(crate) fn feature(name: &str) -> Option<Feature> {
    serde_json::from_value(name.into()).ok()
}

/// A number. JSON has no NaN and no infinity, so these are written as the strings `NaN`, `Infinity` and `-Infinity`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            x => serializer.serialize_f64(x),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Word(String),
        }
        match Form::deserialize(json)? {
            Form::Number(x) => Ok(Number(x)),
            Form::Word(word) => match word.as_str() {
                "NaN" => Ok(Number(f64::NAN)),
                "Infinity" => Ok(Number(f64::INFINITY)),
                "-Infinity" => Ok(Number(f64::NEG_INFINITY)),
                other => {
                    let expected = &"a number, or one of \"NaN\", \"Infinity\", \"-Infinity\"";
                    Err(D::Error::invalid_value(Unexpected::Str(other), expected))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_words() {
        for (number, json) in [
            (1.5, "1.5"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(serde_json::to_string(&Number(number)).unwrap(), json);
            let read: Number = serde_json::from_str(json).unwrap();
            assert_eq!(read.0.to_bits(), number.to_bits());
        }
        assert!(serde_json::from_str::<Number>("\"nan\"").is_err());
    }

    #[test]
    fn features_have_names() {
        assert_eq!(feature("label_smoothing"), Some(Feature::LabelSmoothing));
        assert_eq!(feature("f16_features"), Some(Feature::F16Features));
        assert_eq!(feature("my_feature"), None);
    }
}
