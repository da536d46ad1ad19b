//! `softmax verify`: runs the conformance suite on backends.

use crate::args::{Format, VerifyArgs};
use crate::externals::Externals;
use crate::json::write_json;
use crate::progress::Progress;
use crate::search::{self, Extent};
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use softmax::{BackendElement, Dtype, Entry, Feature, Registry, Setup};
use softmax_conformance::{Kind, Report, Runner, Skipped, Suite};
use softmax_record::{Palette, Table};
use std::io::Write;

/// The number of failures that the table shows for each run of the suite. JSON has all of them.
const SHOWN: usize = 10;

pub(crate) fn run(
    args: &VerifyArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let (externals, registry) = Externals::add(&args.external, registry)?;
    let entries = registry.select(&externals.or_beside(&args.backends))?;
    let setup = Setup { threads: Some(machine::set_threads(None)?), ..Setup::default() };
    let runner = match &args.filter {
        None => Runner::new(),
        Some(text) => Runner::new().filter(text.clone()),
    };
    if let Some(extent) = Extent::of(args) {
        return search::run(args, extent, &entries, setup, palette, out);
    }
    interrupt::end_cleanly();
    let (narrow, wide) = if args.thorough {
        (Suite::<f32>::thorough(), Suite::<f64>::thorough())
    } else {
        (Suite::<f32>::full(), Suite::<f64>::full())
    };
    if let Some(text) = &args.filter
        && !narrow.names().any(|name| runner.is_chosen(name))
    {
        let kinds = narrow.kinds().join(", ");
        anyhow::bail!(
            "--filter {text}: expected the beginning of a word in the names of cases, such as {kinds}"
        );
    }
    let mut reports = Vec::new();
    for entry in entries {
        let both = [run_suite(&runner, &narrow, entry, setup), run_suite(&runner, &wide, entry, setup)];
        anyhow::ensure!(
            !both.iter().all(refuses_type),
            "backend {}: expected a backend that supports f32 or f64, found neither",
            entry.name()
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

/// Whether the backend does not support this element type, and refuses every case for that reason.
fn refuses_type(report: &Report) -> bool {
    let of_type = match report.dtype {
        Dtype::F32 => Feature::F32,
        Dtype::F64 => Feature::F64,
    };
    report.ran() == 0
        && !report.unsupported.is_empty()
        && report.unsupported.iter().all(|case| case.feature == of_type)
}

fn is_right(report: &Report) -> bool {
    report.is_success() || refuses_type(report)
}

/// Runs the suite with a progress bar.
fn run_suite<T: BackendElement>(runner: &Runner, suite: &Suite<T>, entry: &Entry, setup: Setup) -> Report {
    let progress = Progress::new(suite.len());
    progress.doing(format!("{} {}", entry.name(), T::DTYPE));
    runner.run_with_progress(suite, || entry.make(setup), |done, of| progress.at(done, of))
}

/// The names of the skipped cases, grouped by reason.
fn by_reason(skipped: &[Skipped]) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in skipped {
        match reasons.iter_mut().find(|(reason, _)| *reason == case.reason) {
            Some((_, names)) => names.push(&case.name),
            None => reasons.push((&case.reason, vec![&case.name])),
        }
    }
    reasons
}

/// A table of the numbers of cases by kind, summed over all runs.
fn by_kind(reports: &[Report]) -> Table {
    let mut table = Table::new().words(["kind of cases"]).numbers(["ran", "skipped", "failed"]);
    let mut names: Vec<&str> = Vec::new();
    for kind in reports.iter().flat_map(|report| &report.kinds) {
        if !names.contains(&kind.name.as_str()) {
            names.push(&kind.name);
        }
    }
    for name in names {
        let kinds = || reports.iter().flat_map(|report| &report.kinds).filter(|kind| kind.name == name);
        let sum = |count: fn(&Kind) -> usize| kinds().map(count).sum::<usize>().to_string();
        let counts = [sum(|kind| kind.ran), sum(|kind| kind.left_out), sum(|kind| kind.failed)];
        table.row([vec![name.to_owned()], counts.to_vec()].concat());
    }
    table
}

fn write_table(reports: &[Report], palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    let numbers = ["cases", "skipped", "failed", "worst error/bound"];
    let mut table = Table::new().words(["backend", "type"]).numbers(numbers);
    for report in reports {
        table.row([
            report.backend.clone(),
            report.dtype.to_string(),
            report.ran().to_string(),
            (report.skipped.len() + report.unsupported.len()).to_string(),
            report.failures.len().to_string(),
            format!("{:.3}", report.worst_over_bound()),
        ]);
    }
    writeln!(out, "{}\n", table.text(palette))?;
    writeln!(out, "{}\n", by_kind(reports).text(palette))?;
    for report in reports {
        let whose = format!("{} {}", report.backend, report.dtype);
        for &feature in Feature::ALL {
            let count = report.unsupported.iter().filter(|case| case.feature == feature).count();
            if count > 0 {
                writeln!(out, "{whose}: does not support {feature}, {count} cases")?;
            }
        }
        for (reason, names) in by_reason(&report.skipped) {
            let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
            writeln!(out, "{whose} skipped {}{more}: {reason}", names[0])?;
        }
        for failure in report.failures.iter().take(SHOWN) {
            for fault in &failure.faults {
                writeln!(out, "{whose} FAILED {}: {fault}", failure.name)?;
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
