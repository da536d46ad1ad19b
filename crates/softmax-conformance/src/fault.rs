//! Faults of an answer.

use crate::check::OutputError;
use serde::{Serialize, Serializer};
use serde_json::json;
use softmax_core::{Dtype, Element, Feature, FeatureSet, Problem};
use std::fmt;

/// A fault of an answer. `Display` writes its message.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What was expected, what was found, where, and by how much.
    pub message: String,
    /// The kind of fault.
    pub symptom: Symptom,
    /// The problem, if the fault is in the answer to a single problem.
    pub problem: Option<ProblemSummary>,
}

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symptom {
    /// There is no answer: the backend failed, or panicked.
    Failed,
    /// NaN or an infinity where a number is expected.
    NotFinite,
    /// A number where NaN or an infinity is expected.
    Finite,
    /// Right except for the last digits: off by at most √u·max(|value|, 1), where u is the unit roundoff.
    Digits,
    /// Off by more than √u·max(|value|, 1).
    Wrong,
    /// Answers that are wrong in a sequence of calls, or inconsistent with each other.
    Behaviour,
}

softmax_core::names!(Symptom, "symptom",
    Failed => "failed",
    NotFinite => "not finite",
    Finite => "finite",
    Digits => "digits",
    Wrong => "value",
    Behaviour => "behaviour",
);

impl Symptom {
    /// A description of the symptom.
    pub fn meaning(self) -> &'static str {
        match self {
            Symptom::Failed => "there is no answer, but an error",
            Symptom::NotFinite => "NaN or an infinity where a number is expected",
            Symptom::Finite => "a number where NaN or an infinity is expected",
            Symptom::Digits => {
                "off by less than √u of the value, or of 1 if that is more, such as a small loss rounded to 0"
            }
            Symptom::Wrong => "off by more than √u of the value, or of 1 if that is more",
            Symptom::Behaviour => {
                "answers that contradict each other, or that are wrong in a sequence of calls"
            }
        }
    }
}

/// A summary of a problem.
#[derive(Clone, Debug)]
pub struct ProblemSummary {
    /// N, D and C.
    pub dim: (usize, usize, usize),
    /// What a backend must support to evaluate it.
    pub needs: FeatureSet,
}

impl ProblemSummary {
    fn of<T: Element>(problem: &Problem<'_, T>) -> Self {
        let dim = (problem.n_samples(), problem.n_features(), problem.n_classes());
        ProblemSummary { dim, needs: problem.needs() }
    }
}

impl Fault {
    /// A fault without an answer.
    pub(crate) fn failed(message: String) -> Self {
        Fault { message, symptom: Symptom::Failed, problem: None }
    }

    pub(crate) fn of_output(error: &OutputError, dtype: Dtype) -> Self {
        let OutputError { expected, found, .. } = *error;
        let off = (found - expected).abs();
        let symptom = if !found.is_finite() && expected.is_finite() {
            Symptom::NotFinite
        } else if found.is_finite() && !expected.is_finite() {
            Symptom::Finite
        } else if off <= dtype.unit_roundoff().sqrt() * expected.abs().max(1.0) {
            Symptom::Digits
        } else {
            Symptom::Wrong
        };
        Fault { message: error.to_string(), symptom, problem: None }
    }

    /// Adds a summary of the problem.
    pub(crate) fn about<T: Element>(self, problem: &Problem<'_, T>) -> Self {
        Fault { problem: Some(ProblemSummary::of(problem)), ..self }
    }

    /// Puts `words` before the message.
    pub(crate) fn after(self, words: impl fmt::Display) -> Self {
        Fault { message: format!("{words}: {}", self.message), ..self }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Fault { message, symptom: Symptom::Behaviour, problem: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let problem = self.problem.as_ref().map(|ProblemSummary { dim: (n, d, c), needs }| {
            let needs: Vec<&str> = needs.iter().map(Feature::name).collect();
            json!({ "n": n, "d": d, "c": c, "needs": needs })
        });
        json!({ "message": self.message, "symptom": self.symptom.name(), "problem": problem })
            .serialize(serializer)
    }
}
