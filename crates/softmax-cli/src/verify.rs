//! `softmax verify`: backends are put to the conformance suite.

use crate::args::{Format, VerifyArgs};
use crate::json::write_json;
use crate::machine;
use crate::progress::Progress;
use crate::registry::{BackendEntry, CliElement, Registry, Setup};
use crate::verdict::Verdict;
use softmax_conformance::{Report, Runner, Suite};
use softmax_record::{Palette, Table};
use std::io::Write;

/// How many failures of a backend are shown; JSON has them all.
const SHOWN: usize = 10;

pub(crate) fn run(
    args: &VerifyArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let entries = registry.select(&args.backends)?;
    let setup = Setup { threads: machine::set_threads(None)? };
    let runner = match &args.filter {
        None => Runner::new(),
        Some(text) => Runner::new().filter(text.clone()),
    };
    let (narrow, wide) = (Suite::<f32>::full(), Suite::<f64>::full());
    let mut reports = Vec::new();
    for entry in entries {
        let both = [run_suite(&runner, &narrow, entry, setup), run_suite(&runner, &wide, entry, setup)];
        anyhow::ensure!(
            both.iter().any(|report| refused_type(report).is_none()),
            "backend {}: expected a type that it computes in, found none: {}",
            entry.name,
            both[0].unsupported[0].reason
        );
        reports.extend(both);
    }
    match args.format {
        Format::Json => write_json(&reports, out)?,
        Format::Table => write_table(&reports, palette, out)?,
    }
    let right = reports.iter().all(is_right);
    Ok(if right { Verdict::AllAgree } else { Verdict::Disagreement })
}

/// Why the backend does nothing in this type, if it says so of every case.
fn refused_type(report: &Report) -> Option<&str> {
    let reason = &report.unsupported.first()?.reason;
    let is_the_type = reason.contains(&format!("does not support {}", report.dtype));
    let says_no_more = report.ran() == 0 && report.unsupported.iter().all(|case| case.reason == *reason);
    (is_the_type && says_no_more).then_some(reason)
}

fn is_right(report: &Report) -> bool {
    report.is_success() || refused_type(report).is_some()
}

/// With a bar on standard error, where that is a terminal.
fn run_suite<T: CliElement>(runner: &Runner, suite: &Suite<T>, entry: &BackendEntry, setup: Setup) -> Report {
    let progress = Progress::new(suite.len());
    progress.doing(format!("{} {}", entry.name, T::DTYPE));
    runner.run_with_progress(suite, || T::make(entry, setup), |done, of| progress.at(done, of))
}

fn write_table(reports: &[Report], palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    let numbers = ["cases", "skipped", "failed", "worst error/bound"];
    let mut table = Table::new().words(["backend", "type"]).numbers(numbers);
    for report in reports {
        table.row([
            report.backend.clone(),
            report.dtype.clone(),
            report.ran().to_string(),
            (report.skipped.len() + report.unsupported.len()).to_string(),
            report.failures.len().to_string(),
            format!("{:.3}", report.worst_over_bound()),
        ]);
    }
    writeln!(out, "{}\n", table.text(palette))?;
    for report in reports {
        let whose = format!("{} {}", report.backend, report.dtype);
        if let Some(reason) = refused_type(report) {
            writeln!(out, "{whose}: {reason}")?;
            continue;
        }
        for unsupported in &report.unsupported {
            writeln!(out, "{whose} {}: {}", unsupported.name, unsupported.reason)?;
        }
        for skipped in &report.skipped {
            writeln!(out, "{whose} skipped {}: {}", skipped.name, skipped.reason)?;
        }
        for failure in report.failures.iter().take(SHOWN) {
            for message in &failure.messages {
                writeln!(out, "{whose} FAILED {}: {message}", failure.name)?;
            }
        }
        if report.failures.len() > SHOWN {
            writeln!(out, "{whose}: and {} more failed", report.failures.len() - SHOWN)?;
        }
        for misuse in &report.misuse {
            writeln!(out, "{whose}: {misuse}")?;
        }
    }
    let wrong = reports.iter().filter(|report| !is_right(report)).count();
    let passed = reports.iter().filter(|report| report.is_success()).count();
    match wrong {
        0 => writeln!(out, "{}", palette.good(format!("All {passed} runs of the suite passed.")))?,
        wrong => writeln!(
            out,
            "{}",
            palette.bad(format!("{wrong} of {} runs of the suite failed.", reports.len()))
        )?,
    }
    Ok(())
}
