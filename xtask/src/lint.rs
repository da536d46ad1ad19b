//! `cargo xtask lint`: checks format, clippy and documentation.

use crate::cargo::{Extras, cargo};
use crate::doc;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    #[command(flatten)]
    extras: Extras,
}

pub(crate) fn run(args: &LintArgs) -> anyhow::Result<()> {
    args.extras.check()?;
    cargo(&["fmt", "--all", "--check"], &[])?;
    // Uses the release profile, so that the tests can reuse its build scripts and macros.
    let features = args.extras.features();
    let mut workspace = vec!["--workspace", "--features", &features];
    workspace.extend(args.extras.exclusions());
    let clippy = [&["clippy", "--release", "--all-targets"], &*workspace, &["--", "-D", "warnings"]].concat();
    cargo(&clippy, &[])?;
    doc::build(&args.extras, &[])
}
