//! The machine of a measurement.

use serde::{Deserialize, Serialize};
use std::process::Command;

/// A machine and the build of the program that ran on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Machine {
    /// The processor.
    pub cpu: String,
    /// The SIMD level that `fused` uses.
    pub simd: String,
    /// The number of threads that the machine runs in parallel.
    pub threads: usize,
    /// The date, as YYYY-MM-DD in UTC.
    pub date: String,
    /// The compiler, if known.
    pub rustc: Option<String>,
    /// The commit of the source, if known.
    pub commit: Option<String>,
}

impl Machine {
    /// This machine, today.
    pub fn this(simd: String, rustc: Option<String>, commit: Option<String>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
        let date = date.map_or(String::new(), |date| String::from_utf8_lossy(&date.stdout).trim().to_owned());
        Machine { cpu: cpu(), simd, threads, date, rustc, commit }
    }
}

/// The processor's name from the system, or the architecture if the system gives none.
pub fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
