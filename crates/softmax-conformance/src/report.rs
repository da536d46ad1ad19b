use crate::fault::Fault;
use serde::{Serialize, Serializer};
use serde_json::json;
use softmax_core::{Dtype, Feature, Quantity};
use std::fmt;

/// What a run found. It serialises, and `Display` is for people.
#[derive(Clone, Debug)]
pub struct Report {
    /// The backend's name.
    pub backend: String,
    /// The element type.
    pub dtype: Dtype,
    /// How many cases passed.
    pub passed: usize,
    /// Cases that failed.
    pub failures: Vec<CaseFailure>,
    /// Cases that failed as expected.
    pub expected_failures: Vec<Skipped>,
    /// Cases that did not run: left out, or not applicable.
    pub skipped: Vec<Skipped>,
    /// Cases that the backend says it does not do: [`Error::Unsupported`](softmax_core::Error::Unsupported).
    pub unsupported: Vec<Unsupported>,
    /// What is wrong with the run itself: a skip that matches no case, no case at all.
    pub misuse: Vec<String>,
    /// Per output, the largest error over its bound among the cases that passed.
    pub worst: Vec<Worst>,
    /// The cases by kind, in the order of the suite.
    pub kinds: Vec<Kind>,
}

/// The cases whose names begin with the same word.
#[derive(Clone, Debug)]
pub struct Kind {
    /// The word.
    pub name: String,
    /// How many cases ran.
    pub ran: usize,
    /// How many of them failed, those that were expected to not among them.
    pub failed: usize,
    /// How many did not run: left out, not applicable or not supported.
    pub left_out: usize,
}

/// A case that failed.
#[derive(Clone, Debug)]
pub struct CaseFailure {
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// A case that did not run, or was expected to fail, and why.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A case that asks for something that the backend does not support.
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub feature: Feature,
}

/// The largest error over its bound of a quantity.
#[derive(Clone, Debug)]
pub struct Worst {
    /// Which quantity.
    pub quantity: Quantity,
    /// Error over bound.
    pub over_bound: f64,
    /// The case where it was met.
    pub case: String,
}

// By hand: serde's derive would take a tenth of the time in which an outsider's first `cargo test` compiles this.
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

    /// The kind of a case of this name.
    pub(crate) fn kind(&mut self, case: &str) -> &mut Kind {
        let name = case.split('/').next().unwrap_or(case);
        let place = self.kinds.iter().position(|kind| kind.name == name).unwrap_or(self.kinds.len());
        if place == self.kinds.len() {
            self.kinds.push(Kind { name: name.to_owned(), ran: 0, failed: 0, left_out: 0 });
        }
        &mut self.kinds[place]
    }

    /// How many cases ran.
    pub fn ran(&self) -> usize {
        self.passed + self.failures.len() + self.expected_failures.len()
    }

    /// Whether cases ran, and none failed that should not.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && self.misuse.is_empty()
    }

    /// The largest error over its bound of any output.
    pub fn worst_over_bound(&self) -> f64 {
        self.worst.iter().map(|worst| worst.over_bound).fold(0.0, f64::max)
    }

    /// Prints the summary, for a test.
    ///
    /// # Panics
    /// If it is not a success, with every failure.
    #[track_caller]
    pub fn assert_success(&self) {
        assert!(self.is_success(), "{self}");
        println!("{self}");
    }

    /// As [`assert_success`](Self::assert_success), for a backend that does everything.
    ///
    /// # Panics
    /// If it is not a success, or there is anything that the backend does not do.
    #[track_caller]
    pub fn assert_complete(&self) {
        self.assert_success();
        assert!(self.unsupported.is_empty(), "expected a backend that does everything: {self}");
    }

    /// As [`assert_complete`](Self::assert_complete), for a backend that does everything but what it `lacks`.
    ///
    /// # Panics
    /// If it is not a success, or there is anything else that the backend does not do.
    #[track_caller]
    pub fn assert_complete_but(&self, lacks: impl Fn(Feature) -> bool) {
        self.assert_success();
        let other = self.unsupported.iter().find(|case| !lacks(case.feature));
        assert!(other.is_none(), "expected a backend that does {other:?}: {self}");
    }

    /// No case was skipped but those whose names begin with one of `kinds`.
    ///
    /// # Panics
    /// If another was skipped.
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

/// How many lines of a kind are shown.
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

/// A line for each reason, with the number of its cases and the first of them.
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
