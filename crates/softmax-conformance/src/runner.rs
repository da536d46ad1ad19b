use crate::fault::Fault;
use crate::report::{CaseFailure, Report, Skipped, Unsupported, Worst};
use crate::suite::Suite;
use crate::test::{Outcome, Subject, Test, caught};
use softmax_core::{Element, SoftmaxBackend};
use std::collections::BTreeMap;
use std::env;
use std::ops::ControlFlow;

/// The environment variable that selects cases, as [`Runner::filter`] does. Ignored if empty.
pub const FILTER_VARIABLE: &str = "SOFTMAX_CONFORMANCE_FILTER";

/// The environment variable that, if it is not empty, ends a run at its first failure.
pub const FAIL_FAST_VARIABLE: &str = "SOFTMAX_CONFORMANCE_FAIL_FAST";

/// Runs a suite on backends.
///
/// Every case gets a fresh backend. A panic is a failure of its case. All failures are collected. A backend that is
/// gone ([`Error::Gone`](softmax_core::Error::Gone)) ends the run.
///
/// ```no_run
/// # fn make() -> Box<dyn softmax_core::SoftmaxBackend<f32>> { Box::new(softmax_naive::Naive::new()) }
/// use softmax_conformance::{Runner, Suite};
///
/// let report = Runner::new()
///     .skip("properties/one-hot-is-hard", "soft targets are not done yet")
///     .run(&Suite::<f32>::full(), make);
/// report.assert_success();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a runner does nothing until `run`"]
pub struct Runner {
    skips: Vec<(String, String)>,
    expected_failures: Vec<(String, String)>,
    filter: Option<String>,
    fail_fast: bool,
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// Runs everything, unless the variables [`FILTER_VARIABLE`] and [`FAIL_FAST_VARIABLE`] say otherwise.
    pub fn new() -> Self {
        let filter = env::var(FILTER_VARIABLE).ok().filter(|text| !text.is_empty());
        let fail_fast = env::var_os(FAIL_FAST_VARIABLE).is_some_and(|text| !text.is_empty());
        Runner { skips: Vec::new(), expected_failures: Vec::new(), filter, fail_fast }
    }

    /// Skips the cases whose names begin with `name`. It is an error if there are none.
    pub fn skip(mut self, name: impl Into<String>, reason: impl Into<String>) -> Self {
        self.skips.push((name.into(), reason.into()));
        self
    }

    /// Expects the cases whose names begin with `name` to fail. It is an error if one passes, or if there are
    /// none.
    pub fn expect_fail(mut self, name: impl Into<String>, reason: impl Into<String>) -> Self {
        self.expected_failures.push((name.into(), reason.into()));
        self
    }

    /// Runs only the cases whose names contain `text` at the beginning of a word: `ties` admits `closed/ties` and
    /// `ties/…`, but not `properties/…`.
    pub fn filter(mut self, text: impl Into<String>) -> Self {
        self.filter = Some(text.into());
        self
    }

