//! The lines that go over the pipes, each an object of JSON. `docs/EXTERNAL.md` describes them.

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use softmax_core::{Dtype, Feature, Objective, OutputKind, Problem, Quantity, Reduction, Targets};
use softmax_core::{Element, Outputs};
use std::path::PathBuf;

/// The version of the protocol that this crate speaks.
pub(crate) const VERSION: u32 = 1;

/// The first line of a process: what it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Hello {
    /// [`VERSION`].
    pub(crate) protocol: u32,
    /// What computes and its version: `PyTorch 2.9.0`.
    pub(crate) version: String,
    #[serde(default = "cpu")]
    pub(crate) device: String,
    #[serde(default)]
    pub(crate) deterministic: bool,
    #[serde(default)]
    pub(crate) batch_invariant: bool,
    /// The names of the features that it has beyond the loss of plain labels and dW: at least an element type.
    pub(crate) supports: Vec<String>,
}

fn cpu() -> String {
    "cpu".to_owned()
}

/// A line that a process is sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Request {
    /// The answer has the same number.
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) call: Call,
}

/// What a process is asked to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "call")]
pub(crate) enum Call {
    /// To evaluate a problem.
    Evaluate(Box<Evaluate>),
    /// To evaluate the last problem again, and to say only how long that took.
    Repeat,
}

/// A problem, whose arrays are in a file, and what is requested.
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
    /// How many of the best classes are requested.
    pub(crate) top: usize,
    /// Whether the answer is to say what memory the evaluation took.
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

/// A line that a process answers with. Which keys it has says how the call ended.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Reply {
    pub(crate) id: u64,
    /// A feature: it does not do this, beyond what its first line says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsupported: Option<String>,
    /// It failed, and can go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Of an evaluation, whose outputs are in their file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<Number>,
    /// Ω. By default what the formula says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total_weight: Option<Number>,
    /// How many samples are predicted right; where there are labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correct: Option<usize>,
    /// What the evaluation took, without what it took to read the problem and to write the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// The peak of memory beyond inputs and outputs, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extra_bytes: Option<u64>,
}

/// Whether the protocol has this feature: the program itself sums into gradients, and two passes and parts of the samples are not
/// requested of a process.
pub fn is_in_protocol(feature: Feature) -> bool {
    !matches!(feature, Feature::Accumulation | Feature::TwoPasses | Feature::PartOfSamples)
}

/// The name of a feature, as this protocol has it.
pub(crate) fn feature(name: &str) -> Option<Feature> {
    serde_json::from_value(name.into()).ok()
}

/// A number, of which JSON has no NaN and no infinity: these are the strings `NaN`, `Infinity` and `-Infinity`.
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
