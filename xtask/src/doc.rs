//! `cargo xtask doc`: the documentation, with its formulas typeset.

use crate::cargo::{cargo, exclusions, features};
use clap::Args;
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct DocArgs {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
}

pub(crate) fn run(args: &DocArgs) -> anyhow::Result<()> {
    build(if args.open { &["--open"] } else { &[] })
}

/// In the release profile, whose build scripts and macros the tests need too; warnings are errors.
pub(crate) fn build(more: &[&str]) -> anyhow::Result<()> {
    let features = features();
    let mut args = vec!["doc", "--release", "--no-deps", "--workspace", "--features", &features];
    args.extend(exclusions());
    args.extend(more);
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/katex.html");
    // A path with spaces stays one argument.
    let flags = ["-Dwarnings", "--html-in-header", &header.to_string_lossy()].join("\u{1f}");
    cargo(&args, &[("CARGO_ENCODED_RUSTDOCFLAGS", &flags)])
}
