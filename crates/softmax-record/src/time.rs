//! Times of repeated calls.

use serde::{Deserialize, Serialize};

/// The distribution of the wall-clock time of one call over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Time {
    /// The median, in seconds.
    pub median_s: f64,
    /// The minimum, in seconds.
    pub min_s: f64,
    /// The median absolute deviation from the median, in seconds.
    pub mad_s: f64,
    /// The number of timed calls.
    pub rounds: usize,
}

impl Time {
    /// The statistics of the calls' seconds; `None` if nothing was timed.
    pub fn of(mut seconds: Vec<f64>) -> Option<Self> {
        let median_s = median(&mut seconds)?;
        let mut deviations: Vec<f64> = seconds.iter().map(|s| (s - median_s).abs()).collect();
        Some(Time { median_s, min_s: seconds[0], mad_s: median(&mut deviations)?, rounds: seconds.len() })
    }
}

/// The median, or `None` if there are no values. Sorts `values`.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_deviation_are_those_of_the_sorted_values() {
        let time = Time::of(vec![4.0, 1.0, 2.0, 100.0]).unwrap();
        assert_eq!(time, Time { median_s: 3.0, min_s: 1.0, mad_s: 1.5, rounds: 4 });
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(Time::of(Vec::new()), None);
    }
}
