//! What a benchmark found, as it is written down.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

/// One problem, and what each made of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) shape: String,
    pub(crate) dtype: String,
    pub(crate) dx: bool,
    pub(crate) roofline: Roofline,
    pub(crate) machine: Machine,
    pub(crate) entries: Vec<Entry>,
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

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
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
    /// Why it is not measured.
    pub(crate) absent: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Seconds {
    pub(crate) median: f64,
    pub(crate) min: f64,
    /// The median absolute deviation from the median.
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

/// The records of a file, if there is one. A last line that was cut short is taken away.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let context = || path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(context),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let records = text[..whole].lines().map(serde_json::from_str).collect::<Result<_, _>>();
    let records = records.with_context(context)?;
    OpenOptions::new().write(true).open(path)?.set_len(whole as u64).with_context(context)?;
    Ok(records)
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
}

impl Machine {
    pub(crate) fn read(threads: usize) -> anyhow::Result<Self> {
        let said = |program: &str, args: &[&str]| -> String {
            let output = Command::new(program).args(args).output().ok().filter(|o| o.status.success());
            output.map_or("unknown".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        };
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Ok(Machine {
            cpu: model.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
            threads,
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
            date: said("date", &["-u", "+%Y-%m-%d"]),
        })
    }
}

impl Entry {
    pub(crate) fn absent(name: String, why: String) -> Self {
        Entry { name, version: None, seconds: None, errors: None, absent: Some(why) }
    }

    pub(crate) fn measured(name: String, version: String, mut seconds: Vec<f64>, errors: Errors) -> Self {
        let median_s = median(&mut seconds);
        let mut deviations: Vec<f64> = seconds.iter().map(|s| (s - median_s).abs()).collect();
        let seconds = Seconds {
            median: median_s,
            min: seconds[0],
            mad: median(&mut deviations),
            rounds: seconds.len(),
        };
        Entry { name, version: Some(version), seconds: Some(seconds), errors: Some(errors), absent: None }
    }
}

/// Sorts, and gives the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
