//! The full conformance suite, at every level that this machine has, each a backend of its own.

use softmax_conformance::{Report, Runner, Suite};
use softmax_fused::{Fused, Level};

/// A built-in backend does everything: what it does not support fails here.
fn assert_complete(report: &Report) {
    report.assert_success();
    assert!(report.ran() > 500, "{} cases", report.ran());
    let unsupported: Vec<_> =
        report.skipped.iter().filter(|s| s.reason.contains("does not support")).collect();
    assert!(unsupported.is_empty(), "{unsupported:?}");
}

#[test]
fn every_level_f32() {
    for level in Level::available() {
        println!("level {}", level.name());
        assert_complete(&Runner::new().run(&Suite::<f32>::full(), || Box::new(Fused::with_level(level))));
    }
}

#[test]
fn every_level_f64() {
    for level in Level::available() {
        println!("level {}", level.name());
        assert_complete(&Runner::new().run(&Suite::<f64>::full(), || Box::new(Fused::with_level(level))));
    }
}

/// So little memory that a block has six rows, and a task per few.
#[test]
fn little_memory_is_enough() {
    let suite = Suite::<f64>::full();
    assert_complete(&Runner::new().run(&suite, || Box::new(Fused::detect().memory(1))));
}
