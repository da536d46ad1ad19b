//! What has changed between two runs, and what is noise.

use super::page::Table;
use super::tables::ratio;
use crate::records::{Record, Seconds};
use crate::units::time;

/// Two runs of one program differ by about this share, whatever their rounds say.
const LEAST_NOISE: f64 = 0.03;

/// How a time has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// The time now over the time then.
    pub(crate) ratio: f64,
    /// How far from 1 it may be by chance: twice the deviations of both runs, as shares of their medians.
    pub(crate) noise: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Faster,
    Slower,
    Noise,
}

impl Change {
    pub(crate) fn between(then: Seconds, now: Seconds) -> Self {
        let noise = 2.0 * (then.mad / then.median + now.mad / now.median);
        Change { ratio: now.median / then.median, noise: noise.max(LEAST_NOISE) }
    }

    pub(crate) fn verdict(self) -> Verdict {
        match self.ratio {
            ratio if ratio < 1.0 / (1.0 + self.noise) => Verdict::Faster,
            ratio if ratio > 1.0 + self.noise => Verdict::Slower,
            _ => Verdict::Noise,
        }
    }
}

/// A line for each of our backends on each problem that both runs have.
pub(crate) fn table(records: &[Record], baseline: &[Record]) -> Table {
    let mut table = Table::new(&["problem", "library"], &["then", "now", "now/then", "noise"]);
    table.columns.extend(Table::new(&["verdict"], &[]).columns);
    for problem in records.iter().filter_map(Record::problem) {
        let then = baseline.iter().filter_map(Record::problem).find(|then| then.task == problem.task);
        let Some(then) = then else { continue };
        for (entry, now) in problem.timed() {
            let Some((_, then)) = then.timed().find(|(then, _)| then.name == entry.name) else { continue };
            let change = Change::between(then, now);
            let verdict = match change.verdict() {
                Verdict::Faster => "faster",
                Verdict::Slower => "slower",
                Verdict::Noise => "within the noise",
            };
            table.rows.push(vec![
                problem.task.title(),
                entry.name.clone(),
                time(then.median),
                time(now.median),
                ratio(change.ratio),
                format!("±{:.0}%", 100.0 * change.noise),
                verdict.to_owned(),
            ]);
        }
    }
    if let (Some(now), Some(then)) = (records.first(), baseline.first()) {
        let of = |record: &Record| {
            format!("{} ({}, {})", record.machine.commit, record.machine.date, record.machine.rustc)
        };
        table.notes.push(format!("Then: {}. Now: {}.", of(then), of(now)));
        if now.machine.cpu != then.machine.cpu || now.machine.threads != then.machine.threads {
            table.notes.push(
                "The two runs are of different machines or threads: the ratios mean little.".to_owned(),
            );
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(median: f64, mad: f64) -> Seconds {
        Seconds { median, min: median, mad, rounds: 10 }
    }

    #[test]
    fn a_difference_within_the_noise_is_none() {
        let verdict = |then, now| Change::between(then, now).verdict();
        assert_eq!(verdict(seconds(1.0, 0.05), seconds(1.15, 0.05)), Verdict::Noise);
        assert_eq!(verdict(seconds(1.0, 0.05), seconds(0.85, 0.05)), Verdict::Noise);
        assert_eq!(verdict(seconds(1.0, 0.001), seconds(1.02, 0.001)), Verdict::Noise);
        assert_eq!(verdict(seconds(1.0, 0.01), seconds(1.06, 0.01)), Verdict::Slower);
        assert_eq!(verdict(seconds(1.0, 0.01), seconds(0.94, 0.01)), Verdict::Faster);
    }
}
