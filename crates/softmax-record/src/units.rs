//! Formats numbers with their units for display.

/// A time with three digits: `1.23 ms`.
pub fn seconds(seconds: f64) -> String {
    let (scaled, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{} {unit}", three_digits(scaled))
}

/// A size with three digits: `1.23 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut scaled, mut unit) = (bytes as f64 / 1024.0, 0);
    while scaled >= 1000.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(scaled), UNITS[unit])
}

/// A loss with seven digits: `2.303788`, or `1.234567e20`.
pub fn loss(loss: f64) -> String {
    if loss.is_finite() && loss.abs() >= 1e12 {
        return format!("{loss:.6e}");
    }
    let whole = loss.abs().log10().floor().clamp(0.0, 6.0) as usize;
    format!("{loss:.*}", 6 - whole)
}

/// An error: `0`, or two digits and an exponent.
pub fn error(error: f64) -> String {
    if error == 0.0 { "0".to_owned() } else { format!("{error:.1e}") }
}

/// A factor: `12.3×`.
pub fn factor(factor: f64) -> String {
    format!("{}×", three_digits(factor))
}

/// A share: `67%`.
pub fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

/// A number of threads: `1 thread`, `2 threads`.
pub fn threads(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

/// Three significant digits, or all digits before the point: `1.23`, `1234`.
pub fn three_digits(x: f64) -> String {
    match x {
        x if x >= 99.95 => format!("{x:.0}"),
        x if x >= 9.995 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(seconds(0.001234), "1.23 ms");
        assert_eq!(seconds(12.34), "12.3 s");
        assert_eq!(seconds(9.9999e-5), "100 µs");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(64 << 20), "64.0 MiB");
        assert_eq!(factor(123.4), "123×");
        assert_eq!(loss(2.3037876), "2.303788");
        assert_eq!(loss(4137.7937), "4137.794");
        assert_eq!(loss(0.0), "0.000000");
        assert_eq!(loss(1.5e300), "1.500000e300");
        assert_eq!(error(0.0), "0");
        assert_eq!(error(1.26e-7), "1.3e-7");
        assert_eq!((threads(1), threads(2)), ("1 thread".to_owned(), "2 threads".to_owned()));
    }
}
