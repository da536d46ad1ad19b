use crate::fault::Fault;
use serde::{Serialize, Serializer};
use serde_json::json;
use softmax_core::{Dtype, Feature, Quantity};
use std::fmt;

/// The results of a run. `Display` writes a summary for people, and [`to_json`](Self::to_json) writes JSON.
#[derive(Clone, Debug)]
pub struct Report {
    /// The backend's name.
    pub backend: String,
    /// The element type.
    pub dtype: Dtype,
    /// Number of cases that passed.
    pub passed: usize,
    /// Cases that failed.
    pub failures: Vec<CaseFailure>,
    /// Cases that failed as expected.
    pub expected_failures: Vec<Skipped>,
    /// Cases that did not run: skipped by the runner, or not applicable.
    pub skipped: Vec<Skipped>,
    /// Cases that the backend does not support: [`Error::Unsupported`](softmax_core::Error::Unsupported).
    pub unsupported: Vec<Unsupported>,
    /// Errors of the run itself: a skip that matches no case, or no case at all.
    pub misuse: Vec<String>,
    /// For each output, the largest error in units of its bound, over the cases that passed.
    pub worst: Vec<Worst>,
    /// The cases by kind, in the order of the suite.
    pub kinds: Vec<Kind>,
}

/// The cases whose names have the same first part, before `/`.
#[derive(Clone, Debug)]
pub struct Kind {
    /// The first part of the names.
    pub name: String,
    /// Number of cases that ran.
    pub ran: usize,
    /// Number of cases that failed, or passed although they were expected to fail. Expected failures are not counted.
    pub failed: usize,
    /// Number of cases that did not run: skipped, not applicable or not supported.
    pub left_out: usize,
}

/// A case that failed.
#[derive(Clone, Debug)]
pub struct CaseFailure {
    /// The case's name.
    pub name: String,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// A case that did not run, or was expected to fail, and why.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The case's name.
    pub name: String,
    /// The reason.
    pub reason: String,
}

/// A case that needs a feature that the backend does not support.
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// The case's name.
    pub name: String,
    /// The unsupported feature.
    pub feature: Feature,
}

/// The largest error of a quantity, in units of its bound.
#[derive(Clone, Debug)]
pub struct Worst {
    /// The quantity.
    pub quantity: Quantity,
    /// The error divided by its bound.
    pub over_bound: f64,
    /// The case with this error.
    pub case: String,
}

// Written by hand: serde's derive would take a tenth of the compile time of a user's first `cargo test`.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = json!({
            "backend": self.backend,
            "dtype": self.dtype.name(),
            "passed": self.passed,
            "failures": self.failures,
            "expected_failures": self.expected_failures,
            "skipped": self.skipped,
            "unsupported": self.unsupported,
            "misuse": self.misuse,
            "worst": self.worst,
            "kinds": self.kinds,
        });
        fields.serialize(serializer)
    }
}

impl Serialize for CaseFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let messages: Vec<&String> = self.faults.iter().map(|fault| &fault.message).collect();
        json!({ "name": self.name, "messages": messages, "faults": self.faults }).serialize(serializer)
    }
}

impl Serialize for Skipped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "name": self.name, "reason": self.reason }).serialize(serializer)
    }
}

impl Serialize for Unsupported {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "name": self.name, "reason": self.reason() }).serialize(serializer)
    }
}

impl Unsupported {
    /// Why the case did not run.
    pub fn reason(&self) -> String {
        format!("the backend does not support {}", self.feature)
    }
}

impl Serialize for Worst {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "output": self.quantity.name(), "over_bound": self.over_bound, "case": self.case })
            .serialize(serializer)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields =
            json!({ "name": self.name, "ran": self.ran, "failed": self.failed, "left_out": self.left_out });
        fields.serialize(serializer)
    }
}

impl Skipped {
    fn with_reason(&self) -> (&String, String) {
        (&self.name, self.reason.clone())
    }
}

impl Worst {
    pub(crate) fn none(quantity: Quantity) -> Self {
        Worst { quantity, over_bound: 0.0, case: String::new() }
    }

    pub(crate) fn update(&mut self, over_bound: f64, case: &str) {
        if over_bound > self.over_bound {
            self.over_bound = over_bound;
            self.case = case.to_owned();
        }
    }
}

impl Report {
    pub(crate) fn new(backend: String, dtype: Dtype) -> Self {
        Report {
            backend,
            dtype,
            passed: 0,
            failures: Vec::new(),
            expected_failures: Vec::new(),
            skipped: Vec::new(),
            unsupported: Vec::new(),
            misuse: Vec::new(),
            worst: Vec::new(),
            kinds: Vec::new(),
        }
    }

