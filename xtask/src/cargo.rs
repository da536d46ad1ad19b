//! Runs cargo, and detects which optional dependencies this machine has.

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An optional dependency, which not every machine has.
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

    /// What is left out without this dependency.
    pub(crate) fn brings(self) -> &'static str {
        match self {
            Extra::Openblas => "the openblas backend",
            Extra::Vulkan => "burn-wgpu",
            Extra::Numpy => "external backends in Python",
            Extra::Mpi => "softmax-mpi, and --parallel",
        }
    }

    /// The Debian packages that provide this dependency.
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

    /// The crate that does not build without this dependency.
    fn crate_of(self) -> Option<&'static str> {
        match self {
            Extra::Openblas => Some("softmax-openblas"),
            Extra::Mpi => Some("softmax-mpi"),
            Extra::Vulkan | Extra::Numpy => None,
        }
    }

    /// The cargo features that need this dependency. The first is the program's.
    fn features(self) -> &'static [&'static str] {
        match self {
            Extra::Openblas => &["openblas"],
            Extra::Vulkan => &["wgpu", "vulkan"],
            Extra::Mpi => &["mpi"],
            Extra::Numpy => &[],
        }
    }

    /// The dependency that the crate, or the cargo feature, of this name needs.
    pub(crate) fn needed_by(name: &str) -> Option<Extra> {
        Extra::ALL
            .into_iter()
            .find(|extra| extra.crate_of() == Some(name) || extra.features().contains(&name))
    }

    /// Whether its features build on this machine. A graphics device is needed only to run them.
    fn builds_here(self) -> bool {
        self == Extra::Vulkan || self.is_here()
    }
}

/// Whether Debian's LLVM packages have libclang, or `LIBCLANG_PATH` is set.
fn has_libclang() -> bool {
    let has = |folder: &Path| {
        let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.any(|file| file.file_name().to_string_lossy().starts_with("libclang"))
    };
    let of_versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut folders = of_versions.filter(|folder| folder.file_name().to_string_lossy().starts_with("llvm-"));
    env::var_os("LIBCLANG_PATH").is_some() || folders.any(|folder| has(&folder.path().join("lib")))
}

/// What a command does about optional dependencies. It uses those that are here.
#[derive(Debug, Args)]
pub(crate) struct Extras {
    /// Fail if this dependency is missing, instead of leaving out what needs it
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Extra>,
    /// Leave out what needs this dependency, even if it is here
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Extra>,
}

impl Extras {
    /// Checks that this machine has the required dependencies.
    ///
    /// # Errors
    /// If one is missing. The message names the packages to install.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.require.iter().find(|extra| !extra.is_here()) {
            None => Ok(()),
            Some(extra) => {
                anyhow::bail!("{} is required but missing: install {}", extra.name(), extra.packages())
            }
        }
    }

    pub(crate) fn has(&self, extra: Extra) -> bool {
        extra.is_here() && !self.without.contains(&extra)
    }

    /// Whether features that need this dependency can be built, and are not left out.
    pub(crate) fn can_build(&self, extra: Extra) -> bool {
        extra.builds_here() && !self.without.contains(&extra)
    }

    /// The `--exclude` arguments for crates that are left out.
    pub(crate) fn exclusions(&self) -> Vec<&'static str> {
        let missing = Extra::ALL.into_iter().filter(|&extra| !self.has(extra));
        missing.filter_map(Extra::crate_of).flat_map(|name| ["--exclude", name]).collect()
    }

    /// All other features of the workspace, separated by commas. Tests, lints and documentation share them, so that
    /// burn is compiled once.
    pub(crate) fn features(&self) -> String {
        let here = Extra::ALL.into_iter().filter(|&extra| self.has(extra));
        let of_program = here.filter_map(|extra| Some(format!("softmax-cli/{}", extra.features().first()?)));
        of_program.chain(["softmax-burn/fused".to_owned()]).collect::<Vec<_>>().join(",")
    }

    /// Prints what is left out of a command that uses the dependencies for which `uses` is true.
    pub(crate) fn print_left_out(&self, uses: fn(&Self, Extra) -> bool) {
        for extra in Extra::ALL.into_iter().filter(|&extra| !uses(self, extra)) {
            let why = if extra.is_here() {
                "--without".to_owned()
            } else {
                format!("apt-get install {}", extra.packages())
            };
            println!("left out: {} ({why})", extra.brings());
        }
    }
}

/// A Python that has NumPy: the first in `PATH`, or the system's.
pub(crate) fn numpy_python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| succeeds(python, &["-c", "import numpy"]))
}

/// Runs cargo with the environment variables `variables`, and shows its output.
///
/// # Errors
/// If cargo fails.
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

/// Builds the release program as a user does: with OpenBLAS if this machine has it, and without graphics devices, which
/// only the tests' build of Burn has. Returns the program's path.
///
/// # Errors
/// If the build fails.
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

/// A program's standard output, trimmed, or `unknown` if the program fails.
pub(crate) fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
