//! Python virtual environments under target/, for the libraries to compare with and for the Python package's tests.

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARIES: &str = "crates/softmax-external/python/requirements.txt";

/// A Python that has the other libraries: `given`, or that of a virtual environment, which is created if needed. Prints
/// the libraries that cannot be installed; whatever uses them then reports them as missing.
pub(crate) fn with_libraries(given: Option<&Path>) -> PathBuf {
    if let Some(python) = given {
        return python.to_owned();
    }
    let environment = Environment { folder: Path::new("target/libraries") };
    if let Err(error) = environment.install(LIBRARIES) {
        eprintln!("xtask: other libraries: {error:#}");
    }
    environment.python()
}

/// A Python virtual environment.
pub(crate) struct Environment {
    pub(crate) folder: &'static Path,
}

impl Environment {
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// Creates the environment, unless it is there already.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        // The last file that venv creates. Without ensurepip it fails, and leaves a Python.
        if self.folder.join("bin/pip").exists() {
            return Ok(());
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(self.folder))
    }

    /// Creates the environment with the packages of a requirements file, unless it has them already. If some cannot be
    /// installed, installs the others and returns an error.
    pub(crate) fn install(&self, requirements: &str) -> anyhow::Result<()> {
        let installed = self.folder.join("installed.txt");
        let wanted = std::fs::read_to_string(requirements).with_context(|| requirements.to_owned())?;
        if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
            return Ok(());
        }
        self.create()?;
        let pip = |args: &[&str]| run(self.command().args(["-m", "pip", "install", "--quiet"]).args(args));
        if let Err(error) = pip(&["-r", requirements]) {
            // Installs one package at a time, to get those that can be installed.
            eprintln!("xtask: {error:#}");
            let lines = wanted.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
            let failed = lines.filter(|line| pip(&[line]).is_err()).collect::<Vec<_>>();
            anyhow::ensure!(failed.is_empty(), "could not install {}", failed.join(", "));
        }
        Ok(std::fs::write(installed, wanted)?)
    }

    /// A command that runs the environment's Python.
    pub(crate) fn command(&self) -> Command {
        Command::new(self.python())
    }
}

/// Prints a command and runs it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("$ {line}");
    let status = command.status().with_context(|| line.clone())?;
    anyhow::ensure!(status.success(), "{line} failed");
    Ok(())
}
