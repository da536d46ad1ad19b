//! What a measurement ran on.

use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// A machine, and the program that was built for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Machine {
    /// The processor.
    pub cpu: String,
    /// The vectors that `fused` uses.
    pub simd: String,
    /// How many threads it runs at once.
    pub threads: usize,
    /// The day, as YYYY-MM-DD in UTC.
    pub date: String,
    /// The compiler, where it is known.
    pub rustc: Option<String>,
    /// The commit of the source, where it is known.
    pub commit: Option<String>,
}

impl Machine {
    /// This machine, today.
    pub fn this(simd: String, rustc: Option<String>, commit: Option<String>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Machine { cpu: cpu(), simd, threads, date: date(now.as_secs() / 86_400), rustc, commit }
    }
}

/// The processor's name as the system gives it, or its architecture.
pub fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// The date so many days after 1970-01-01.
fn date(days: u64) -> String {
    // In years from March to February a leap day is the last, and in 400 of them there are 146,097 days.
    let days = days + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = days / 146_097 * 400 + year_of_era + next_year;
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        for (days, expected) in
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (11_017, "2000-03-01"), (20_819, "2027-01-01")]
        {
            assert_eq!(date(days), expected);
        }
    }
}
