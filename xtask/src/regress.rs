//! `cargo xtask regress`: counts the kernels' instructions, which vary less than times do.

use crate::cargo::{build_program, output_of};
use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};
use softmax_record::{Cell, Table, units};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The largest relative increase that passes.
const MOST_RISE: f64 = 0.02;

/// Each kernel and element type, with and without dX. Class counts are not multiples of AVX2's vector lengths.
const CASES: [(&str, &str, bool); 8] = [
    ("200x300x10", "f32", false),
    ("200x300x10", "f32", true),
    ("200x300x10", "f64", false),
    ("200x300x10", "f64", true),
    ("60x200x150", "f32", false),
    ("60x200x150", "f32", true),
    ("60x200x150", "f64", false),
    ("60x200x150", "f64", true),
];

#[derive(Debug, Args)]
pub(crate) struct RegressArgs {
    /// Counts of an earlier run; a case that takes more than 2% more fails
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The file for the counts
    #[arg(long, value_name = "FILE", default_value = "target/bench/instructions.json")]
    output: PathBuf,
}

/// The instructions of one evaluation by `fused` on one thread, for each case.
#[derive(Debug, Deserialize, Serialize)]
struct Counts {
    rustc: String,
    instructions: BTreeMap<String, f64>,
}

pub(crate) fn run(args: &RegressArgs) -> anyhow::Result<()> {
    let baseline = args.baseline.as_deref().map(read).transpose()?;
    let program = build_program()?;
    let mut instructions = BTreeMap::new();
    for (shape, dtype, dx) in CASES {
        let case = format!("{shape} {dtype}{}", if dx { " dX" } else { "" });
        eprintln!("{case}");
        // The instructions of the program's start are in both counts and cancel.
        let [few, more] = [2, 6].map(|times| count(&program, shape, dtype, dx, times));
        instructions.insert(case, (more? - few?) / 4.0);
    }
    let counts = Counts { rustc: output_of("rustc", &["--version"]), instructions };
    let folder = args.output.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    std::fs::write(&args.output, serde_json::to_string_pretty(&counts)? + "\n")
        .with_context(|| args.output.display().to_string())?;
    judge(&counts, baseline.as_ref())
}

fn read(path: &Path) -> anyhow::Result<Counts> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: expected counts of cargo xtask regress", path.display()))
}

/// The instructions of the program with `times` evaluations, counted by callgrind.
fn count(program: &Path, shape: &str, dtype: &str, dx: bool, times: usize) -> anyhow::Result<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.args(["workbench", "repeat", "--backend", "fused", "--synthetic", shape, "--dtype", dtype]);
    command.args(["--times", &times.to_string()]).args(dx.then_some("--dx"));
    let output = command.output().context("valgrind (Debian: apt-get install valgrind)")?;
    let text = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "valgrind failed: {}", text.trim());
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.with_context(|| format!("expected a count from callgrind, found {text}"))
}

fn judge(now: &Counts, then: Option<&Counts>) -> anyhow::Result<()> {
    let mut table = Table::new().words(["case"]).numbers(["instructions", "before", "change"]);
    let mut risen = Vec::new();
    for (case, &count) in &now.instructions {
        let before = then.and_then(|then| then.instructions.get(case));
        let change = before.map(|before| count / before - 1.0);
        if change.is_some_and(|change| change > MOST_RISE) {
            risen.push(case.as_str());
        }
        let millions = |count: f64| format!("{} M", units::three_digits(count / 1e6));
        table.row([
            case.as_str().into(),
            millions(count).into(),
            Cell::optional(before, |&before| millions(before)),
            Cell::optional(change, |change| format!("{:+.1}%", 100.0 * change)),
        ]);
    }
    if let Some(then) = then.filter(|then| then.rustc != now.rustc) {
        table.note(format!("The baseline was compiled by {}, this by {}.", then.rustc, now.rustc));
    }
    println!("{}", table.markdown());
    anyhow::ensure!(
        risen.is_empty(),
        "more than {:.0}% more instructions: {}",
        100.0 * MOST_RISE,
        risen.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(count: f64) -> Counts {
        Counts { rustc: String::new(), instructions: BTreeMap::from([("a case".to_owned(), count)]) }
    }

    #[test]
    fn a_rise_above_two_percent_fails_and_names_the_case() {
        assert!(judge(&counts(101.9), Some(&counts(100.0))).is_ok());
        assert!(judge(&counts(90.0), Some(&counts(100.0))).is_ok());
        assert!(judge(&counts(100.0), None).is_ok());
        let error = judge(&counts(102.1), Some(&counts(100.0))).unwrap_err();
        assert!(error.to_string().contains("a case"));
    }
}
