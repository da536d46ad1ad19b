//! `cargo xtask libraries`: runs other libraries through the conformance suite, and times them on some problems.

use crate::cargo::{build_program, cargo};
use crate::environment;
use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Deserializer};
use softmax_conformance::Symptom;
use softmax_core::{Backend, Dtype, Feature};
use softmax_external::{ADAPTERS, Launch, Launcher, is_in_protocol, write_adapters};
use softmax_record::report::{Block, libraries_page, libraries_summary, splice_file};
use softmax_record::{Comparison, Finding, Libraries, Library, LibraryRun, read};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// The folder and the files of the results, which the report reads.
const FOLDER: &str = "target/libraries";
const RESULTS: &str = "target/libraries/libraries.json";
const RECORDS: &str = "target/libraries/records.jsonl";

/// The timed problems: digits, the size of MNIST, and the heads of a classifier and of a language model.
const SHAPES: &str = "1797x64x10,60000x784x10,1024x2048x1000,1024x1024x32768";

/// This library compiles for seconds for each shape and choice of options, so it runs only a part of the suite.
const COMPILES: &str = "torch-compile";
const ITS_CASES: &str = "closed/";

/// The time limit of one answer. Some libraries compile first.
const TIME_LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, Args)]
pub(crate) struct LibrariesArgs {
    /// These libraries only, as they are called in the table
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// A Python that has them [default: a virtual environment under target/, made if need be]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Seconds of timing for each problem; 0 leaves times out
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// Keep an earlier run's results and times of libraries in the same versions, and measure the rest
    #[arg(long)]
    resume: bool,
    /// The file for the page
    #[arg(long, value_name = "FILE", default_value = "docs/LIBRARIES.md")]
    output: PathBuf,
}

/// A library, and the command that starts its process.
struct Candidate {
    name: String,
    command: Vec<String>,
}

/// One run in the output of `softmax verify --format json`: the fields used here.
#[derive(Debug, Deserialize)]
struct Report {
    dtype: Dtype,
    passed: usize,
    failures: Vec<Failure>,
    unsupported: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    name: String,
    faults: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    message: String,
    #[serde(deserialize_with = "by_name")]
    symptom: Symptom,
    problem: Option<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    n: usize,
    d: usize,
    c: usize,
    needs: Vec<Need>,
}

/// A feature that a problem needs.
#[derive(Debug, Deserialize)]
struct Need(#[serde(deserialize_with = "by_name")] Feature);

/// Deserialises a value from its name.
fn by_name<'de, D: Deserializer<'de>, A: FromStr<Err: Display>>(json: D) -> Result<A, D::Error> {
    String::deserialize(json)?.parse().map_err(serde::de::Error::custom)
}

/// The results of an earlier run, if there was one.
pub(crate) fn known() -> anyhow::Result<Option<Libraries>> {
    match fs::read_to_string(RESULTS) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).context(RESULTS)?)),
        Err(_) => Ok(None),
    }
}

pub(crate) fn run(args: &LibrariesArgs) -> anyhow::Result<()> {
    let program = build_program()?;
    let python = environment::with_libraries(args.python.as_deref());
    fs::create_dir_all(FOLDER).context(FOLDER)?;
    let candidates: Vec<Candidate> = candidates(&python)?
        .into_iter()
        .filter(|one| args.only.is_empty() || args.only.contains(&one.name))
        .collect();
    anyhow::ensure!(!candidates.is_empty(), "--only: expected names of libraries");
    let earlier = if args.resume { known()? } else { None };
    let mut libraries = earlier.map_or_else(Vec::new, |earlier| earlier.libraries);
    for (k, one) in candidates.iter().enumerate() {
        let started = start(one).with_context(|| one.name.clone())?;
        let is_it = |known: &Library| known.name == one.name && known.version == started.version;
        let library = match libraries.iter().position(is_it) {
            Some(place) => libraries.remove(place),
            None => judge(one, started, &program).with_context(|| one.name.clone())?,
        };
        libraries.insert(k.min(libraries.len()), library);
    }
    libraries.truncate(candidates.len());
    let digits = [Dtype::F32, Dtype::F64];
    let libraries = Libraries {
        libraries,
        symptoms: by_weight().map(|one| (one.name().to_owned(), one.meaning().to_owned())).collect(),
        digits: digits
            .into_iter()
            .map(|dtype| on_digits(&candidates, &program, dtype))
            .collect::<Result<_, _>>()?,
    };
    fs::write(RESULTS, serde_json::to_string_pretty(&libraries)?).context(RESULTS)?;
    if args.seconds > 0.0 {
        time(&candidates, &program, &python, args)?;
    }
    let records = if args.seconds > 0.0 { read(Path::new(RECORDS))? } else { Vec::new() };
    let page = libraries_page(&libraries, &records);
    fs::write(&args.output, page.markdown()).with_context(|| args.output.display().to_string())?;
    if args.only.is_empty() {
        splice_file(Path::new("README.md"), Block::Libraries, &libraries_summary(&libraries))
            .context("README.md")?;
    }
    println!("{}", args.output.display());
    Ok(())
}

