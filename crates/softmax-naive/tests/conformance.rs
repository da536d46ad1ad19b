//! The full conformance suite.

use softmax_conformance::{Report, Runner, Suite};
use softmax_naive::Naive;

/// A built-in backend does everything: what it does not support fails here.
fn assert_complete(report: &Report) {
    report.assert_success();
    assert!(report.ran() > 500, "{} cases", report.ran());
    let unsupported: Vec<_> =
        report.skipped.iter().filter(|s| s.reason.contains("does not support")).collect();
    assert!(unsupported.is_empty(), "{unsupported:?}");
}

#[test]
fn naive_f32() {
    assert_complete(&Runner::new().run(&Suite::<f32>::full(), || Box::new(Naive::new())));
}

#[test]
fn naive_f64() {
    assert_complete(&Runner::new().run(&Suite::<f64>::full(), || Box::new(Naive::new())));
}
