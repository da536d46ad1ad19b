//! `cargo xtask bench`: backends and other libraries timed side by side, each in a process of its own, in turn.

mod peers;
mod record;
mod table;
mod worker;

use crate::cargo::{Extra, cargo};
use anyhow::Context;
use clap::{Args, ValueEnum};
use record::{Entry, Record, Roofline};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use worker::Worker;

/// Rounds that are enough for a median, and those without which there is none.
const MOST_ROUNDS: usize = 200;
const FEWEST_ROUNDS: usize = 3;

/// How long one process goes on before it is another's turn, and how often at most.
const TURN_S: f64 = 0.1;
const MOST_OF_A_TURN: usize = 50;

/// The backends that are worth a vocabulary's time.
const BACKENDS: &str = "fused,ndarray,burn";

/// Few classes, and a vocabulary.
const SHAPES: &str =
    "500x3073x10,60000x784x10,50000x3073x10,1797x64x10,1024x2048x1000,1024x1024x32768,4096x512x65536";
const QUICK_SHAPES: &str = "500x3073x10,1797x64x10,1024x512x1000";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Three small shapes and little time for each: under two minutes
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
    /// Which problems
    #[arg(long, value_delimiter = ',', value_name = "NxDxC")]
    shapes: Vec<String>,
    /// Which element types
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f32")]
    dtypes: Vec<Dtype>,
    /// The gradient of the features too
    #[arg(long)]
    dx: bool,
    /// How many threads each may use [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Seconds of timing for each problem [default: 20, or 5 with --quick]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Where the records go, a line of JSON each, as they are made; a file that is there is kept as FILE.previous
    #[arg(long, value_name = "FILE", default_value = "target/bench/records.jsonl")]
    output: PathBuf,
    /// Keep what the file has of this commit, and measure what it has not
    #[arg(long)]
    resume: bool,
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
    let openblas = Extra::Openblas.is_here();
    let features: &[&str] = if openblas { &["--features", "softmax-cli/openblas"] } else { &[] };
    cargo(&[&["build", "--release", "-p", "softmax-cli"], features].concat(), &[])?;
    let program = Path::new("target/release/softmax");
    let python = if args.peers { Some(peers::python(args.python.as_deref())?) } else { None };
    let folder = args.output.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;

    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let list = |chosen: &[String], all: &str| -> Vec<String> {
        if chosen.is_empty() { all.split(',').map(str::to_owned).collect() } else { chosen.to_vec() }
    };
    let shapes = list(&args.shapes, if args.quick { QUICK_SHAPES } else { SHAPES });
    let mut backends = list(&args.backends, BACKENDS);
    if openblas && args.backends.is_empty() {
        backends.push("openblas".to_owned());
    }
    let seconds = args.seconds.unwrap_or(if args.quick { 5.0 } else { 20.0 });
    let machine = record::Machine::read(threads)?;
    let libraries = if args.peers { &peers::LIBRARIES[..] } else { &[] };
    let names: Vec<&str> = backends.iter().map(String::as_str).chain(libraries.iter().copied()).collect();
    let mut records = Vec::new();
    let known = if args.resume { record::read(&args.output)? } else { Vec::new() };
    if !args.resume {
        record::set_aside(&args.output)?;
    }
    for &dtype in &args.dtypes {
        for shape in &shapes {
            let has_all = |r: &Record| names.iter().all(|name| r.entries.iter().any(|e| e.name == *name));
            let is_this = |r: &&Record| {
                r.shape == *shape
                    && r.dtype == dtype.name()
                    && r.dx == args.dx
                    && (r.machine.threads, &r.machine.commit) == (threads, &machine.commit)
                    && has_all(r)
            };
            if let Some(record) = known.iter().find(is_this) {
                records.push(record.clone());
                continue;
            }
            let bench = Bench { program, python: python.as_deref(), folder, threads, dx: args.dx, seconds };
            let roofline = bench.roofline(shape, dtype)?;
            let entries = bench.side_by_side(shape, dtype, &backends)?;
            let record = Record {
                shape: shape.clone(),
                dtype: dtype.name().to_owned(),
                dx: args.dx,
                roofline,
                machine: machine.clone(),
                entries,
            };
            record.append(&args.output)?;
            println!("{}", table::one(&record)?);
            records.push(record);
        }
    }
    println!("{}", table::all(&records)?);
    Ok(())
}

struct Bench<'a> {
    program: &'a Path,
    python: Option<&'a Path>,
    folder: &'a Path,
    threads: usize,
    dx: bool,
    seconds: f64,
}

