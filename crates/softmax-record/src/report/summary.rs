//! The summary of a report: which backend to use, and why.

use super::provenance;
use super::series::{Series, series};
use super::tables::{measured, names, problems, worst};
use crate::record::{Record, SUBJECT, Sweep};
use crate::units;
use softmax_core::{Dtype, OutputKind, Quantity};

/// Sentences with the advice, speed, accuracy, memory and machine, each only if it is known.
pub(super) fn sentences(records: &[Record]) -> Vec<String> {
    let memory = series(records).iter().find(|series| series.sweep == Sweep::Memory).and_then(memory);
    let machine = provenance::setting(records).map(|setting| format!("Machine: {setting}"));
    [advice(records), speed(records), accuracy(records), memory, machine].into_iter().flatten().collect()
}

/// Recommends the library with the smallest geometric mean of its time relative to the fastest on each problem. Only
/// libraries that were timed on the largest number of problems are considered.
fn advice(records: &[Record]) -> Option<String> {
    let slowdowns = |name: &String| -> Vec<f64> {
        let of = |record: &Record| {
            let fastest = record.timed().map(|(_, time)| time.median_s).min_by(f64::total_cmp)?;
            Some(record.time_of(name)?.median_s / fastest)
        };
        problems(records).filter_map(of).collect()
    };
    let all: Vec<(String, Vec<f64>)> = names(records)
        .into_iter()
        .map(|name| {
            let slowdowns = slowdowns(&name);
            (name, slowdowns)
        })
        .collect();
    let count = all.iter().map(|(_, slowdowns)| slowdowns.len()).max().filter(|&count| count > 0)?;
    let mean_log = |slowdowns: &[f64]| slowdowns.iter().map(|slowdown| slowdown.ln()).sum::<f64>();
    let (name, slowdowns) = all
        .iter()
        .filter(|(_, slowdowns)| slowdowns.len() == count)
        .min_by(|a, b| mean_log(&a.1).total_cmp(&mean_log(&b.1)))?;
    let first = slowdowns.iter().filter(|&&slowdown| slowdown <= 1.0).count();
    let worst = slowdowns.iter().copied().fold(1.0, f64::max);
    let why = if first == count {
        "it is the fastest on every problem".to_owned()
    } else {
        format!(
            "it is the fastest on {first} of {count} problems, and takes at most {} the fastest's time on the others",
            units::factor(worst)
        )
    };
    Some(format!("Use {name}, because {why}."))
}

fn speed(records: &[Record]) -> Option<String> {
    let mut ratios: Vec<f64> = problems(records)
        .filter_map(|record| Some(record.best_other()?.1.median_s / record.time_of(SUBJECT)?.median_s))
        .collect();
    ratios.sort_by(f64::total_cmp);
    let faster = ratios.iter().filter(|&&ratio| ratio > 1.0).count();
    let (least, most) = (units::factor(*ratios.first()?), units::factor(*ratios.last()?));
    let count = ratios.len();
    Some(format!(
        "Speed: {SUBJECT} is faster than the fastest of the others on {faster} of {count} problems, by factors of {least} to \
         {most} (below 1: slower)."
    ))
}

fn accuracy(records: &[Record]) -> Option<String> {
    let worst_of = |name: &str| {
        let all = measured(records, Dtype::F32).filter(|one| one.name == name);
        worst(all, Quantity::Output(OutputKind::WeightsGradient))
    };
    let subject = worst_of(SUBJECT)?;
    let others = names(records).into_iter().filter(|name| name != SUBJECT);
    let (best, least) = others
        .filter_map(|name| Some((worst_of(&name)?, name)))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(error, name)| (name, error))?;
    Some(format!(
        "Accuracy: the largest error of dW in f32, relative to its largest entry, is {subject:.1e} with {SUBJECT} and \
         {least:.1e} with {best}, the most accurate of the others."
    ))
}

fn memory(series: &Series<'_>) -> Option<String> {
    let largest = series.records.iter().max_by_key(|record| record.asked.shape.n)?;
    let sizes = || largest.comparison.backends.iter().filter_map(|one| Some((&one.name, one.extra_bytes?)));
    let (_, subject) = sizes().find(|(name, _)| *name == SUBJECT)?;
    let others = || sizes().filter(|(name, _)| *name != SUBJECT);
    let (least, most) = (others().min_by_key(|(_, size)| *size)?, others().max_by_key(|(_, size)| *size)?);
    let text = |(name, size)| format!("{} ({name})", units::bytes(size));
    let (shape, subject) = (largest.asked.shape.title(), units::bytes(subject));
    let (least, most) = (text(least), text(most));
    Some(format!("Memory on {shape}: {subject} with {SUBJECT}, from {least} to {most} with the others."))
}
