//! The full conformance suite.

use softmax_conformance::{Report, Runner, Suite, judge_in_turns};
use softmax_naive::Naive;

/// Every case passed, except the cases for settings and bit-identity guarantees that the backend does not have.
fn assert_whole(report: &Report) {
    report.assert_complete();
    let promises = ["behaviour/levels", "behaviour/memory", "behaviour/batch", "behaviour/shards"];
    report.assert_skips_only(&promises);
}

#[test]
fn naive_f32() {
    assert_whole(&Runner::new().run(&Suite::<f32>::full(), || Box::new(Naive::new())));
}

#[test]
fn naive_f64() {
    assert_whole(&Runner::new().run(&Suite::<f64>::full(), || Box::new(Naive::new())));
}

#[test]
fn both_types_in_turns() {
    let faults = judge_in_turns(&mut Naive::new(), 0..100);
    assert!(faults.is_empty(), "{faults:#?}");
}