    /// Stops at the first failure.
    pub fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }

    /// Whether the filter admits a case.
    pub fn is_chosen(&self, name: &str) -> bool {
        let begins_word = |place: usize| {
            !name[..place].ends_with(char::is_alphanumeric)
                || !name[place..].starts_with(char::is_alphanumeric)
        };
        self.filter
            .as_ref()
            .is_none_or(|text| name.match_indices(text.as_str()).any(|(place, _)| begins_word(place)))
    }

    /// Runs the suite on the backends that `factory` makes.
    pub fn run<T, F>(&self, suite: &Suite<T>, factory: F) -> Report
    where
        T: Element,
        F: Fn() -> Box<dyn SoftmaxBackend<T>> + Sync,
    {
        self.run_with_progress(suite, factory, |_, _| ())
    }

    /// Like [`run`](Self::run). Calls `progress` with the number of finished cases and the number of all cases.
    pub fn run_with_progress<T, F>(
        &self,
        suite: &Suite<T>,
        factory: F,
        mut progress: impl FnMut(usize, usize),
    ) -> Report
    where
        T: Element,
        F: Fn() -> Box<dyn SoftmaxBackend<T>> + Sync,
    {
        let subject = Subject { factory: &factory };
        let mut report = Report::new(factory().descriptor().name.into_owned(), T::DTYPE);
        let mut worst = BTreeMap::new();
        let chosen: Vec<&Test<T>> = suite.tests().filter(|test| self.is_chosen(test.name())).collect();
        for (done, test) in chosen.iter().enumerate() {
            progress(done, chosen.len());
            let goes_on = self.run_one(test, &subject, &mut report, &mut worst);
            if goes_on.is_break() || (self.fail_fast && !report.failures.is_empty()) {
                break;
            }
        }
        progress(chosen.len(), chosen.len());
        report.worst = worst.into_values().collect();
        report.misuse = self.misuse(suite, &report);
        report
    }

    /// Runs one case. Breaks if the backend is gone.
    fn run_one<T: Element>(
        &self,
        test: &Test<T>,
        subject: &Subject<'_, T>,
        report: &mut Report,
        worst: &mut BTreeMap<&'static str, Worst>,
    ) -> ControlFlow<()> {
        let name = test.name().to_owned();
        if let Some(reason) = reason_for(&self.skips, &name) {
            report.kind(&name).left_out += 1;
            report.skipped.push(Skipped { name, reason: reason.to_owned() });
            return ControlFlow::Continue(());
        }
        let outcome = caught(|| test.run(subject));
        let expected = reason_for(&self.expected_failures, &name);
        let kind = report.kind(&name);
        match (&outcome, expected) {
            (Outcome::NotApplicable(_) | Outcome::Unsupported(_), _) => kind.left_out += 1,
            (Outcome::Passed(_), None) | (Outcome::Failed(_), Some(_)) => kind.ran += 1,
            (Outcome::Passed(_), Some(_)) | (Outcome::Failed(_), None) | (Outcome::Gone(_), _) => {
                kind.ran += 1;
                kind.failed += 1;
            }
        }
        match (outcome, expected) {
            (Outcome::Gone(error), _) => {
                report.failures.push(CaseFailure { name, faults: vec![Fault::failed(error.to_string())] });
                return ControlFlow::Break(());
            }
            (Outcome::NotApplicable(reason), _) => report.skipped.push(Skipped { name, reason }),
            (Outcome::Unsupported(feature), _) => report.unsupported.push(Unsupported { name, feature }),
            (Outcome::Passed(errors), None) => {
                report.passed += 1;
                for error in errors {
                    let quantity = error.quantity;
                    let record = worst.entry(quantity.name()).or_insert_with(|| Worst::none(quantity));
                    record.update(error.over_bound, &name);
                }
            }
            (Outcome::Passed(_), Some(reason)) => {
                let message = format!("passed, but was expected to fail: {reason}");
                report.failures.push(CaseFailure { name, faults: vec![message.into()] });
            }
            (Outcome::Failed(faults), None) => report.failures.push(CaseFailure { name, faults }),
            (Outcome::Failed(_), Some(reason)) => {
                report.expected_failures.push(Skipped { name, reason: reason.to_owned() });
            }
        }
        ControlFlow::Continue(())
    }

    /// Errors of the run itself.
    fn misuse<T: Element>(&self, suite: &Suite<T>, report: &Report) -> Vec<String> {
        let mut misuse = Vec::new();
        for (list, what) in [(&self.skips, "skip"), (&self.expected_failures, "expected failure")] {
            for (prefix, _) in list {
                if !suite.tests().any(|test| test.name().starts_with(prefix)) {
                    misuse.push(format!("the {what} {prefix:?} matches no case"));
                }
            }
        }
        if report.ran() == 0 {
            misuse.push("no case ran".to_owned());
        }
        misuse
    }
}

fn reason_for<'a>(list: &'a [(String, String)], name: &str) -> Option<&'a str> {
    list.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, reason)| reason.as_str())
}
