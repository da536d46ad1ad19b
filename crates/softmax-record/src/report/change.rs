//! Changes of times between two runs, told apart from noise.

use super::provenance::when;
use super::tables::problems;
use crate::record::Record;
use crate::table::Table;
use crate::time::Time;
use crate::units;

/// The minimum noise, relative to a time. Two runs of the same program differ by about this much, even if the rounds of
/// each agree better.
const LEAST_NOISE: f64 = 0.03;

/// The verdict on a change that does not exceed the noise.
const NOISE: &str = "within the noise";

/// The change of a time.
#[derive(Clone, Copy)]
struct Change {
    /// The new time divided by the old one.
    ratio: f64,
    /// How far `ratio` may be from 1 by chance: twice the sum of both runs' deviations, each relative to its median,
    /// and at least [`LEAST_NOISE`].
    noise: f64,
}

impl Change {
    fn between(then: Time, now: Time) -> Self {
        let noise = 2.0 * (then.mad_s / then.median_s + now.mad_s / now.median_s);
        Change { ratio: now.median_s / then.median_s, noise: noise.max(LEAST_NOISE) }
    }

    /// `faster`, `slower`, or [`NOISE`].
    fn verdict(self) -> &'static str {
        match self.ratio {
            ratio if ratio < 1.0 / (1.0 + self.noise) => "faster",
            ratio if ratio > 1.0 + self.noise => "slower",
            _ => NOISE,
        }
    }
}

/// A row for each library on each problem of both runs.
pub fn changes(records: &[Record], baseline: &[Record]) -> Table {
    let numbers = ["then", "now", "now/then", "noise"];
    let mut table = Table::new().words(["problem", "library"]).numbers(numbers).words(["verdict"]);
    let problem = |r: &Record| (r.asked.shape, r.asked.dtype, r.asked.dx, r.asked.isolated);
    for record in problems(records) {
        let same_problem = || problems(baseline).filter(|earlier| problem(earlier) == problem(record));
        let same_threads = same_problem().find(|earlier| earlier.asked.threads == record.asked.threads);
        let Some(earlier) = same_threads.or_else(|| same_problem().next()) else { continue };
        for (measured, now) in record.timed() {
            let Some(then) = earlier.time_of(&measured.name) else { continue };
            let change = Change::between(then, now);
            table.row([
                record.asked.title(),
                measured.name.clone(),
                units::seconds(then.median_s),
                units::seconds(now.median_s),
                units::factor(change.ratio),
                format!("±{}", units::percent(change.noise)),
                change.verdict().to_owned(),
            ]);
        }
        let place = |r: &Record| (r.comparison.problem.cpu.clone(), r.asked.threads);
        if place(record) != place(earlier) {
            table.note(
                "The two runs are of different machines or threads: the ratios mean little.".to_owned(),
            );
        }
    }
    let machine = |records: &[Record]| records.first().and_then(|record| record.machine.clone());
    if let (Some(now), Some(then)) = (machine(records), machine(baseline)) {
        table.note(format!("Then: {}. Now: {}.", when(&then), when(&now)));
        if let (Some(now), Some(then)) = (now.rustc, then.rustc)
            && now != then
        {
            table.note(format!("Then compiled by {then}, now by {now}."));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(median_s: f64, mad_s: f64) -> Time {
        Time { median_s, min_s: median_s, mad_s, rounds: 10 }
    }

    #[test]
    fn a_difference_within_the_noise_is_none() {
        let verdict = |then, now| Change::between(then, now).verdict();
        assert_eq!(verdict(time(1.0, 0.05), time(1.15, 0.05)), NOISE);
        assert_eq!(verdict(time(1.0, 0.05), time(0.85, 0.05)), NOISE);
        assert_eq!(verdict(time(1.0, 0.001), time(1.02, 0.001)), NOISE);
        assert_eq!(verdict(time(1.0, 0.01), time(1.06, 0.01)), "slower");
        assert_eq!(verdict(time(1.0, 0.01), time(0.94, 0.01)), "faster");
    }
}
