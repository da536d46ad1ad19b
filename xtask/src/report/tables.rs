//! Records as tables.

use super::page::Table;
use crate::records::{Entry, Errors, Problem, Record, Seconds};
use crate::units::{bytes, three_digits, time};
use std::collections::BTreeMap;

/// One problem: all that were timed, the fastest first.
pub(crate) fn problem(problem: &Problem) -> Table {
    let roofline = &problem.roofline;
    let numbers = ["median", "±", "best", "of the floor", "memory", "loss error", "dW error", "dX error"];
    let mut table = Table::new(&["library", "version"], &numbers);
    let mut timed: Vec<(&Entry, Seconds)> = problem.timed().collect();
    timed.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    for (entry, seconds) in timed {
        let error = |of: fn(&Errors) -> Option<f64>| error(entry.errors.as_ref().and_then(of));
        table.rows.push(vec![
            entry.name.clone(),
            entry.version.clone().unwrap_or_default(),
            time(seconds.median),
            time(seconds.mad),
            time(seconds.min),
            percent(roofline.floor_s / seconds.median),
            entry.extra_bytes.map_or("–".to_owned(), |size| bytes(size as f64)),
            error(|e| e.loss_error),
            error(|e| e.dw_error),
            error(|e| e.dx_error),
        ]);
    }
    let flops = if problem.task.dtype == "f64" { roofline.f64_flops } else { roofline.f32_flops };
    table.notes.push(format!(
        "{}, {} threads; floor {} ({:.0} GFLOP/s, {:.1} GB/s)",
        problem.task.title(),
        roofline.threads,
        time(roofline.floor_s),
        flops / 1e9,
        roofline.read_bytes / 1e9
    ));
    table.notes.extend(absent(&problem.entries));
    table
}

/// A line per problem: `fused` against the best of the others.
pub(crate) fn summary(records: &[Record]) -> Table {
    let numbers = ["fused", "of the floor"];
    let mut table = Table::new(&["N×D×C", "type", "gradients"], &numbers);
    table.columns.extend(Table::new(&["best of the others"], &["its time", "ratio", "by best"]).columns);
    for problem in records.iter().filter_map(Record::problem) {
        let Some(fused) = problem.fused() else { continue };
        let least =
            problem.timed().filter(|(entry, _)| entry.name != "fused").map(|(_, seconds)| seconds.min);
        let least = least.fold(f64::INFINITY, f64::min);
        let mut row = vec![
            problem.task.shape.replace('x', "×"),
            problem.task.dtype.clone(),
            if problem.task.dx { "dW, dX" } else { "dW" }.to_owned(),
            time(fused.median),
            percent(problem.roofline.floor_s / fused.median),
        ];
        row.extend(match problem.best_other() {
            None => ["–"; 4].map(str::to_owned),
            Some((entry, seconds)) => [
                entry.name.clone(),
                time(seconds.median),
                ratio(seconds.median / fused.median),
                ratio(least / fused.min),
            ],
        });
        table.rows.push(row);
    }
    table
}

/// The medians of everyone, a column per library.
pub(crate) fn side_by_side(records: &[Record]) -> Table {
    let names = names(records);
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = Table::new(&["problem"], &columns);
    for problem in records.iter().filter_map(Record::problem) {
        let cell = |name: &String| {
            let found = problem.timed().find(|(entry, _)| entry.name == *name);
            found.map_or("–".to_owned(), |(_, seconds)| {
                format!("{} ± {}", time(seconds.median), time(seconds.mad))
            })
        };
        table.rows.push([problem.task.title()].into_iter().chain(names.iter().map(cell)).collect());
    }
    let mut why: Vec<String> =
        records.iter().filter_map(Record::problem).flat_map(|problem| absent(&problem.entries)).collect();
    why.sort_unstable();
    why.dedup();
    table.notes = why;
    table
}

/// The worst errors of each library over all problems, by element type.
pub(crate) fn accuracy(records: &[Record]) -> Table {
    let mut table = Table::new(&["library", "type"], &["loss", "dW", "dX", "problems"]);
    type Worst = ([Option<f64>; 3], usize);
    let mut worst: BTreeMap<(usize, String), Worst> = BTreeMap::new();
    let names = names(records);
    for problem in records.iter().filter_map(Record::problem) {
        for entry in &problem.entries {
            let Some(errors) = &entry.errors else { continue };
            let place = names.iter().position(|name| *name == entry.name).unwrap_or(usize::MAX);
            let (all, count) = worst.entry((place, problem.task.dtype.clone())).or_default();
            *count += 1;
            for (worst, error) in all.iter_mut().zip([errors.loss_error, errors.dw_error, errors.dx_error]) {
                // NaN is the worst of all.
                *worst = match (*worst, error) {
                    (Some(a), Some(b)) => Some(if a.total_cmp(&b).is_gt() { a } else { b }),
                    (a, b) => a.or(b),
                };
            }
        }
    }
    for ((place, dtype), (errors, count)) in worst {
        let name = names.get(place).cloned().unwrap_or_default();
        let cells = errors.map(error);
        table.rows.push([name, dtype].into_iter().chain(cells).chain([count.to_string()]).collect());
    }
    table
}

/// Everyone that has a part in a problem, in the order in which they appear.
pub(crate) fn names(records: &[Record]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in records.iter().filter_map(Record::problem).flat_map(|problem| &problem.entries) {
        if !names.contains(&entry.name) {
            names.push(entry.name.clone());
        }
    }
    names
}

fn absent(entries: &[Entry]) -> impl Iterator<Item = String> {
    entries
        .iter()
        .filter_map(|entry| Some(format!("Not measured: {}: {}", entry.name, entry.absent.as_ref()?)))
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

pub(crate) fn ratio(ratio: f64) -> String {
    format!("{}×", three_digits(ratio))
}

fn error(error: Option<f64>) -> String {
    match error {
        None => "–".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(error) => format!("{error:.1e}"),
    }
}
