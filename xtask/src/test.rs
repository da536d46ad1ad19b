//! `cargo xtask test`.

use crate::cargo::{Extra, cargo, features, require};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Fail, rather than leave out, what needs this and does not find it
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Extra>,
}

/// The packages that call ndarray's products and link no BLAS. In a build with OpenBLAS those products are
/// its, and these would not link.
const OWN_PRODUCTS: [&str; 4] =
    ["softmax-ndarray", "softmax-conformance", "softmax-examples", "softmax-benches"];

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    require(&args.require)?;
    // Optimised, like the program, and with all that is here in the one build of burn, which takes minutes.
    let features = features();
    if Extra::Openblas.is_here() {
        let (mut linked, mut unlinked) = (vec!["--workspace"], vec![]);
        for package in OWN_PRODUCTS {
            linked.extend(["--exclude", package]);
            unlinked.extend(["-p", package]);
        }
        cargo(&[&["test", "--release", "--features", &features], &*linked].concat(), &[])?;
        cargo(&[&["test", "--release"], &*unlinked].concat(), &[])?;
    } else {
        let all =
            ["test", "--release", "--features", &features, "--workspace", "--exclude", "softmax-openblas"];
        cargo(&all, &[])?;
    }
    for extra in Extra::ALL.into_iter().filter(|extra| !extra.is_here()) {
        println!("left out: {} (apt-get install {})", extra.brings(), extra.packages());
    }
    Ok(())
}
