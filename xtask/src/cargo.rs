//! Running cargo, and what this machine has.

use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something that is not on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Extra {
    /// OpenBLAS, for softmax-openblas
    Openblas,
    /// A Vulkan driver, if only in software, for Burn's graphics devices
    Vulkan,
    /// Python with NumPy, for external backends
    Numpy,
    /// Open MPI and libclang, for softmax-mpi
    Mpi,
}

impl Extra {
    pub(crate) const ALL: [Extra; 4] = [Extra::Openblas, Extra::Vulkan, Extra::Numpy, Extra::Mpi];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Extra::Openblas => "openblas",
            Extra::Vulkan => "vulkan",
            Extra::Numpy => "numpy",
            Extra::Mpi => "mpi",
        }
    }

    /// What is left out without it.
    pub(crate) fn brings(self) -> &'static str {
        match self {
            Extra::Openblas => "the openblas backend",
            Extra::Vulkan => "burn-wgpu",
            Extra::Numpy => "external backends in Python",
            Extra::Mpi => "softmax-mpi, and --parallel",
        }
    }

    /// The Debian packages that bring it.
    pub(crate) fn packages(self) -> &'static str {
        match self {
            Extra::Openblas => "libopenblas-dev pkg-config",
            Extra::Vulkan => "mesa-vulkan-drivers",
            Extra::Numpy => "python3-numpy",
            Extra::Mpi => "libopenmpi-dev openmpi-bin libclang-dev",
        }
    }

    pub(crate) fn is_here(self) -> bool {
        match self {
            Extra::Openblas => succeeds("pkg-config", &["--exists", "openblas"]),
            Extra::Vulkan => ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
                .iter()
                .any(|folder| fs::read_dir(folder).is_ok_and(|mut drivers| drivers.next().is_some())),
            Extra::Numpy => numpy_python().is_some(),
            Extra::Mpi => {
                ["mpicc", "mpirun"].into_iter().all(|program| succeeds(program, &["--version"]))
                    && has_libclang()
            }
        }
    }

    /// The crate that does not build without it.
    fn crate_of(self) -> Option<&'static str> {
        match self {
            Extra::Openblas => Some("softmax-openblas"),
            Extra::Mpi => Some("softmax-mpi"),
            Extra::Vulkan | Extra::Numpy => None,
        }
    }

    /// What is needed by a crate, or by a feature of one, that is not in every build.
    pub(crate) fn needed_by(name: &str) -> Option<Extra> {
        Extra::ALL.into_iter().find(|extra| {
            extra.crate_of() == Some(name)
                || matches!(extra, Extra::Openblas | Extra::Mpi) && extra.name() == name
        })
    }

    /// The feature of the workspace's packages that needs it.
    fn feature(self) -> Option<&'static str> {
        match self {
            Extra::Openblas => Some("softmax-cli/openblas"),
            Extra::Vulkan => Some("softmax-cli/wgpu"),
            Extra::Mpi => Some("softmax-cli/mpi"),
            Extra::Numpy => None,
        }
    }
}

/// Where Debian's LLVM has it, or who built it says.
fn has_libclang() -> bool {
    let has = |folder: &Path| {
        let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.any(|file| file.file_name().to_string_lossy().starts_with("libclang"))
    };
    let of_versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut folders = of_versions.filter(|folder| folder.file_name().to_string_lossy().starts_with("llvm-"));
    env::var_os("LIBCLANG_PATH").is_some() || folders.any(|folder| has(&folder.path().join("lib")))
}

/// Arguments that leave out of a workspace what does not build on this machine.
pub(crate) fn exclusions() -> Vec<&'static str> {
    let missing = Extra::ALL.into_iter().filter(|extra| !extra.is_here());
    missing.filter_map(Extra::crate_of).flat_map(|name| ["--exclude", name]).collect()
}

/// The features of a build of everything that this machine can build: one, so that burn is compiled once.
pub(crate) fn features() -> String {
    let here = Extra::ALL.into_iter().filter(|extra| extra.is_here()).filter_map(Extra::feature);
    here.chain(["softmax-burn/fused"]).collect::<Vec<_>>().join(",")
}

/// A Python that has NumPy: the first of the path, or that of the system.
pub(crate) fn numpy_python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| succeeds(python, &["-c", "import numpy"]))
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

/// The packages of the workspace, each with the fields of `cargo metadata` that `P` names.
///
/// # Errors
/// If cargo fails, or a field is missing.
pub(crate) fn packages<P: DeserializeOwned>() -> anyhow::Result<Vec<P>> {
    #[derive(Deserialize)]
    struct Metadata<P> {
        packages: Vec<P>,
    }
    let output = Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Metadata<P> = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(metadata.packages)
}

/// Builds the release program as a user does: with OpenBLAS where it is there, and without graphics devices, for which tests
/// have a Burn of their own.
///
/// # Errors
/// If it does not build.
pub(crate) fn build_program() -> anyhow::Result<PathBuf> {
    let features: &[&str] =
        if Extra::Openblas.is_here() { &["--features", "softmax-cli/openblas"] } else { &[] };
    eprintln!(
        "building the program without graphics devices; the first time, also after `cargo xtask test`, this \
         compiles Burn, which takes some nine minutes of processor time"
    );
    cargo(&[&["build", "--release", "-p", "softmax-cli"], features].concat(), &[])?;
    Ok(PathBuf::from("target/release/softmax"))
}

/// What a program prints, or `unknown` if it fails.
pub(crate) fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
