//! `cargo xtask neon`: runs softmax-fused's tests for 64-bit Arm in QEMU, an emulator.

use crate::cargo::cargo;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct NeonArgs {
    /// The conformance suite's cases with this in their names; all of them take hours
    #[arg(long, value_name = "TEXT", default_value = "behaviour/levels")]
    filter: String,
}

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Requires the target's standard library, a linker for it, and QEMU: `rustup target add aarch64-unknown-linux-gnu`,
/// and Debian's `qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross`.
pub(crate) fn run(args: &NeonArgs) -> anyhow::Result<()> {
    let variables = [
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc"),
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64 -L /usr/aarch64-linux-gnu"),
        ("SOFTMAX_CONFORMANCE_FILTER", &args.filter),
    ];
    // Leaves out the test over every f32, which takes too long in an emulator, and the tests of thread pools.
    let tests = [
        "--lib",
        "--test",
        "conformance",
        "--test",
        "hessian",
        "--test",
        "params",
        "--test",
        "recorded_bits",
    ];
    let test = [&["test", "--release", "-p", "softmax-fused", "--target", TARGET][..], &tests];
    cargo(&[&test.concat()[..], &["--", "--skip", "every_f32"]].concat(), &variables)
}
