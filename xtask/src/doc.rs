//! `cargo xtask doc`: the documentation of all crates, with the features of the tests.

use crate::cargo::{cargo, exclusions, features};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct DocArgs {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
}

pub(crate) fn run(args: &DocArgs) -> anyhow::Result<()> {
    build(if args.open { &["--open"] } else { &[] })
}

/// Builds the documentation, with warnings as errors. Uses the release profile, so that the tests can reuse its build
/// scripts and macros.
pub(crate) fn build(more: &[&str]) -> anyhow::Result<()> {
    let features = features();
    let mut args = vec!["doc", "--release", "--no-deps", "--workspace", "--features", &features];
    args.extend(exclusions());
    args.extend(more);
    cargo(&args, &[("RUSTDOCFLAGS", "-Dwarnings")])
}
