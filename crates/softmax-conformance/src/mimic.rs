//! Each case as a test of `cargo test`, through libtest-mimic.

use crate::runner::Runner;
use crate::suite::Suite;
use crate::test::{Outcome, Subject, caught};
use libtest_mimic::{Arguments, Failed, Trial};
use softmax_core::{Element, SoftmaxBackend};
use std::process::ExitCode;
use std::sync::Arc;

/// The suite's tests as trials, with names such as `f32::closed/ties`.
///
/// A test that the backend does not support, or that does not apply to it, passes with a note. To skip tests or to
/// expect failures, use a [`Runner`].
pub fn trials<T, F>(suite: Suite<T>, factory: F) -> Vec<Trial>
where
    T: Element,
    F: Fn() -> Box<dyn SoftmaxBackend<T>> + Send + Sync + 'static,
{
    let factory = Arc::new(factory);
    let runner = Runner::new();
    let tests = suite.into_tests().into_iter().filter(|test| runner.is_chosen(test.name()));
    tests
        .map(|test| {
            let factory = Arc::clone(&factory);
            let name = format!("{}::{}", T::DTYPE, test.name());
            Trial::test(name, move || match caught(|| test.run(&Subject { factory: &*factory })) {
                Outcome::Passed(_) => Ok(()),
                Outcome::Unsupported(feature) => {
                    println!("{}: the backend does not support {feature}", test.name());
                    Ok(())
                }
                Outcome::NotApplicable(reason) => {
                    println!("{}: {reason}", test.name());
                    Ok(())
                }
                Outcome::Gone(error) => Err(Failed::from(error)),
                Outcome::Failed(faults) => {
                    let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
                    Err(Failed::from(messages.join("\n")))
                }
            })
        })
        .collect()
}

/// The `main` of a test target with `harness = false`. It fails if there is no test.
pub fn main(trials: Vec<Trial>) -> ExitCode {
    if trials.is_empty() {
        eprintln!("softmax-conformance: no case to run");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
