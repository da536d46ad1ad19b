//! `cargo xtask mutants`: makes small changes to a backend's code, and runs the backend's conformance test on each. A
//! mutant that passes shows a gap in the suite, or changes nothing that the contract promises. The latter are listed in
//! `.cargo/mutants.toml`, with reasons.

use anyhow::Context;
use clap::Args;
use std::process::Command;

#[derive(Debug, Args)]
pub(crate) struct MutantsArgs {
    /// Which backends' crates
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "naive,ndarray,fused")]
    backends: Vec<String>,
    /// Test every N-th mutant of softmax-fused: the suite takes a minute for each that survives
    #[arg(long, value_name = "N", default_value_t = 15)]
    fused_every: usize,
    /// The offset of the first of these mutants
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: usize,
}

/// The timeout of a mutant in seconds, about ten times the suite's duration. A mutant that exceeds it hangs.
const PATIENCE: &str = "600";

pub(crate) fn run(args: &MutantsArgs) -> anyhow::Result<()> {
    anyhow::ensure!(args.fused_every > 0, "--fused-every: expected an integer of at least 1, found 0");
    let mut gaps = Vec::new();
    for backend in &args.backends {
        let output = format!("target/mutants/{backend}");
        std::fs::create_dir_all(&output).with_context(|| output.clone())?;
        let mut command = Command::new("cargo");
        command.args(["mutants", "--package", &format!("softmax-{backend}"), "--profile", "release"]);
        command.args(["--cargo-test-arg", "--test", "--cargo-test-arg", "conformance"]);
        command.args(["--timeout", PATIENCE, "--no-shuffle"]);
        command.args(["--output", &output]);
        // Ends the suite at its first failure.
        command.env("SOFTMAX_CONFORMANCE_FAIL_FAST", "1");
        if backend == "fused" {
            let shard = format!("{}/{}", args.seed % args.fused_every, args.fused_every);
            command.args(["--sharding", "round-robin", "--shard", &shard]);
        }
        eprintln!("$ {command:?}");
        let status = command.status().context("cargo-mutants (cargo install cargo-mutants --locked)")?;
        if !status.success() {
            gaps.push(format!("softmax-{backend} ({status})"));
        }
    }
    anyhow::ensure!(
        gaps.is_empty(),
        "mutants survived in {}: see target/mutants/*/mutants.out/missed.txt",
        gaps.join(", ")
    );
    Ok(())
}
