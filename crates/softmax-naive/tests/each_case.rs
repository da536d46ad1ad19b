//! Each case of the suite as a separate test: `cargo test -p softmax-naive --test each_case -- f64::golden`.
//! conformance.rs runs the suite in f32 too.

use softmax_conformance::{Suite, main as run, trials};
use softmax_naive::Naive;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(trials(Suite::<f64>::full(), || Box::new(Naive::new())))
}
