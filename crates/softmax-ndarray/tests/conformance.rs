//! The full conformance suite.

use softmax_conformance::{Runner, Suite, judge_in_turns};
use softmax_ndarray::NdArray;

#[test]
fn ndarray_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(NdArray::new())).assert_complete();
}

#[test]
fn ndarray_f64() {
    Runner::new().run(&Suite::<f64>::full(), || Box::new(NdArray::new())).assert_complete();
}

#[test]
fn both_types_in_turns() {
    let faults = judge_in_turns(&mut NdArray::new(), 0..100);
    assert!(faults.is_empty(), "{faults:#?}");
}
