//! The other libraries: a virtual environment under target/ that has them.

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = "crates/softmax-external/python/requirements.txt";

/// A Python that has them: the one given, or that of the virtual environment, which is made if it is not there. What can't
/// be installed is said here, and missed where it is to be used.
pub(crate) fn with_libraries(given: Option<&Path>) -> PathBuf {
    if let Some(python) = given {
        return python.to_owned();
    }
    if let Err(error) = install() {
        eprintln!("xtask: other libraries: {error:#}");
    }
    PathBuf::from("target/libraries/bin/python")
}

fn install() -> anyhow::Result<()> {
    let installed = Path::new("target/libraries/installed.txt");
    let wanted = std::fs::read_to_string(REQUIREMENTS).context(REQUIREMENTS)?;
    if std::fs::read_to_string(installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    run("python3", &["-m", "venv", "target/libraries"])?;
    let pip = |args: &[&str]| {
        run("target/libraries/bin/python", &[&["-m", "pip", "install", "--quiet"], args].concat())
    };
    if let Err(error) = pip(&["-r", REQUIREMENTS]) {
        // One by one, for those that can be had.
        eprintln!("xtask: {error:#}");
        let lines = wanted.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let failed = lines.filter(|line| pip(&[line]).is_err()).collect::<Vec<_>>();
        anyhow::ensure!(failed.is_empty(), "could not install {}", failed.join(", "));
    }
    Ok(std::fs::write(installed, wanted)?)
}

fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    eprintln!("$ {program} {}", args.join(" "));
    let status = Command::new(program).args(args).status().with_context(|| program.to_owned())?;
    anyhow::ensure!(status.success(), "{program} {} failed", args.join(" "));
    Ok(())
}
