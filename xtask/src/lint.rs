//! `cargo xtask lint`: checks format, clippy and documentation.

use crate::cargo::{Extra, cargo, exclusions, features, require};
use crate::doc;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Fail if this dependency is missing, instead of leaving out what needs it
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Extra>,
}

pub(crate) fn run(args: &LintArgs) -> anyhow::Result<()> {
    require(&args.require)?;
    cargo(&["fmt", "--all", "--check"], &[])?;
    // Uses the release profile, so that the tests can reuse its build scripts and macros.
    let features = features();
    let mut workspace = vec!["--workspace", "--features", &features];
    workspace.extend(exclusions());
    let clippy = [&["clippy", "--release", "--all-targets"], &*workspace, &["--", "-D", "warnings"]].concat();
    cargo(&clippy, &[])?;
    doc::build(&[])
}
