//! `cargo xtask doc`: the documentation of all crates, with the features of the tests.

use crate::cargo::{Extras, cargo};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct DocArgs {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    extras: Extras,
}

pub(crate) fn run(args: &DocArgs) -> anyhow::Result<()> {
    args.extras.check()?;
    build(&args.extras, if args.open { &["--open"] } else { &[] })
}

/// Builds the documentation, with warnings as errors. Uses the release profile, so that the tests can reuse its build
/// scripts and macros.
pub(crate) fn build(extras: &Extras, more: &[&str]) -> anyhow::Result<()> {
    let features = extras.features();
    let mut args = vec!["doc", "--release", "--no-deps", "--workspace", "--features", &features];
    args.extend(extras.exclusions());
    args.extend(more);
    cargo(&args, &[("RUSTDOCFLAGS", "-Dwarnings")])
}
