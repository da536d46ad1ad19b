//! Virtual environments of Python under target/, for what is compared with and what is tested.

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARIES: &str = "crates/softmax-external/python/requirements.txt";

/// A Python that has the other libraries: the one given, or that of the virtual environment, which is made if it is not there.
/// What can't be installed is said here, and missed where it is to be used.
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

/// A virtual environment.
pub(crate) struct Environment {
    pub(crate) folder: &'static Path,
}

impl Environment {
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// Makes it, with what a file of requirements lists, unless that is there already. Where not all of it can be installed, it
    /// has as much as can.
    pub(crate) fn install(&self, requirements: &str) -> anyhow::Result<()> {
        let installed = self.folder.join("installed.txt");
        let wanted = std::fs::read_to_string(requirements).with_context(|| requirements.to_owned())?;
        if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
            return Ok(());
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(self.folder))?;
        let pip = |args: &[&str]| run(self.command().args(["-m", "pip", "install", "--quiet"]).args(args));
        if let Err(error) = pip(&["-r", requirements]) {
            // One by one, for those that can be had.
            eprintln!("xtask: {error:#}");
            let lines = wanted.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
            let failed = lines.filter(|line| pip(&[line]).is_err()).collect::<Vec<_>>();
            anyhow::ensure!(failed.is_empty(), "could not install {}", failed.join(", "));
        }
        Ok(std::fs::write(installed, wanted)?)
    }

    /// Its Python, to be given arguments.
    pub(crate) fn command(&self) -> Command {
        Command::new(self.python())
    }
}

/// Runs a command, and says which.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("$ {line}");
    let status = command.status().with_context(|| line.clone())?;
    anyhow::ensure!(status.success(), "{line} failed");
    Ok(())
}
