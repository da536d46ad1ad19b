//! `cargo xtask bench`: the release program's backends, and other libraries, side by side.

mod contest;
mod peers;
mod sweeps;
mod worker;

pub(crate) use sweeps::Kind as SweepKind;

use crate::cargo::{Extra, cargo};
use crate::records::{self, Found, Machine, Problem, Record, Task};
use crate::report::{change, tables};
use anyhow::Context;
use clap::{Args, ValueEnum};
use contest::Contest;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where records go, and where reports are made from.
pub(crate) const RECORDS: &str = "target/bench/records.jsonl";

/// Where problems and answers lie meanwhile.
const FILES: &str = "target/bench/files";

/// The backends that are worth a vocabulary's time.
const BACKENDS: &str = "fused,ndarray,burn";

/// Few classes, and vocabularies.
const SHAPES: &str =
    "500x3073x10,60000x784x10,50000x3073x10,1797x64x10,1024x2048x1000,1024x1024x32768,4096x512x65536";
const SHAPES_F64: &str = "500x3073x10,60000x784x10,50000x3073x10,1797x64x10,1024x2048x1000,1024x1024x32768";
const SHAPES_DX: &str = "1024x2048x1000,1024x1024x32768,4096x512x65536";
const QUICK_SHAPES: &str = "500x3073x10,1797x64x10,1024x512x1000";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Three small problems and little time for each: under two minutes
    #[arg(long)]
    quick: bool,
    /// Other libraries too: NumPy, scikit-learn, PyTorch, JAX
    #[arg(long)]
    peers: bool,
    /// A Python that has the peers [default: a virtual environment under target/, made if need be]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Which backends [default: fused,ndarray,burn, and openblas where it is]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    backends: Vec<String>,
    /// These problems and no sweeps [default: seven in f32, six of them in f64, three with dX, and all sweeps]
    #[arg(long, value_delimiter = ',', value_name = "NxDxC")]
    shapes: Vec<String>,
    /// Which element types, for --shapes
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f32", requires = "shapes")]
    dtypes: Vec<Dtype>,
    /// The gradient of the features too, for --shapes
    #[arg(long, requires = "shapes")]
    dx: bool,
    /// How many threads each may use [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Seconds of timing for each problem [default: 20, or 5 with --quick]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    seconds: Option<f64>,
    /// Where the records go, a line of JSON each, as they are made; a file that is there is kept as FILE.previous
    #[arg(long, value_name = "FILE", default_value = RECORDS)]
    output: PathBuf,
    /// Keep what the file has of this commit, and measure what it has not
    #[arg(long)]
    resume: bool,
    /// Records of an earlier run, to say what has changed since
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dtype {
    F32,
    F64,
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
        }
    }
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let baseline = args.baseline.as_deref().map(records::read).transpose()?;
    let program = build()?;
    let python = args.peers.then(|| peers::python(args.python.as_deref()));
    let folder =
        args.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    std::fs::create_dir_all(FILES).context(FILES)?;

    let mut backends = args.backends.clone();
    if backends.is_empty() {
        backends = list(BACKENDS);
        backends.extend(Extra::Openblas.is_here().then(|| "openblas".to_owned()));
    }
    let contest = Contest {
        program: &program,
        python: python.as_deref(),
        backends: &backends,
        folder: Path::new(FILES),
    };
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let mut session = Session::begin(args, Machine::read(threads, simd(&program)?))?;
    let seconds = args.seconds.unwrap_or(if args.quick { 5.0 } else { 20.0 });

    for task in tasks(args) {
        let names = contest.names();
        let is_this = |found: &Found| match found {
            Found::Problem(problem) => {
                problem.task == task
                    && names.iter().all(|name| problem.entries.iter().any(|entry| entry.name == *name))
            }
            _ => false,
        };
        session.measure(is_this, || {
            let roofline = contest.roofline(&task, threads)?;
            let entries = contest.side_by_side(&task, threads, seconds)?;
            let problem = Problem { task: task.clone(), roofline, entries };
            println!("{}", tables::problem(&problem).markdown());
            Ok(Found::Problem(problem))
        })?;
    }
    if args.shapes.is_empty() {
        for kind in SweepKind::ALL {
            let asked = kind.asked(&contest, threads);
            let is_this = |found: &Found| kind.of(found).is_some_and(|sweep| sweep.asked == asked);
            let seconds = if kind == SweepKind::Classes { seconds / 10.0 } else { seconds };
            session.measure(is_this, || kind.measure(&contest, asked.clone(), seconds))?;
        }
    }
    std::fs::remove_dir_all(FILES).context(FILES)?;

    println!("{}", tables::summary(&session.records).markdown());
    if let Some(baseline) = baseline {
        println!("{}", change::table(&session.records, &baseline).markdown());
    }
    eprintln!("{}; `cargo xtask report` makes a page of it", args.output.display());
    Ok(())
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|&s| Duration::try_from_secs_f64(s).is_ok());
    seconds.ok_or_else(|| "expected a number of seconds".to_owned())
}