/// The symptoms, worst first.
fn by_weight() -> impl Iterator<Item = Symptom> {
    use Symptom::{Behaviour, Digits, Failed, Finite, NotFinite, Wrong};
    [Wrong, NotFinite, Finite, Failed, Digits, Behaviour].into_iter()
}

/// The libraries in Python, and those in Rust, which this function builds.
fn candidates(python: &Path) -> anyhow::Result<Vec<Candidate>> {
    let folder = Path::new(FOLDER).join("adapters");
    fs::create_dir_all(&folder)?;
    write_adapters(&folder)?;
    let mut candidates: Vec<Candidate> = ADAPTERS
        .iter()
        .map(|adapter| Candidate { name: adapter.name.to_owned(), command: adapter.command(python, &folder) })
        .collect();
    cargo(&["build", "--release", "-p", "softmax-burn", "--example", "cross_entropy_backend"], &[])?;
    let manifest = "crates/softmax-external/candle/Cargo.toml";
    cargo(
        &[
            "build",
            "--release",
            "--locked",
            "--manifest-path",
            manifest,
            "--target-dir",
            "target/libraries/candle",
        ],
        &[],
    )?;
    let rust = [
        ("burn-loss", "target/release/examples/cross_entropy_backend"),
        ("candle", "target/libraries/candle/release/candle-backend"),
    ];
    candidates.extend(
        rust.map(|(name, program)| Candidate { name: name.to_owned(), command: vec![program.to_owned()] }),
    );
    Ok(candidates)
}

impl Candidate {
    /// The argument of `--external`. The file names have no spaces.
    fn external(&self) -> String {
        format!("{}={}", self.name, self.command.join(" "))
    }
}

/// A library's version and the features that it lacks, reported at its start.
struct Started {
    version: String,
    lacks: Vec<Feature>,
}

fn start(one: &Candidate) -> anyhow::Result<Started> {
    let (name, command) = (one.name.clone(), one.command.clone());
    let launcher = Launcher::new(Launch { name, command, time_limit: TIME_LIMIT });
    let backend = launcher.backend(None);
    let version = backend.version().context("it does not start: see the output of its command")?.to_owned();
    let of_protocol = Feature::ALL.iter().copied().filter(|&feature| is_in_protocol(feature));
    let lacks = of_protocol.filter(|&feature| !backend.supports(feature)).collect();
    Ok(Started { version, lacks })
}

/// Runs a library through the suite.
fn judge(one: &Candidate, Started { version, lacks }: Started, program: &Path) -> anyhow::Result<Library> {
    let name = one.name.clone();
    let is_limited = name == COMPILES;
    let timeout = TIME_LIMIT.as_secs().to_string();
    let mut arguments = vec!["verify", "--external-timeout", &timeout, "--format", "json"];
    arguments.extend(is_limited.then_some(["--filter", ITS_CASES]).into_iter().flatten());
    let external = one.external();
    arguments.extend(["--external", &external]);
    let command = format!("softmax {}", arguments.join(" ").replace(&external, &format!("'{external}'")));
    let start = Instant::now();
    let output = output(program, &arguments)?;
    let reports: Vec<Report> = serde_json::from_slice(&output)?;
    let runs = reports.iter().filter(|report| report.passed + report.failures.len() > 0);
    Ok(Library {
        name,
        version,
        command: command.replace(" --format json", ""),
        seconds: start.elapsed().as_secs_f64(),
        limited: is_limited.then(|| {
            format!("{ITS_CASES} alone, since it compiles for seconds for each shape and choice of options")
        }),
        lacks,
        runs: runs
            .map(|report| LibraryRun {
                dtype: report.dtype,
                ran: report.passed + report.failures.len(),
                unsupported: report.unsupported.len(),
                wrong: report.failures.len(),
            })
            .collect(),
        findings: by_weight().filter_map(|symptom| finding(symptom, &reports)).collect(),
    })
}

