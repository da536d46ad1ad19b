//! `cargo xtask test`.

use crate::cargo::{Extra, cargo, require};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Fail, rather than leave out, what needs this and does not find it
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Extra>,
}

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    require(&args.require)?;
    // Optimised, like the program, and with OpenBLAS in the one build where it is there: burn takes minutes.
    if Extra::Openblas.is_here() {
        cargo(&["test", "--release", "--workspace", "--features", "softmax-cli/openblas"], &[])?;
        // In that build ndarray's products are BLAS's. These are its own.
        cargo(&["test", "--release", "-p", "softmax-ndarray", "-p", "softmax-naive"], &[])?;
    } else {
        cargo(&["test", "--release", "--workspace", "--exclude", "softmax-openblas"], &[])?;
    }
    for extra in Extra::ALL.into_iter().filter(|extra| !extra.is_here()) {
        println!("left out: the {} backend (apt-get install {})", extra.name(), extra.packages());
    }
    Ok(())
}