    /// The kind of a case, added if it is new.
    pub(crate) fn kind(&mut self, case: &str) -> &mut Kind {
        let name = kind_of(case);
        let place = self.kinds.iter().position(|kind| kind.name == name).unwrap_or(self.kinds.len());
        if place == self.kinds.len() {
            self.kinds.push(Kind { name: name.to_owned(), ran: 0, failed: 0, left_out: 0 });
        }
        &mut self.kinds[place]
    }

    /// Number of cases that ran.
    pub fn ran(&self) -> usize {
        self.passed + self.failures.len() + self.expected_failures.len()
    }

    /// Whether the run has no failures and no errors of its own. A run without any case is such an error.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && self.misuse.is_empty()
    }

    /// The largest error of all outputs, in units of its bound.
    pub fn worst_over_bound(&self) -> f64 {
        self.worst.iter().map(|worst| worst.over_bound).fold(0.0, f64::max)
    }

    /// Prints the summary, for use in a test.
    ///
    /// # Panics
    /// If the run is not a success. The message is the report.
    #[track_caller]
    pub fn assert_success(&self) {
        assert!(self.is_success(), "{self}");
        println!("{self}");
    }

    /// Like [`assert_success`](Self::assert_success), for a backend that supports every feature.
    ///
    /// # Panics
    /// If the run is not a success, or a case is unsupported.
    #[track_caller]
    pub fn assert_complete(&self) {
        self.assert_success();
        assert!(self.unsupported.is_empty(), "expected a backend that does everything: {self}");
    }

    /// Like [`assert_complete`](Self::assert_complete), but features for which `lacks` is true may be unsupported.
    ///
    /// # Panics
    /// If the run is not a success, or a case needs another feature that is unsupported.
    #[track_caller]
    pub fn assert_complete_but(&self, lacks: impl Fn(Feature) -> bool) {
        self.assert_success();
        let other = self.unsupported.iter().find(|case| !lacks(case.feature));
        assert!(other.is_none(), "expected a backend that does {other:?}: {self}");
    }

    /// Requires that only cases whose names begin with one of `kinds` were skipped.
    ///
    /// # Panics
    /// If another case was skipped.
    #[track_caller]
    pub fn assert_skips_only(&self, kinds: &[&str]) {
        let is_other = |case: &&Skipped| !kinds.iter().any(|kind| case.name.starts_with(kind));
        let other = self.skipped.iter().find(is_other);
        assert!(other.is_none(), "expected a backend that {other:?} applies to: {self}");
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers can be written as JSON")
    }
}

/// Maximum number of lines of each kind in the summary.
const SHOWN: usize = 20;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {}: {} cases ran, {} failed, {} unsupported, {} skipped; worst error {:.3} of its bound",
            self.backend,
            self.dtype,
            self.ran(),
            self.failures.len(),
            self.unsupported.len(),
            self.skipped.len(),
            self.worst_over_bound()
        )?;
        self.misuse.iter().try_for_each(|misuse| writeln!(f, "  ERROR {misuse}"))?;
        for failure in self.failures.iter().take(SHOWN) {
            for fault in &failure.faults {
                writeln!(f, "  FAILED {}: {fault}", failure.name)?;
            }
        }
        if self.failures.len() > SHOWN {
            writeln!(f, "  … and {} more failed", self.failures.len() - SHOWN)?;
        }
        for worst in self.worst.iter().filter(|worst| worst.over_bound > 0.0) {
            writeln!(f, "  {:<18} {:.3} of its bound, in {}", worst.quantity, worst.over_bound, worst.case)?;
        }
        let unsupported = self.unsupported.iter().map(|case| (&case.name, case.reason()));
        write_by_reason(f, "unsupported", unsupported)?;
        write_by_reason(f, "skipped", self.skipped.iter().map(Skipped::with_reason))?;
        write_by_reason(f, "failed as expected", self.expected_failures.iter().map(Skipped::with_reason))
    }
}

/// Writes a line for each reason, with the first of its cases and their number.
fn write_by_reason<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    cases: impl Iterator<Item = (N, String)>,
) -> fmt::Result {
    let mut reasons: Vec<(String, N, usize)> = Vec::new();
    for (name, reason) in cases {
        match reasons.iter_mut().find(|(known, ..)| *known == reason) {
            Some((.., count)) => *count += 1,
            None => reasons.push((reason, name, 1)),
        }
    }
    for (reason, first, count) in reasons.iter().take(SHOWN) {
        let more = if *count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        writeln!(f, "  {what} {first}{more}: {reason}")?;
    }
    if reasons.len() > SHOWN {
        writeln!(f, "  … and {} more reasons", reasons.len() - SHOWN)?;
    }
    Ok(())
}

/// The kind of a case: the first part of its name.
pub(crate) fn kind_of(case: &str) -> &str {
    case.split('/').next().unwrap_or(case)
}