/// The release program, with OpenBLAS where it is there.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let features: &[&str] =
        if Extra::Openblas.is_here() { &["--features", "softmax-cli/openblas"] } else { &[] };
    cargo(&[&["build", "--release", "-p", "softmax-cli"], features].concat(), &[])?;
    Ok(PathBuf::from("target/release/softmax"))
}

fn list(names: &str) -> Vec<String> {
    names.split(',').map(str::to_owned).collect()
}

/// The problems that are wanted.
fn tasks(args: &BenchArgs) -> Vec<Task> {
    let all = |shapes: Vec<String>, dtype: Dtype, dx: bool| {
        shapes.into_iter().map(move |shape| Task { shape, dtype: dtype.name().to_owned(), dx })
    };
    if !args.shapes.is_empty() {
        return args.dtypes.iter().flat_map(|&dtype| all(args.shapes.clone(), dtype, args.dx)).collect();
    }
    if args.quick {
        return all(list(QUICK_SHAPES), Dtype::F32, false).collect();
    }
    let gradients = all(list(SHAPES), Dtype::F32, false).chain(all(list(SHAPES_F64), Dtype::F64, false));
    gradients.chain(all(list(SHAPES_DX), Dtype::F32, true)).collect()
}

/// The vectors that `fused` uses here.
fn simd(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).args(["backends", "--format", "json"]).output()?;
    let listing: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let backends = listing["backends"].as_array().context("softmax backends: expected a list")?;
    let fused = backends.iter().find(|backend| backend["name"] == "fused");
    Ok(fused.and_then(|fused| fused["simd"].as_str()).unwrap_or("unknown").to_owned())
}

/// What this run has, and the file that it goes to.
struct Session<'a> {
    output: &'a Path,
    machine: Machine,
    command: String,
    known: Vec<Record>,
    records: Vec<Record>,
}

impl<'a> Session<'a> {
    fn begin(args: &'a BenchArgs, machine: Machine) -> anyhow::Result<Self> {
        let output = args.output.as_path();
        let mut known = if args.resume { records::read_and_mend(output)? } else { Vec::new() };
        if !args.resume {
            records::set_aside(output)?;
        }
        known.retain(|record| {
            record.machine.commit == machine.commit && record.machine.threads == machine.threads
        });
        let arguments = std::env::args().skip(1).filter(|argument| argument != "--resume");
        let command = ["cargo".to_owned(), "xtask".to_owned()].into_iter().chain(arguments);
        let command = command.collect::<Vec<_>>().join(" ");
        Ok(Session { output, machine, command, known, records: Vec::new() })
    }

    /// What is known already, or else is measured now, and written down.
    fn measure(
        &mut self,
        is_this: impl Fn(&Found) -> bool,
        measure: impl FnOnce() -> anyhow::Result<Found>,
    ) -> anyhow::Result<()> {
        if let Some(record) = self.known.iter().find(|record| is_this(&record.found)) {
            self.records.push(record.clone());
            return Ok(());
        }
        let record =
            Record { machine: self.machine.clone(), command: self.command.clone(), found: measure()? };
        record.append(self.output)?;
        self.records.push(record);
        Ok(())
    }
}
