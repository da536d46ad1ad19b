//! Builds tables from records.

use crate::comparison::Measured;
use crate::record::{Record, SUBJECT};
use crate::table::{Cell, Table};
use crate::units;
use softmax_core::{Dtype, OutputKind, Quantity};

/// A row for each problem: [`SUBJECT`] against the fastest of the others.
pub fn summary(records: &[Record]) -> Table {
    let mut table =
        Table::new().words(["problem, N×D×C", "type", "gradients"]).numbers([SUBJECT, "of the floor"]);
    table = table.words(["best of the others"]).numbers(["its time", "ratio", "by best"]);
    for record in problems(records) {
        let Some(subject) = record.time_of(SUBJECT) else { continue };
        let problem = &record.comparison.problem;
        let best = record.best_other();
        let least = record.others().map(|(_, time)| time.min_s).min_by(f64::total_cmp);
        table.row([
            problem.shape.named().into(),
            problem.dtype.to_string().into(),
            problem.gradients().into(),
            units::seconds(subject.median_s).into(),
            Cell::optional(record.share_of_floor(subject), units::percent),
            Cell::optional(best, |(other, _)| other.name.clone()),
            Cell::optional(best, |(_, time)| units::seconds(time.median_s)),
            Cell::optional(best, |(_, time)| units::factor(time.median_s / subject.median_s)),
            Cell::optional(least, |least| units::factor(least / subject.min_s)),
        ]);
    }
    table
}

/// The median times, with a row for each problem and a column for each library.
pub(super) fn side_by_side(records: &[Record]) -> Table {
    let names = names(records);
    let mut table = Table::new().words(["problem"]).numbers(&names);
    for record in problems(records) {
        let cell = |name: &String| {
            Cell::optional(record.time_of(name), |time| {
                format!("{} ± {}", units::seconds(time.median_s), units::seconds(time.mad_s))
            })
        };
        table.row([record.asked.title().into()].into_iter().chain(names.iter().map(cell)));
        for skipped in &record.comparison.skipped {
            table.note(format!("Not measured: {}: {}", skipped.name, skipped.reason));
        }
    }
    table
}

/// The peak memory, with a row for each problem and a column for each library.
pub(super) fn memory(records: &[Record]) -> Table {
    let names = names(records);
    let mut table = Table::new().words(["problem"]).numbers(&names);
    for record in problems(records) {
        let of = |name: &String| record.comparison.backends.iter().find(|one| one.name == *name);
        let cell = |name: &String| Cell::optional(of(name).and_then(|one| one.extra_bytes), units::bytes);
        table.row([record.asked.title().into()].into_iter().chain(names.iter().map(cell)));
    }
    table
}

/// The largest errors of each library over all problems, by element type.
pub(super) fn accuracy(records: &[Record]) -> Table {
    const OUTPUTS: [Quantity; 3] = [
        Quantity::Loss,
        Quantity::Output(OutputKind::WeightsGradient),
        Quantity::Output(OutputKind::FeaturesGradient),
    ];
    let mut table = Table::new().words(["library", "type"]).numbers(OUTPUTS.map(Quantity::symbol));
    table = table.numbers(["problems"]);
    for name in names(records) {
        for dtype in [Dtype::F32, Dtype::F64] {
            let all = || measured(records, dtype).filter(|measured| measured.name == name);
            if all().next().is_none() {
                continue;
            }
            let errors = OUTPUTS.map(|output| Cell::optional(worst(all(), output), units::error));
            let first = [name.as_str().into(), dtype.to_string().into()];
            table.row(first.into_iter().chain(errors).chain([all().count().to_string().into()]));
        }
    }
    table
}

/// All measurements in one element type, without those of sweeps.
pub(super) fn measured(records: &[Record], dtype: Dtype) -> impl Iterator<Item = &Measured> {
    let records = problems(records).filter(move |record| record.asked.dtype == dtype);
    records.flat_map(|record| &record.comparison.backends)
}

/// The largest error of an output. NaN counts as larger than any number.
pub(super) fn worst<'r>(all: impl Iterator<Item = &'r Measured>, output: Quantity) -> Option<f64> {
    all.filter_map(|measured| measured.errors.get(&output).copied()).max_by(f64::total_cmp)
}

/// The names of all measured contenders, in order of appearance.
pub(super) fn names(records: &[Record]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for measured in problems(records).flat_map(|record| &record.comparison.backends) {
        if !names.contains(&measured.name) {
            names.push(measured.name.clone());
        }
    }
    names
}

/// The records that are not part of a sweep.
pub(super) fn problems(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|record| record.asked.sweep.is_none())
}
