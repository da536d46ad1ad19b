//! How a comparison looks.

use crate::compare::{Comparison, Measured};
use crate::units;
use comfy_table::{CellAlignment, Table, presets};
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

/// The table as text, without spaces at the ends of lines.
pub(crate) fn render(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

pub(crate) fn write_json(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, comparison)?;
    writeln!(out)
}

/// For a person: the problem, a row per backend, what disagrees, and the verdict last.
pub(crate) fn write_table(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let problem = &comparison.problem;
    writeln!(
        out,
        "{}: {} samples × {} features × {} classes, {}",
        problem.source, problem.n, problem.d, problem.c, problem.dtype
    )?;
    writeln!(out, "{}, {} threads; loss and {}", problem.cpu, problem.threads, problem.gradients.join(", "))?;
    writeln!(
        out,
        "reference: {}, loss {:.10}\n",
        comparison.reference.arithmetic, comparison.reference.loss
    )?;

    let header = ["backend", "loss", "loss err", "grad err", "time", "speed-up", "memory", "agrees"];
    let mut rows = table(&header, &[1, 2, 3, 4, 5, 6]);
    for backend in &comparison.backends {
        rows.add_row(row(backend));
    }
    writeln!(out, "{}", render(&rows))?;

    for skipped in &comparison.skipped {
        writeln!(out, "\n{} was skipped: {}", skipped.name, skipped.reason)?;
    }
    let failures: Vec<String> = comparison
        .backends
        .iter()
        .flat_map(|b| b.failures.iter().map(move |failure| format!("{}: {}", b.name, failure.message)))
        .collect();
    if !failures.is_empty() {
        writeln!(out, "\n{}", failures.join("\n"))?;
    }
    writeln!(out, "\n{}", verdict(comparison))
}

fn row(backend: &Measured) -> [String; 8] {
    [
        backend.name.clone(),
        format!("{:.7}", backend.loss),
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
