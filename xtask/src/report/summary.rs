//! What a person reads in ten seconds.

use super::tables::ratio;
use crate::bench::SweepKind;
use crate::records::{Point, Record, Sweep};
use crate::units::bytes;

pub(crate) fn sentences(records: &[Record]) -> Vec<String> {
    let sweep = |kind: SweepKind| records.iter().find_map(|record| kind.of(&record.found));
    [speed(records), accuracy(records), sweep(SweepKind::Memory).and_then(memory), machine(records)]
        .into_iter()
        .flatten()
        .collect()
}

fn speed(records: &[Record]) -> Option<String> {
    let problems = records.iter().filter_map(Record::problem);
    let mut ratios: Vec<f64> =
        problems.filter_map(|p| Some(p.best_other()?.1.median / p.fused()?.median)).collect();
    ratios.sort_by(f64::total_cmp);
    let faster = ratios.iter().filter(|&&ratio| ratio > 1.0).count();
    let (least, most) = (ratio(*ratios.first()?), ratio(*ratios.last()?));
    let count = ratios.len();
    Some(format!(
        "Speed: fused is faster than the fastest of the others on {faster} of {count} problems; its speed over that one is \
         {least} to {most}."
    ))
}

fn accuracy(records: &[Record]) -> Option<String> {
    let worst = |ours: bool| {
        let problems = records.iter().filter_map(Record::problem).filter(|p| p.task.dtype == "f32");
        let entries = problems.flat_map(|p| &p.entries).filter(|entry| (entry.name == "fused") == ours);
        entries.filter_map(|entry| entry.errors.as_ref()?.dw_error).max_by(f64::total_cmp)
    };
    Some(format!(
        "Accuracy: the largest error of dW in f32 is {:.1e} of its largest entry with fused, and {:.1e} among the others.",
        worst(true)?,
        worst(false)?
    ))
}

fn memory(sweep: &Sweep) -> Option<String> {
    let shape = sweep.asked.shapes.last()?;
    let points = || sweep.points.iter().filter(|point| point.shape == *shape && point.extra_bytes.is_some());
    let size = |point: &Point| point.extra_bytes.unwrap_or(0);
    let fused = points().find(|point| point.name == "fused")?;
    let others = || points().filter(|point| point.name != "fused");
    let (least, most) = (others().min_by_key(|p| size(p))?, others().max_by_key(|p| size(p))?);
    let text = |point: &Point| bytes(size(point) as f64);
    Some(format!(
        "Memory on {}: {} with fused, from {} ({}) to {} ({}) with the others.",
        shape.replace('x', "×"),
        text(fused),
        text(least),
        least.name,
        text(most),
        most.name
    ))
}

fn machine(records: &[Record]) -> Option<String> {
    Some(format!("Machine: {}", super::setting(records)?))
}
