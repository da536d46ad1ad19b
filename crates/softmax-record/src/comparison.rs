//! One problem, and what each contender makes of it.

use crate::shape::Shape;
use crate::time::Time;
use serde::{Deserialize, Deserializer, Serialize};
use softmax_core::{Dtype, OutputKind, Quantity};
use std::collections::BTreeMap;

/// Contenders held against the oracle and timed side by side. Its JSON keys are a contract.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Comparison {
    /// What was computed, and where.
    pub problem: ProblemRecord,
    /// The oracle's answer.
    pub reference: ReferenceRecord,
    /// Whether any backend ran, and all that did are within their bounds.
    pub agree: bool,
    /// Those that ran.
    pub backends: Vec<Measured>,
    /// Those that did not.
    pub skipped: Vec<Skipped>,
}

/// A problem.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProblemRecord {
    /// Samples, features, classes.
    #[serde(flatten)]
    pub shape: Shape,
    /// Classes that are there only since a file's labels go beyond them: a stray label makes many.
    pub classes_without_samples: usize,
    /// The type of everything.
    pub dtype: Dtype,
    /// The file, the seed or the digits.
    pub source: String,
    /// How many threads each contender may use.
    pub threads: usize,
    /// The processor.
    pub cpu: String,
    /// What is requested beside the loss: dW, db, dX.
    pub gradients: Vec<Quantity>,
    /// How many shards the classes are cut into, in two passes. `None`: one pass.
    #[serde(default)]
    pub shards: Option<usize>,
}

/// The oracle's answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReferenceRecord {
    /// The loss.
    #[serde(deserialize_with = "nan_of_null")]
    pub loss: f64,
    /// How it was computed, in words.
    pub arithmetic: String,
}

/// What a contender computed, and what that cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measured {
    /// A backend or another library.
    pub name: String,
    /// Whether it is another library, which promises no bound: its errors are known, and no failures.
    #[serde(default)]
    pub peer: bool,
    /// The version of the library, or of this program for its own backends.
    #[serde(default)]
    pub version: Option<String>,
    /// Its loss.
    #[serde(deserialize_with = "nan_of_null")]
    pub loss: f64,
    /// Relative.
    #[serde(deserialize_with = "nan_of_null")]
    pub loss_error: f64,
    /// max |g − g_ref| / max |g_ref|, the worst of the gradients.
    #[serde(deserialize_with = "nan_of_null")]
    pub gradient_error: f64,
    /// Relative, of each output that was requested.
    #[serde(deserialize_with = "nans_of_nulls")]
    pub errors: BTreeMap<Quantity, f64>,
    /// None for a backend that disagrees: a wrong answer is not timed.
    pub time: Option<Time>,
    /// The median of what a device took of that, without transfers, where there is a device.
    pub device_s: Option<f64>,
    /// The baseline's time over this one's.
    pub speedup: Option<f64>,
    /// The peak of memory that a call held beyond inputs and outputs, where it is known.
    pub extra_bytes: Option<u64>,
    /// Operations over the median.
    pub gflops: Option<f64>,
    /// Whether it does not take the problem's storage, and was given dense arrays of the element type.
    #[serde(default)]
    pub widened: bool,
    /// The outputs that are beyond their bounds.
    pub failures: Vec<Failure>,
}

/// An output that is beyond its bound.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failure {
    /// The output in words.
    pub output: String,
    /// Where the error is worst.
    pub index: Vec<usize>,
    /// What was expected there, and what was found.
    pub message: String,
}

/// A contender that was left out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Skipped {
    /// A backend or another library.
    pub name: String,
    /// Why.
    pub reason: String,
    /// How many seconds a call would take, where that is why.
    #[serde(default)]
    pub estimate_s: Option<f64>,
}

impl Comparison {
    /// Fills in what follows from the rest: `agree`, speed-ups over the baseline, which is the first that was timed
    /// where none is named, and operations per second.
    pub fn new(
        problem: ProblemRecord,
        reference: ReferenceRecord,
        mut backends: Vec<Measured>,
        skipped: Vec<Skipped>,
        baseline: Option<&str>,
    ) -> Self {
        let mut candidates = backends.iter().filter(|b| baseline.is_none_or(|name| b.name == name));
        let baseline = candidates.find_map(|backend| backend.time);
        let operations = problem.shape.operations(problem.has_dx());
        for backend in &mut backends {
            backend.speedup = baseline.zip(backend.time).map(|(than, this)| than.median_s / this.median_s);
            backend.gflops = backend.time.map(|time| operations / time.median_s / 1e9);
        }
        let judged = || backends.iter().filter(|measured| !measured.peer);
        let agree = judged().next().is_some() && judged().all(Measured::agrees);
        Comparison { problem, reference, agree, backends, skipped }
    }

    /// Those that promise a bound.
    pub fn judged(&self) -> impl Iterator<Item = &Measured> {
        self.backends.iter().filter(|measured| !measured.peer)
    }
}

impl ProblemRecord {
    /// Whether dX was requested.
    pub fn has_dx(&self) -> bool {
        self.gradients.contains(&Quantity::Output(OutputKind::FeaturesGradient))
    }

    /// The gradients asked for, as words in a sentence: `dW, dX`, or `dW, dX in two passes`.
    pub fn gradients(&self) -> String {
        let symbols = self.gradients.iter().map(|output| output.symbol()).collect::<Vec<_>>().join(", ");
        match self.shards {
            None => symbols,
            Some(1) => format!("{symbols} in two passes"),
            Some(shards) => format!("{symbols} in two passes, classes in {shards} shards"),
        }
    }
}

impl Measured {
    /// One that failed, and has no answer.
    pub fn failed(name: impl Into<String>, message: impl Into<String>) -> Self {
        let failure = Failure { output: "evaluation".to_owned(), index: Vec::new(), message: message.into() };
        Measured {
            name: name.into(),
            peer: false,
            version: None,
            loss: f64::NAN,
            loss_error: f64::NAN,
            gradient_error: f64::NAN,
            errors: BTreeMap::new(),
            time: None,
            device_s: None,
            speedup: None,
            extra_bytes: None,
            gflops: None,
            widened: false,
            failures: vec![failure],
        }
    }

    /// Whether every output is within its bound.
    pub fn agrees(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Skipped {
    /// One that was not even estimated.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Skipped { name: name.into(), reason: reason.into(), estimate_s: None }
    }
}

/// JSON has neither NaN nor infinity: either is written as null, and read back as NaN.
fn nan_of_null<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or(f64::NAN))
}

fn nans_of_nulls<'de, D: Deserializer<'de>>(json: D) -> Result<BTreeMap<Quantity, f64>, D::Error> {
    let numbers = BTreeMap::<Quantity, Option<f64>>::deserialize(json)?;
    Ok(numbers.into_iter().map(|(output, error)| (output, error.unwrap_or(f64::NAN))).collect())
}
