//! `cargo xtask bench`: runs the release program's `bench` on this project's problems.

use crate::cargo::{Extra, build_program, output_of};
use crate::environment;
use crate::report::RECORDS;
use anyhow::Context;
use clap::Args;
use softmax_record::{Journal, Record, read, report};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The default backends: those fast enough for vocabularies.
const BACKENDS: &str = "fused,ndarray,burn";

/// The default problems: few classes, and vocabularies.
const SHAPES: &str =
    "500x3073x10,60000x784x10,50000x3073x10,1797x64x10,1024x2048x1000,1024x1024x32768,4096x512x65536";
const SHAPES_F64: &str = "500x3073x10,60000x784x10,50000x3073x10,1797x64x10,1024x2048x1000,1024x1024x32768";
const SHAPES_DX: &str = "1024x2048x1000,1024x1024x32768,4096x512x65536";
const QUICK_SHAPES: &str = "500x3073x10,1797x64x10,1024x512x1000";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Three small problems and little time for each: under two minutes, once the program is built
    #[arg(long)]
    quick: bool,
    /// Other libraries too: NumPy, scikit-learn, PyTorch, JAX, Keras
    #[arg(long)]
    peers: bool,
    /// A Python that has the peers [default: a virtual environment under target/, made if need be]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Which backends [default: fused,ndarray,burn, and openblas where it is]
    #[arg(long, value_name = "NAMES")]
    backends: Option<String>,
    /// These problems and no sweeps [default: seven in f32, six of them in f64, three with dX, and all sweeps]
    #[arg(long, value_name = "NxDxC")]
    shapes: Option<String>,
    /// Which element types, for --shapes
    #[arg(long, default_value = "f32", requires = "shapes")]
    dtypes: String,
    /// The gradient of the features too, for --shapes
    #[arg(long, requires = "shapes")]
    dx: bool,
    /// How many threads each may use [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Seconds of timing for each problem [default: 20, or 5 with --quick]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// The file for the records, one line of JSON each; an existing file is renamed to FILE.previous
    #[arg(long, value_name = "FILE", default_value = RECORDS)]
    output: PathBuf,
    /// Keep the file's records of this commit, and measure the rest
    #[arg(long)]
    resume: bool,
    /// Records of an earlier run, to say what has changed since
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let baseline = args.baseline.as_deref().map(read).transpose()?;
    let program = build_program()?;
    let python = args.peers.then(|| environment::with_libraries(args.python.as_deref()));
    let commit = output_of("git", &["describe", "--always", "--dirty"]);
    if let Some(folder) = args.output.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    prepare(&args.output, args.resume, &commit)?;

    let openblas = if Extra::Openblas.is_here() { ",openblas" } else { "" };
    let backends = args.backends.clone().unwrap_or_else(|| format!("{BACKENDS}{openblas}"));
    let mut agree = true;
    for (problems, seconds) in problems(args) {
        let mut command = Command::new(&program);
        command.args(["bench", "--isolate", "--resume"]).args(problems);
        command.args(["--backends", &backends, &format!("--time-budget={seconds}")]);
        command.args(args.threads.map(|threads| format!("--threads={threads}")));
        command.arg("--output").arg(&args.output);
        command.args(["--command", &this_command(), "--commit", &commit]);
        command.args(["--rustc", &output_of("rustc", &["--version"])]);
        if let Some(python) = &python {
            command.arg("--peers").arg(python);
        }
        let status = command.status()?;
        match status.code() {
            Some(0) => {}
            // A backend disagrees with the oracle; its results are in the records.
            Some(1) => agree = false,
            _ => anyhow::bail!("softmax bench: {status}"),
        }
    }

    let records = read(&args.output)?;
    println!("{}", report::summary_table(&records).markdown());
    if let Some(baseline) = baseline {
        println!("{}", report::changes(&records, &baseline).markdown());
    }
    eprintln!("{}; `cargo xtask report` makes a page of it", args.output.display());
    anyhow::ensure!(agree, "a backend disagrees with the oracle");
    Ok(())
}

/// For each run of `softmax bench`: the arguments that select its problems, and the seconds for each problem.
fn problems(args: &BenchArgs) -> Vec<(Vec<&str>, f64)> {
    let seconds = args.seconds.unwrap_or(if args.quick { 5.0 } else { 20.0 });
    if let Some(shapes) = &args.shapes {
        let mut one = vec!["--shapes", shapes, "--dtypes", &args.dtypes];
        one.extend(args.dx.then_some("--dx"));
        return vec![(one, seconds)];
    }
    // A sweep has many problems and compares them with each other, so each gets less time.
    let sweeps = (vec!["--sweeps"], seconds / 5.0);
    if args.quick {
        return vec![(vec!["--shapes", QUICK_SHAPES], seconds), sweeps];
    }
    vec![
        (vec!["--shapes", SHAPES], seconds),
        (vec!["--shapes", SHAPES_F64, "--dtypes", "f64"], seconds),
        (vec!["--shapes", SHAPES_DX, "--dx"], seconds),
        sweeps,
    ]
}

/// This process's command line, without `--resume`.
fn this_command() -> String {
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--resume");
    ["cargo".to_owned(), "xtask".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

fn is_of_commit(record: &Record, commit: &str) -> bool {
    let machine = record.machine.as_ref();
    machine.is_some_and(|machine| machine.commit.as_deref() == Some(commit))
}

/// Prepares the file of records. With `resume` it keeps the records of `commit`, otherwise none. If a record is
/// dropped, or without `resume`, the old file is kept as FILE.previous.
fn prepare(path: &Path, resume: bool, commit: &str) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    if resume {
        let (_, all) = Journal::resume(path)?;
        let count = all.len();
        kept.extend(all.into_iter().filter(|record| is_of_commit(record, commit)));
        if kept.len() == count {
            return Ok(());
        }
    }
    let mut previous = path.as_os_str().to_owned();
    previous.push(".previous");
    match fs::rename(path, previous) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    let mut journal = Journal::create(path)?;
    kept.iter().try_for_each(|record| journal.append(record))?;
    Ok(())
}
