//! What benchmarks found, as it is written down: a line of JSON each.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

/// Something that was measured, where, and by which command.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    #[serde(flatten)]
    pub(crate) found: Found,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Found {
    /// One problem, and what each made of it.
    Problem(Problem),
    /// Memory against the number of samples.
    Memory(Sweep),
    /// Time against the number of threads.
    Threads(Sweep),
    /// Time of the two kernels of `fused` against the number of classes.
    Classes(Sweep),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Problem {
    #[serde(flatten)]
    pub(crate) task: Task,
    pub(crate) roofline: Roofline,
    pub(crate) entries: Vec<Entry>,
}

/// What is asked of each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Task {
    /// N×D×C, with the letter x.
    pub(crate) shape: String,
    /// f32 or f64.
    pub(crate) dtype: String,
    pub(crate) dx: bool,
}

/// As `softmax workbench roofline` prints it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Roofline {
    pub(crate) threads: usize,
    pub(crate) f32_flops: f64,
    pub(crate) f64_flops: f64,
    pub(crate) read_bytes: f64,
    /// The least time that these allow the problem to take.
    pub(crate) floor_s: f64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    /// The vectors that `fused` uses.
    pub(crate) simd: String,
    pub(crate) threads: usize,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    pub(crate) date: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) seconds: Option<Seconds>,
    pub(crate) errors: Option<Errors>,
    pub(crate) extra_bytes: Option<u64>,
    /// Why it is not measured.
    pub(crate) absent: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Seconds {
    #[serde(alias = "median_s")]
    pub(crate) median: f64,
    #[serde(alias = "min_s")]
    pub(crate) min: f64,
    /// The median absolute deviation from the median.
    #[serde(alias = "mad_s")]
    pub(crate) mad: f64,
    pub(crate) rounds: usize,
}

/// As `softmax workbench judge` prints them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Errors {
    pub(crate) loss: f64,
    pub(crate) loss_error: Option<f64>,
    pub(crate) dw_error: Option<f64>,
    pub(crate) dx_error: Option<f64>,
}

/// One thing against another.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sweep {
    pub(crate) asked: Asked,
    pub(crate) points: Vec<Point>,
}

/// What makes a sweep the one that is wanted.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Asked {
    pub(crate) shapes: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) threads: Vec<usize>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) shape: String,
    pub(crate) threads: usize,
    pub(crate) seconds: Option<Seconds>,
    pub(crate) extra_bytes: Option<u64>,
}

/// The records of a file, if there is one. A last line that was cut short is taken away.
pub(crate) fn read_and_mend(path: &Path) -> anyhow::Result<Vec<Record>> {
    let context = || path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(context),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let records = parse(&text[..whole], path)?;
    OpenOptions::new().write(true).open(path)?.set_len(whole as u64).with_context(context)?;
    Ok(records)
}

/// The records of a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> anyhow::Result<Vec<Record>> {
    let lines = text.lines().enumerate();
    lines
        .map(|(k, line)| {
            let place =
                || format!("{}: line {}: expected a record of cargo xtask bench", path.display(), k + 1);
            serde_json::from_str(line).with_context(place)
        })
        .collect()
}

/// Keeps what an earlier run left, under another name.
pub(crate) fn set_aside(path: &Path) -> anyhow::Result<()> {
    let mut previous = path.as_os_str().to_owned();
    previous.push(".previous");
    match fs::rename(path, previous) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

impl Record {
    pub(crate) fn append(&self, path: &Path) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{}", serde_json::to_string(self)?)?;
        Ok(())
    }

    pub(crate) fn problem(&self) -> Option<&Problem> {
        match &self.found {
            Found::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

impl Problem {
    /// Those that were timed, in the order in which they took their turns.
    pub(crate) fn timed(&self) -> impl Iterator<Item = (&Entry, Seconds)> {
        self.entries.iter().filter_map(|entry| Some((entry, entry.seconds?)))
    }

    pub(crate) fn fused(&self) -> Option<Seconds> {
        self.timed().find(|(entry, _)| entry.name == "fused").map(|(_, seconds)| seconds)
    }

    /// The fastest that is not `fused`.
    pub(crate) fn best_other(&self) -> Option<(&Entry, Seconds)> {
        let others = self.timed().filter(|(entry, _)| entry.name != "fused");
        others.min_by(|a, b| a.1.median.total_cmp(&b.1.median))
    }
}

impl Task {
    pub(crate) fn title(&self) -> String {
        let gradients = if self.dx { ", dX too" } else { "" };
        format!("{} {}{gradients}", self.shape.replace('x', "×"), self.dtype)
    }
}

impl Machine {
    pub(crate) fn read(threads: usize, simd: String) -> Self {
        let said = |program: &str, args: &[&str]| -> String {
            let output = Command::new(program).args(args).output().ok().filter(|o| o.status.success());
            output.map_or("unknown".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        };
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Machine {
            cpu: model.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
            simd,
            threads,
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
            date: said("date", &["-u", "+%Y-%m-%d"]),
        }
    }
}

impl Entry {
    pub(crate) fn absent(name: String, why: String) -> Self {
        Entry { name, version: None, seconds: None, errors: None, extra_bytes: None, absent: Some(why) }
    }
}

impl Seconds {
    /// Of one round at least.
    pub(crate) fn of(mut seconds: Vec<f64>) -> Option<Self> {
        if seconds.is_empty() {
            return None;
        }
        let median_s = median(&mut seconds);
        let mut deviations: Vec<f64> = seconds.iter().map(|s| (s - median_s).abs()).collect();
        Some(Seconds {
            median: median_s,
            min: seconds[0],
            mad: median(&mut deviations),
            rounds: seconds.len(),
        })
    }
}

/// Sorts, and gives the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
