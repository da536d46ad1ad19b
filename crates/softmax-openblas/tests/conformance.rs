//! The full conformance suite.

use softmax_conformance::{Runner, Suite};
use softmax_openblas::OpenBlas;

#[test]
fn openblas_f32() {
    Runner::new().run(&Suite::<f32>::full(), || Box::new(OpenBlas::new())).assert_complete();
}

#[test]
fn openblas_f64() {
    Runner::new().run(&Suite::<f64>::full(), || Box::new(OpenBlas::new())).assert_complete();
}
