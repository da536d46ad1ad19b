//! `cargo xtask fuzz`: every target of fuzz/, for so long.

use anyhow::Context;
use clap::Args;
use std::process::Command;

const TARGETS: [&str; 9] =
    ["csv", "npz", "npy", "idx", "cifar10", "svmlight", "safetensors", "weights", "evaluate"];

/// Bytes that a target may ask for: readers hold a header against the file before they ask for memory.
const MEMORY_MIB: u32 = 1024;

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// How long each target runs
    #[arg(long, value_name = "MINUTES", default_value_t = 1.0)]
    minutes: f64,
    /// Which targets [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    targets: Vec<String>,
}

pub(crate) fn run(args: &FuzzArgs) -> anyhow::Result<()> {
    let all = TARGETS.map(str::to_owned);
    let targets = if args.targets.is_empty() { &all[..] } else { &args.targets };
    for target in targets {
        anyhow::ensure!(
            all.contains(target),
            "--targets: expected one of {}, found {target}",
            TARGETS.join(", ")
        );
    }
    let seconds = (args.minutes * 60.0).ceil();
    for target in targets {
        eprintln!("{target}, {seconds} s");
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "run", target]);
        // What tests keep is where it starts.
        let seeds = format!("fuzz/seeds/{target}");
        if std::path::Path::new(&seeds).is_dir() {
            let corpus = format!("fuzz/corpus/{target}");
            std::fs::create_dir_all(&corpus)?;
            command.args([corpus, seeds]);
        }
        command.args(["--", &format!("-max_total_time={seconds}"), &format!("-rss_limit_mb={MEMORY_MIB}")]);
        let status = command
            .status()
            .context("cargo fuzz (cargo install cargo-fuzz; rustup toolchain install nightly)")?;
        anyhow::ensure!(status.success(), "{target}: the input that fails is in fuzz/artifacts/{target}");
    }
    Ok(())
}
