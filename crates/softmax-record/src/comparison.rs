//! The results of all contenders on one problem.

use crate::shape::Shape;
use crate::time::Time;
use serde::{Deserialize, Deserializer, Serialize};
use softmax_core::{Dtype, OutputKind, Quantity};
use std::collections::BTreeMap;

/// Contenders checked against the oracle and timed side by side. The JSON keys are a stable format.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Comparison {
    /// What was computed, and where.
    pub problem: ProblemRecord,
    /// The oracle's answer.
    pub reference: ReferenceRecord,
    /// Whether at least one backend ran and all outputs are within their bounds. Other libraries do not count.
    pub agree: bool,
    /// The contenders that ran.
    pub backends: Vec<Measured>,
    /// The contenders that did not run.
    pub skipped: Vec<Skipped>,
}

/// The problem of a comparison.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProblemRecord {
    /// Samples, features, classes.
    #[serde(flatten)]
    pub shape: Shape,
    /// The number of classes without a sample. They exist because a file has larger labels: one stray label makes many.
    pub classes_without_samples: usize,
    /// The element type of inputs and outputs.
    pub dtype: Dtype,
    /// Where the data is from: the file, the seed or the digits.
    pub source: String,
    /// The number of threads that each contender may use.
    pub threads: usize,
    /// The processor.
    pub cpu: String,
    /// The requested gradients: dW, db, dX.
    pub gradients: Vec<Quantity>,
    /// The number of shards of the classes, in two passes. `None`: one pass.
    #[serde(default)]
    pub shards: Option<usize>,
}

/// The oracle's answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReferenceRecord {
    /// The loss.
    #[serde(deserialize_with = "nan_of_null")]
    pub loss: f64,
    /// A description of the arithmetic.
    pub arithmetic: String,
}

/// The results of a contender, and their cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measured {
    /// A backend or another library.
    pub name: String,
    /// Whether it is another library. Those promise no bound, so they have errors but no failures.
    #[serde(default)]
    pub peer: bool,
    /// The version of the library, or of this program for its own backends.
    #[serde(default)]
    pub version: Option<String>,
    /// Its loss.
    #[serde(deserialize_with = "nan_of_null")]
    pub loss: f64,
    /// The relative error of the loss.
    #[serde(deserialize_with = "nan_of_null")]
    pub loss_error: f64,
    /// max |g − g_ref| / max |g_ref|, for the gradient where this is largest.
    #[serde(deserialize_with = "nan_of_null")]
    pub gradient_error: f64,
    /// The relative error of each requested output.
    #[serde(deserialize_with = "nans_of_nulls")]
    pub errors: BTreeMap<Quantity, f64>,
    /// The time of a call. `None` for a backend that disagrees: a wrong answer is not timed.
    pub time: Option<Time>,
    /// The median time on the device in seconds, without transfers, if there is a device.
    pub device_s: Option<f64>,
    /// The baseline's time divided by this one's.
    pub speedup: Option<f64>,
    /// The peak memory of a call in bytes beyond inputs and outputs, if known.
    pub extra_bytes: Option<u64>,
    /// Operations per median time, in 10⁹ per second.
    pub gflops: Option<f64>,
    /// Whether it does not support the problem's storage and received dense arrays of the element type instead.
    #[serde(default)]
    pub widened: bool,
    /// The outputs that exceed their bounds.
    pub failures: Vec<Failure>,
}

/// An output that exceeds its bound.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failure {
    /// The name of the output.
    pub output: String,
    /// The index of the largest error.
    pub index: Vec<usize>,
    /// The expected value there and the value found.
    pub message: String,
}

/// A contender that was left out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Skipped {
    /// A backend or another library.
    pub name: String,
    /// Why it was left out.
    pub reason: String,
    /// The estimated seconds of a call, if that is the reason.
    #[serde(default)]
    pub estimate_s: Option<f64>,
}

impl Comparison {
    /// Computes `agree`, the speed-ups over the baseline, and the operations per second. Without a name, the baseline
    /// is the first contender that was timed.
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

    /// The contenders that promise a bound, which are those that are not other libraries.
    pub fn judged(&self) -> impl Iterator<Item = &Measured> {
        self.backends.iter().filter(|measured| !measured.peer)
    }
}

impl ProblemRecord {
    /// Whether dX was requested.
    pub fn has_dx(&self) -> bool {
        self.gradients.contains(&Quantity::Output(OutputKind::FeaturesGradient))
    }

    /// The requested gradients, for use in a sentence: `dW, dX`, or `dW, dX in two passes`.
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
    /// A contender that failed and has no answer.
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
    /// A contender that was skipped without an estimate of its time.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Skipped { name: name.into(), reason: reason.into(), estimate_s: None }
    }
}

/// Reads null as NaN. JSON has neither NaN nor infinity, so both are written as null.
fn nan_of_null<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or(f64::NAN))
}

fn nans_of_nulls<'de, D: Deserializer<'de>>(json: D) -> Result<BTreeMap<Quantity, f64>, D::Error> {
    let numbers = BTreeMap::<Quantity, Option<f64>>::deserialize(json)?;
    Ok(numbers.into_iter().map(|(output, error)| (output, error.unwrap_or(f64::NAN))).collect())
}
