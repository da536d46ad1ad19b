//! What a person reads in ten seconds.

use super::provenance;
use super::series::{Series, series};
use super::tables::{measured, problems, worst};
use crate::record::{Record, SUBJECT, Sweep};
use crate::units;
use softmax_core::{Dtype, OutputKind, Quantity};

/// Speed, accuracy, memory and the machine, as far as they are known.
pub(super) fn sentences(records: &[Record]) -> Vec<String> {
    let memory = series(records).iter().find(|series| series.sweep == Sweep::Memory).and_then(memory);
    let machine = provenance::setting(records).map(|setting| format!("Machine: {setting}"));
    [speed(records), accuracy(records), memory, machine].into_iter().flatten().collect()
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
        "Speed: {SUBJECT} is faster than the fastest of the others on {faster} of {count} problems; its speed over that \
         one is {least} to {most}."
    ))
}

fn accuracy(records: &[Record]) -> Option<String> {
    let worst = |of_subject: bool| {
        let all = measured(records, Dtype::F32);
        worst(
            all.filter(|one| (one.name == SUBJECT) == of_subject),
            Quantity::Output(OutputKind::WeightsGradient),
        )
    };
    let (subject, others) = (worst(true)?, worst(false)?);
    Some(format!(
        "Accuracy: the largest error of dW in f32 is {subject:.1e} of its largest entry with {SUBJECT}, and {others:.1e} \
         among the others."
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
