//! `softmax verify`: backends are put to the conformance suite.

use crate::args::{Format, VerifyArgs};
use crate::progress::Progress;
use crate::registry::{BackendEntry, CliElement, Registry, Setup};
use crate::style::Palette;
use crate::{Verdict, machine, report};
use softmax_conformance::{Report, Runner, Suite};
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
        reports.push(run_suite(&runner, &narrow, entry, setup));
        reports.push(run_suite(&runner, &wide, entry, setup));
    }
    match args.format {
        Format::Json => report::write_json(&reports, out)?,
        Format::Table => write_table(&reports, palette, out)?,
    }
    let right = reports.iter().all(Report::is_success);
    Ok(if right { Verdict::AllAgree } else { Verdict::Disagreement })
}

/// With a bar on standard error, where that is a terminal.
fn run_suite<T: CliElement>(runner: &Runner, suite: &Suite<T>, entry: &BackendEntry, setup: Setup) -> Report {
    let progress = Progress::new(suite.len());
    progress.doing(format!("{} {}", entry.name, T::DTYPE));
    runner.run_with_progress(suite, || T::make(entry, setup), |done, of| progress.at(done, of))
}

fn write_table(reports: &[Report], palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    let header = ["backend", "type", "cases", "skipped", "failed", "worst error/bound"];
    let mut table = report::table(&header, &[2, 3, 4, 5]);
    for report in reports {
        table.add_row([
            report.backend.clone(),
            report.dtype.clone(),
            report.ran().to_string(),
            report.skipped.len().to_string(),
            report.failures.len().to_string(),
            format!("{:.3}", report.worst_over_bound()),
        ]);
    }
    writeln!(out, "{}\n", report::render(&table, palette))?;
    for report in reports {
        let whose = format!("{} {}", report.backend, report.dtype);
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
    let wrong = reports.iter().filter(|report| !report.is_success()).count();
    match wrong {
        0 => writeln!(out, "{}", palette.good(format!("All {} runs of the suite passed.", reports.len())))?,
        wrong => writeln!(
            out,
            "{}",
            palette.bad(format!("{wrong} of {} runs of the suite failed.", reports.len()))
        )?,
    }
    Ok(())
}
