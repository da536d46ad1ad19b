//! How a comparison looks.

use crate::args::CompareFormat;
use crate::compare::{Comparison, Measured, ProblemRecord};
use crate::measure::Time;
use crate::style::Palette;
use crate::units;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::io::{self, Write};

/// A table without lines, whose `numeric` columns are aligned to the right.
pub(crate) fn table(header: &[&str], numeric: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if numeric.contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text, without spaces at the ends of lines, and with its header in bold.
pub(crate) fn render(table: &Table, palette: Palette) -> String {
    let mut lines = table.lines().map(|line| line.trim_end().to_owned());
    let header = lines.next().map(|line| palette.heading(line));
    header.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// In any of the formats.
pub(crate) fn write(
    comparison: &Comparison,
    format: CompareFormat,
    palette: Palette,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        CompareFormat::Table => write_table(comparison, palette, out),
        CompareFormat::Json => write_json(comparison, out),
        CompareFormat::Csv => write_csv(comparison, out),
        CompareFormat::Markdown => write_markdown(comparison, out),
    }
}

/// Indented JSON, and the end of its last line.
pub(crate) fn write_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// A row per backend, those that were skipped too: empty where there is no number.
fn write_csv(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let problem = &comparison.problem;
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "backend",
        "n",
        "d",
        "c",
        "dtype",
        "threads",
        "agrees",
        "loss",
        "loss_error",
        "gradient_error",
        "dW_error",
        "db_error",
        "dX_error",
        "median_s",
        "min_s",
        "mad_s",
        "rounds",
        "speedup",
        "extra_bytes",
        "gflops",
        "device_s",
        "note",
    ])?;
    let [n, d, c, threads] = [problem.n, problem.d, problem.c, problem.threads].map(|x| x.to_string());
    for backend in &comparison.backends {
        let error = |output: &str| backend.errors.get(output).map_or(String::new(), f64::to_string);
        let time = |part: fn(Time) -> String| backend.time.map_or(String::new(), part);
        let notes: Vec<&str> = backend.failures.iter().map(|failure| failure.message.as_str()).collect();
        csv.write_record([
            backend.name.as_str(),
            &n,
            &d,
            &c,
            &problem.dtype,
            &threads,
            if backend.failures.is_empty() { "yes" } else { "no" },
            &backend.loss.to_string(),
            &backend.loss_error.to_string(),
            &backend.gradient_error.to_string(),
            &error("dW"),
            &error("db"),
            &error("dX"),
            &time(|time| time.median_s.to_string()),
            &time(|time| time.min_s.to_string()),
            &time(|time| time.mad_s.to_string()),
            &time(|time| time.rounds.to_string()),
            &backend.speedup.map_or(String::new(), |x| x.to_string()),
            &backend.extra_bytes.to_string(),
            &backend.gflops.map_or(String::new(), |x| x.to_string()),
            &backend.device_s.map_or(String::new(), |x| x.to_string()),
            &notes.join("; "),
        ])?;
    }
    for skipped in &comparison.skipped {
        let mut row = vec![skipped.name.as_str(), &n, &d, &c, &problem.dtype, &threads];
        row.resize(21, "");
        row.push(&skipped.reason);
        csv.write_record(row)?;
    }
    csv.flush()
}

/// The same table as for a terminal, in Markdown.
fn write_markdown(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let problem = &comparison.problem;
    let (threads, gradients) = (units::threads(problem.threads), problem.gradients.join(", "));
    writeln!(out, "{}, {threads}; loss and {gradients}.\n", headline(problem))?;
    let mut rows = rows(comparison);
    rows.load_style(presets::ASCII_MARKDOWN);
    writeln!(out, "{rows}")?;
    for line in remarks(comparison) {
        writeln!(out, "\n{line}")?;
    }
    Ok(())
}

