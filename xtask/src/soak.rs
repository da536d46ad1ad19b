//! `cargo xtask soak`: the release program evaluates random problems in a row, then the same ones again, and checks that
//! its memory does not grow the second time.

use crate::cargo::build_program;
use clap::Args;
use std::process::Command;

#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// How many evaluations, half of them in each round
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    count: usize,
    /// Which backends [default: all that are here]
    #[arg(long, value_name = "NAMES")]
    backends: Option<String>,
    /// The seed of the problems
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(args: &SoakArgs) -> anyhow::Result<()> {
    let mut command = Command::new(build_program()?);
    command.args(["workbench", "soak", "--count", &args.count.to_string(), "--seed", &args.seed.to_string()]);
    if let Some(backends) = &args.backends {
        command.args(["--backends", backends]);
    }
    anyhow::ensure!(command.status()?.success(), "the soak failed");
    Ok(())
}