/// As many evaluations as a turn has time for, one at least. Where there is time for more, the first, with what another
/// process left of the caches, does not count.
fn take_turn(worker: &mut Worker, seconds: &mut Vec<f64>) -> anyhow::Result<()> {
    let first = worker.time()?;
    if first > TURN_S {
        seconds.push(first);
        return Ok(());
    }
    let start = Instant::now();
    for _ in 0..MOST_OF_A_TURN {
        seconds.push(worker.time()?);
        if start.elapsed().as_secs_f64() > TURN_S {
            break;
        }
    }
    Ok(())
}

impl Bench<'_> {
    fn side_by_side(&self, shape: &str, dtype: Dtype, backends: &[String]) -> anyhow::Result<Vec<Entry>> {
        let problem = self.folder.join("problem.npz");
        self.softmax(&["problem", "--synthetic", shape, "--dtype", dtype.name()], &[("--out", &problem)])?;
        let mut entries = Vec::new();
        let mut workers = Vec::new();
        let commands = backends.iter().map(|name| (name.clone(), self.backend(name, &problem))).chain(
            self.python.into_iter().flat_map(|python| {
                peers::LIBRARIES.map(|name| (name.to_owned(), self.peer(python, name, &problem)))
            }),
        );
        for (name, (command, answer)) in commands {
            eprintln!("{shape} {}: {name}", dtype.name());
            match Worker::start(command) {
                Ok(worker) => workers.push((name, worker, answer, Vec::new())),
                Err(error) => entries.push(Entry::absent(name, format!("{error:#}"))),
            }
        }
        let start = Instant::now();
        let budget = Duration::from_secs_f64(self.seconds);
        for round in 0..MOST_ROUNDS {
            if round >= FEWEST_ROUNDS && start.elapsed() > budget {
                break;
            }
            for (_, worker, _, seconds) in &mut workers {
                take_turn(worker, seconds)?;
            }
        }
        let answers: Vec<&Path> = workers.iter().map(|(_, _, answer, _)| answer.as_path()).collect();
        let verdicts = self.judge(&problem, &answers)?;
        for ((name, worker, answer, seconds), verdict) in workers.into_iter().zip(verdicts) {
            entries.push(Entry::measured(name, worker.version.clone(), seconds, verdict));
            std::fs::remove_file(answer)?;
        }
        std::fs::remove_file(problem)?;
        Ok(entries)
    }

    fn roofline(&self, shape: &str, dtype: Dtype) -> anyhow::Result<Roofline> {
        let threads = self.threads.to_string();
        let dx: &[&str] = if self.dx { &["--dx"] } else { &[] };
        let args = ["roofline", "--threads", &threads, "--synthetic", shape, "--dtype", dtype.name()];
        Ok(serde_json::from_slice(&self.softmax(&[&args, dx].concat(), &[])?)?)
    }

    fn backend(&self, name: &str, problem: &Path) -> (Command, PathBuf) {
        let answer = self.folder.join(format!("{name}.npz"));
        let mut command = Command::new(self.program);
        command.args(["workbench", "worker", "--backend", name, "--threads", &self.threads.to_string()]);
        command.arg("--data").arg(problem).arg("--answer").arg(&answer);
        command.args(self.dx.then_some("--dx"));
        (command, answer)
    }

    fn peer(&self, python: &Path, name: &str, problem: &Path) -> (Command, PathBuf) {
        let answer = self.folder.join(format!("{name}.npz"));
        let mut command = Command::new(python);
        command
            .args(["benches/peers/worker.py", name])
            .arg(problem)
            .arg(&answer)
            .arg(self.threads.to_string());
        command.args(self.dx.then_some("--dx"));
        (command, answer)
    }

    fn judge(&self, problem: &Path, answers: &[&Path]) -> anyhow::Result<Vec<record::Errors>> {
        if answers.is_empty() {
            return Ok(Vec::new());
        }
        let answers = answers.iter().map(|answer| ("--answer", *answer));
        let output =
            self.softmax(&["judge"], &[("--data", problem)].into_iter().chain(answers).collect::<Vec<_>>())?;
        let text = String::from_utf8(output)?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    fn softmax(&self, args: &[&str], paths: &[(&str, &Path)]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(self.program);
        command.arg("workbench").args(args);
        for (flag, path) in paths {
            command.arg(flag).arg(path);
        }
        let output = command.output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(output.stdout)
    }
}
