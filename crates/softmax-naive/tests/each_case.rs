//! Each case of the suite as a separate test: `cargo test -p softmax-naive --test each_case -- f64::golden`.

use softmax_conformance::{Suite, main as run, trials};
use softmax_naive::Naive;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut all = trials(Suite::<f32>::full(), || Box::new(Naive::new()));
    all.extend(trials(Suite::<f64>::full(), || Box::new(Naive::new())));
    run(all)
}
