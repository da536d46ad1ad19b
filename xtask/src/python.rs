//! `cargo xtask python`: builds the Python package's wheel, installs it, and runs its tests.

use crate::environment::{Environment, run};
use anyhow::Context;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

const PACKAGE: &str = "crates/softmax-python";
const REQUIREMENTS: &str = "crates/softmax-python/tests/requirements.txt";

#[derive(Debug, Args)]
pub(crate) struct PythonArgs {
    /// Fail if a library that tests need cannot be installed, instead of leaving tests out
    #[arg(long)]
    require: bool,
    /// Arguments for pytest
    #[arg(last = true)]
    pytest: Vec<String>,
}

pub(crate) fn run_tests(args: &PythonArgs) -> anyhow::Result<()> {
    let environment = Environment { folder: Path::new("target/python") };
    let wheels = environment.folder.join("wheels");
    // Together, since each keeps one processor busy for minutes: pip unpacks PyTorch, and the wheel's longest step
    // compiles softmax-fused, which is one unit.
    let (installed, built) = match environment.create() {
        Ok(()) => thread::scope(|scope| {
            let built = scope.spawn(|| build_wheel(&environment, &wheels));
            (environment.install(REQUIREMENTS), built.join().expect("building a wheel does not panic"))
        }),
        Err(error) => (Err(error), Ok(())),
    };
    if let Err(error) = installed {
        anyhow::ensure!(!args.require, error);
        println!("left out of the Python package's tests: {error:#}");
    }
    let has = |module: &str| {
        let import = format!("import {module}");
        environment.command().args(["-c", &import]).output().is_ok_and(|output| output.status.success())
    };
    if !(has("pip") && has("numpy") && has("pytest") && has("hypothesis")) {
        anyhow::ensure!(!args.require, "python3 with venv, NumPy, pytest and hypothesis are needed");
        println!("left out: the Python package (python3 with venv, NumPy, pytest and hypothesis)");
        return Ok(());
    }
    built?;
    let wheel = the_wheel(&wheels)?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"];
    run(environment.command().args(pip).arg(&wheel))?;
    // `-rs`: pytest lists the skipped tests, with reasons.
    run(environment.command().args(["-m", "pytest", "-q", "-rs", PACKAGE]).args(&args.pytest))
}

fn build_wheel(environment: &Environment, folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let pip = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"];
    run(environment.command().args(pip).arg(folder).arg(PACKAGE))
}

/// The one wheel of a folder, which must be for the stable ABI.
fn the_wheel(folder: &Path) -> anyhow::Result<PathBuf> {
    let wheels: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    let [wheel] = wheels.as_slice() else { anyhow::bail!("expected one wheel, found {}", wheels.len()) };
    let name = wheel.file_name().context("a wheel has a name")?.to_string_lossy();
    anyhow::ensure!(name.contains("-abi3-"), "expected a wheel for the stable ABI, found {name}");
    Ok(wheel.clone())
}