/// The worst fault of a case.
fn worst(failure: &Failure) -> Option<&Fault> {
    by_weight().find_map(|symptom| failure.faults.iter().find(|fault| fault.symptom == symptom))
}

/// The number of cases whose worst symptom is `symptom`, with the smallest of them. `None` if there are none.
fn finding(symptom: Symptom, reports: &[Report]) -> Option<Finding> {
    let all = reports.iter().flat_map(|report| {
        report.failures.iter().filter_map(|failure| Some((report.dtype, failure, worst(failure)?)))
    });
    let cases: Vec<(Dtype, &Failure, &Fault)> = all.filter(|(.., fault)| fault.symptom == symptom).collect();
    let size = |problem: &Problem| problem.n.max(1) * problem.d.max(1) * problem.c + problem.needs.len();
    let (dtype, failure, fault) =
        cases.iter().min_by_key(|(.., fault)| fault.problem.as_ref().map_or(usize::MAX, size))?;
    let problem = fault.problem.as_ref().map(|Problem { n, d, c, needs }| {
        let options = needs.iter().filter(|Need(feature)| !matches!(feature, Feature::F32 | Feature::F64));
        let options = options.map(|Need(feature)| feature.name()).collect::<Vec<_>>().join(", ");
        if options.is_empty() { format!("{n}×{d}×{c}") } else { format!("{n}×{d}×{c}, {options}") }
    });
    Some(Finding {
        symptom: symptom.name().to_owned(),
        cases: cases.len(),
        case: failure.name.clone(),
        dtype: *dtype,
        problem,
        message: fault.message.clone(),
    })
}

/// Compares all candidates on the digits.
fn on_digits(candidates: &[Candidate], program: &Path, dtype: Dtype) -> anyhow::Result<Comparison> {
    let mut arguments: Vec<String> =
        ["compare", "--backends", "fused", "--repeat", "1", "--format", "json", "--dtype", dtype.name()]
            .map(str::to_owned)
            .to_vec();
    arguments.extend(candidates.iter().flat_map(|one| ["--external".to_owned(), one.external()]));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(serde_json::from_slice(&output(program, &arguments)?)?)
}

/// Times all candidates. The records go to [`RECORDS`].
fn time(candidates: &[Candidate], program: &Path, python: &Path, args: &LibrariesArgs) -> anyhow::Result<()> {
    if !args.resume {
        let _ = fs::remove_file(RECORDS);
    }
    let mut command = Command::new(program);
    command.args(["bench", "--backends", "fused", "--shapes", SHAPES, "--output", RECORDS]);
    command.args(args.resume.then_some("--resume")).args(["--command", "cargo xtask libraries"]);
    command.arg(format!("--time-budget={}", args.seconds)).arg("--peers").arg(python);
    let is_peer = |name: &str| ADAPTERS.iter().any(|adapter| adapter.name == name);
    for one in candidates.iter().filter(|one| !is_peer(&one.name)) {
        command.args(["--external", &one.external()]);
    }
    let status = command.status()?;
    anyhow::ensure!(status.code().is_some_and(|code| code < 2), "softmax bench: {status}");
    Ok(())
}

/// The program's standard output. Exit code 1 is accepted: it means that cases fail, which is a result here.
fn output(program: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    eprintln!("$ softmax {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).stderr(std::process::Stdio::inherit()).output()?;
    anyhow::ensure!(
        output.status.code().is_some_and(|code| code < 2),
        "softmax {}: {}",
        arguments[0],
        output.status
    );
    Ok(output.stdout)
}
