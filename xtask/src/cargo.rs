//! Running cargo, and what this machine has.

use clap::ValueEnum;
use std::env;
use std::process::{Command, Stdio};

/// Something that is not on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Extra {
    /// OpenBLAS, for softmax-openblas
    Openblas,
}

impl Extra {
    pub(crate) const ALL: [Extra; 1] = [Extra::Openblas];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Extra::Openblas => "openblas",
        }
    }

    /// The Debian packages that bring it.
    pub(crate) fn packages(self) -> &'static str {
        match self {
            Extra::Openblas => "libopenblas-dev pkg-config",
        }
    }

    pub(crate) fn is_here(self) -> bool {
        match self {
            Extra::Openblas => succeeds("pkg-config", &["--exists", "openblas"]),
        }
    }
}

/// Refuses to go on without what is required.
///
/// # Errors
/// If something of `required` is not here, with the packages that bring it.
pub(crate) fn require(required: &[Extra]) -> anyhow::Result<()> {
    match required.iter().find(|extra| !extra.is_here()) {
        None => Ok(()),
        Some(extra) => {
            anyhow::bail!("{} is required and not here: install {}", extra.name(), extra.packages())
        }
    }
}

/// Runs cargo with its output shown, and `variables` set.
///
/// # Errors
/// If it fails.
pub(crate) fn cargo(args: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    eprintln!("$ cargo {}", args.join(" "));
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program).args(args).envs(variables.iter().copied()).status()?;
    anyhow::ensure!(status.success(), "cargo {} failed", args.join(" "));
    Ok(())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
