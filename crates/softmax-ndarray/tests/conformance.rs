//! The full conformance suite.

use softmax_conformance::{Runner, Suite};
use softmax_ndarray::NdArray;

#[test]
fn ndarray_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(NdArray::new())).assert_complete();
}

#[test]
fn ndarray_f64() {
    Runner::new().run(&Suite::<f64>::full(), || Box::new(NdArray::new())).assert_complete();
}
