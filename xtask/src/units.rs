//! Numbers for people.

/// A time with three digits: `1.23 ms`.
pub(crate) fn time(seconds: f64) -> String {
    let (scaled, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    format!("{} {unit}", three_digits(scaled))
}

/// A size: `64 MiB`.
pub(crate) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut scaled, mut unit) = (bytes, 0);
    while scaled >= 1000.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(scaled), UNITS[unit])
}

pub(crate) fn three_digits(x: f64) -> String {
    match x {
        x if x >= 99.95 || x == 0.0 => format!("{x:.0}"),
        x if x >= 9.995 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        assert_eq!(time(0.001234), "1.23 ms");
        assert_eq!(time(123.4), "123 s");
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(64.0 * 1024.0 * 1024.0), "64.0 MiB");
    }
}
