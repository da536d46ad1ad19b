//! `cargo xtask lint`.

use crate::cargo::{Extra, cargo, require};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Fail, rather than leave out, what needs this and does not find it
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Extra>,
}

pub(crate) fn run(args: &LintArgs) -> anyhow::Result<()> {
    require(&args.require)?;
    cargo(&["fmt", "--all", "--check"], &[])?;
    // In the release profile, whose build scripts and macros the tests need too.
    let workspace: &[&str] = if Extra::Openblas.is_here() {
        &["--workspace", "--features", "softmax-cli/openblas"]
    } else {
        &["--workspace", "--exclude", "softmax-openblas"]
    };
    let clippy = [&["clippy", "--release", "--all-targets"], workspace, &["--", "-D", "warnings"]].concat();
    cargo(&clippy, &[])?;
    let doc = [&["doc", "--release", "--no-deps"], workspace].concat();
    cargo(&doc, &[("RUSTDOCFLAGS", "-D warnings")])
}