/// For a person: the problem, a row per backend, what disagrees, and the verdict last.
pub(crate) fn write_table(comparison: &Comparison, palette: Palette, out: &mut dyn Write) -> io::Result<()> {
    let problem = &comparison.problem;
    writeln!(out, "{}", headline(problem))?;
    let (threads, gradients) = (units::threads(problem.threads), problem.gradients.join(", "));
    writeln!(out, "{}, {threads}; loss and {gradients}", problem.cpu)?;
    writeln!(
        out,
        "reference: {}, loss {:.10}\n",
        comparison.reference.arithmetic, comparison.reference.loss
    )?;
    let text = render(&rows(comparison), palette);
    for line in text.lines() {
        match line.strip_suffix("  NO") {
            Some(rest) => writeln!(out, "{rest}  {}", palette.bad("NO"))?,
            None => writeln!(out, "{line}")?,
        }
    }
    if problem.gradients.len() > 1 {
        let mut header = vec!["gradient error"];
        header.extend(&problem.gradients);
        let numeric: Vec<usize> = (1..header.len()).collect();
        let mut errors = table(&header, &numeric);
        for backend in &comparison.backends {
            let error =
                |output: &&str| backend.errors.get(*output).map_or("–".to_owned(), |&e| units::error(e));
            let row = std::iter::once(backend.name.clone()).chain(problem.gradients.iter().map(error));
            errors.add_row(row.collect::<Vec<_>>());
        }
        writeln!(out, "\n{}", render(&errors, palette))?;
    }
    for line in remarks(comparison) {
        writeln!(out, "\n{line}")?;
    }
    let verdict = verdict(comparison);
    writeln!(out, "\n{}", if comparison.agree { palette.good(verdict) } else { palette.bad(verdict) })
}

fn headline(problem: &ProblemRecord) -> String {
    let ProblemRecord { source, n, d, c, dtype, .. } = problem;
    let empty = match problem.classes_without_samples {
        0 => String::new(),
        count => format!(" ({count} of them without a sample)"),
    };
    format!("{source}: {n} samples × {d} features × {c} classes{empty}, {dtype}")
}

fn rows(comparison: &Comparison) -> Table {
    let header = ["backend", "loss", "loss err", "grad err", "time", "speed-up", "memory", "agrees"];
    let mut rows = table(&header, &[1, 2, 3, 4, 5, 6]);
    for backend in &comparison.backends {
        rows.add_row(row(backend));
    }
    rows
}

/// What devices took, what was skipped, and what disagrees.
fn remarks(comparison: &Comparison) -> Vec<String> {
    let on_device = |b: &Measured| Some(format!("{} {}", b.name, units::seconds(b.device_s?)));
    let on_device: Vec<String> = comparison.backends.iter().filter_map(on_device).collect();
    let devices = (!on_device.is_empty())
        .then(|| format!("On the device, without transfers: {}.", on_device.join(", ")));
    let skipped = comparison.skipped.iter().map(|s| format!("{} was skipped: {}", s.name, s.reason));
    let failures = comparison
        .backends
        .iter()
        .flat_map(|b| b.failures.iter().map(move |failure| format!("{}: {}", b.name, failure.message)));
    devices.into_iter().chain(skipped).chain(failures).collect()
}

fn row(backend: &Measured) -> [String; 8] {
    [
        backend.name.clone(),
        units::loss(backend.loss),
        units::error(backend.loss_error),
        units::error(backend.gradient_error),
        backend.time.map_or("–".to_owned(), |time| units::seconds(time.median_s)),
        backend.speedup.map_or("–".to_owned(), units::factor),
        units::bytes(backend.extra_bytes),
        if backend.failures.is_empty() { "yes" } else { "NO" }.to_owned(),
    ]
}

fn verdict(comparison: &Comparison) -> String {
    let wrong: Vec<&str> =
        comparison.backends.iter().filter(|b| !b.failures.is_empty()).map(|b| b.name.as_str()).collect();
    match (wrong.as_slice(), comparison.backends.len()) {
        ([], 0) => "Nothing was compared.".to_owned(),
        ([], 1) => "The backend agrees with the reference.".to_owned(),
        ([], count) => format!("All {count} backends agree with the reference."),
        (wrong, count) => format!("{} of {count} backends disagree: {}.", wrong.len(), wrong.join(", ")),
    }
}
