//! `cargo xtask fuzz`: runs the targets of fuzz/ for a given time.

use anyhow::Context;
use clap::Args;
use std::process::Command;

const TARGETS: [&str; 11] = [
    "csv",
    "npz",
    "npy",
    "idx",
    "cifar10",
    "svmlight",
    "safetensors",
    "weights",
    "model",
    "external",
    "evaluate",
];

/// The memory limit of a target in MiB: readers validate sizes before they allocate.
const MEMORY_MIB: u32 = 1024;

/// The duration of a smoke test in seconds, for all targets together.
const SMOKE: f64 = 30.0;

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// How long each target runs
    #[arg(long, value_name = "MINUTES", default_value_t = 1.0)]
    minutes: f64,
    /// Which targets [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    targets: Vec<String>,
    /// Run all targets for 30 seconds in total, if this machine has cargo-fuzz and a nightly toolchain
    #[arg(long, conflicts_with_all = ["minutes", "targets"])]
    smoke: bool,
}

pub(crate) fn run(args: &FuzzArgs) -> anyhow::Result<()> {
    if args.smoke && !is_here() {
        println!("left out: fuzzing (cargo install cargo-fuzz; rustup toolchain install nightly)");
        return Ok(());
    }
    let all = TARGETS.map(str::to_owned);
    let targets = if args.targets.is_empty() { &all[..] } else { &args.targets };
    for target in targets {
        anyhow::ensure!(
            all.contains(target),
            "--targets: expected one of {}, found {target}",
            TARGETS.join(", ")
        );
    }
    let seconds = if args.smoke { SMOKE / TARGETS.len() as f64 } else { args.minutes * 60.0 }.ceil();
    for target in targets {
        eprintln!("{target}, {seconds} s");
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "run", target]);
        // Starts from the inputs in fuzz/seeds, which softmax-data's tests read too.
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
        anyhow::ensure!(status.success(), "{target} failed: the input is in fuzz/artifacts/{target}");
    }
    Ok(())
}

fn is_here() -> bool {
    let output = Command::new("cargo").args(["+nightly", "fuzz", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}
