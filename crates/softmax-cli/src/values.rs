//! Numbers on the command line, and what they may be.

use std::time::Duration;

pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|&s| s > 0.0 && Duration::try_from_secs_f64(s).is_ok());
    seconds.ok_or_else(|| "expected a number of seconds above 0, and of a length that ends".to_owned())
}

pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|&count: &usize| count > 0);
    count.ok_or_else(|| "expected a number from 1 on".to_owned())
}

pub(crate) fn parse_tolerance(text: &str) -> Result<f64, String> {
    let tolerance = text.parse().ok().filter(|t: &f64| t.is_finite() && *t >= 0.0);
    tolerance.ok_or_else(|| "expected a finite number, at least 0".to_owned())
}

pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=1024).contains(threads));
    threads.ok_or_else(|| "expected a number from 1 to 1024".to_owned())
}
