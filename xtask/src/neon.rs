//! `cargo xtask neon`: the tests of softmax-fused for a 64-bit Arm processor, which QEMU emulates.

use crate::cargo::cargo;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct NeonArgs {
    /// The conformance suite's cases with this in their names; all of them take hours
    #[arg(long, value_name = "TEXT", default_value = "behaviour/levels")]
    filter: String,
}

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Needs the target's library and its linker, and QEMU: `rustup target add aarch64-unknown-linux-gnu`, and of Debian
/// `qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross`.
pub(crate) fn run(args: &NeonArgs) -> anyhow::Result<()> {
    let variables = [
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc"),
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64 -L /usr/aarch64-linux-gnu"),
        ("SOFTMAX_CONFORMANCE_FILTER", &args.filter),
    ];
    // Of every f32 there are too many for an emulator; and it has no pool to keep busy.
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
