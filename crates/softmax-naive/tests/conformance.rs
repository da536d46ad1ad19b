//! The full conformance suite.

use softmax_conformance::{Runner, Suite};
use softmax_naive::Naive;

#[test]
fn naive_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(Naive::new())).assert_complete();
}

#[test]
fn naive_f64() {
    Runner::new().run(&Suite::<f64>::full(), || Box::new(Naive::new())).assert_complete();
}
