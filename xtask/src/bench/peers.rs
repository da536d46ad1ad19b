//! The other libraries: a virtual environment under target/ that has them.

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What benches/peers/worker.py knows.
pub(crate) const LIBRARIES: [&str; 6] =
    ["numpy", "scikit-learn", "torch-eager", "torch-compile", "torch-linear-cross-entropy", "jax"];

/// A Python that has them: the one given, or that of the virtual environment, which is made if it is not there.
pub(crate) fn python(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(python) = given {
        return Ok(python.to_owned());
    }
    let folder = Path::new("target/peers");
    let python = folder.join("bin/python");
    if !folder.join("complete").exists() {
        let run = |program: &Path, args: &[&str]| -> anyhow::Result<()> {
            eprintln!("$ {} {}", program.display(), args.join(" "));
            let status = Command::new(program).args(args).status();
            let status = status.with_context(|| program.display().to_string())?;
            anyhow::ensure!(status.success(), "{} {} failed", program.display(), args.join(" "));
            Ok(())
        };
        run(Path::new("python3"), &["-m", "venv", "target/peers"])?;
        run(&python, &["-m", "pip", "install", "--quiet", "-r", "benches/peers/requirements.txt"])?;
        std::fs::write(folder.join("complete"), "")?;
    }
    Ok(python)
}
