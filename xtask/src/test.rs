//! `cargo xtask test`: runs every test that this machine can run.

use crate::cargo::{Extra, Extras, cargo, numpy_python};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    extras: Extras,
}

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    args.extras.check()?;
    // Uses the release profile, like the program, and all features of this machine, so that burn, which takes minutes,
    // is compiled once.
    let features = args.extras.features();
    let mut all = vec!["test", "--release", "--features", &features, "--workspace"];
    all.extend(args.extras.exclusions());
    let python = numpy_python().filter(|_| args.extras.has(Extra::Numpy));
    let variables: Vec<(&str, &str)> = python.iter().map(|&python| ("SOFTMAX_PYTHON", python)).collect();
    cargo(&all, &variables)?;
    args.extras.print_left_out(Extras::has);
    Ok(())
}
