//! `cargo xtask test`: runs every test that this machine can run.

use crate::cargo::{Extra, cargo, exclusions, features, numpy_python, require};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Fail if this dependency is missing, instead of leaving out what needs it
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Extra>,
}

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    require(&args.require)?;
    // Uses the release profile, like the program, and all features of this machine, so that burn, which takes minutes,
    // is compiled once.
    let features = features();
    let mut all = vec!["test", "--release", "--features", &features, "--workspace"];
    all.extend(exclusions());
    let python = numpy_python();
    let variables: Vec<(&str, &str)> = python.iter().map(|&python| ("SOFTMAX_PYTHON", python)).collect();
    cargo(&all, &variables)?;
    for extra in Extra::ALL.into_iter().filter(|extra| !extra.is_here()) {
        println!("left out: {} (apt-get install {})", extra.brings(), extra.packages());
    }
    Ok(())
}
