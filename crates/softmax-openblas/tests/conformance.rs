//! The full conformance suite.

use softmax_conformance::{Runner, Suite};
use softmax_openblas::{Feature, OpenBlas};

#[test]
fn openblas_f32() {
    Runner::new()
        .run(&Suite::<f32>::full(), || Box::new(OpenBlas::new()))
        .assert_complete_but(Feature::is_storage);
}

#[test]
fn openblas_f64() {
    Runner::new()
        .run(&Suite::<f64>::full(), || Box::new(OpenBlas::new()))
        .assert_complete_but(Feature::is_storage);
}
