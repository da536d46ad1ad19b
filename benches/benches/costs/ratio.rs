//! Ratios of two computations' times, as a measurement of criterion.

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Bencher, Throughput};
use std::time::{Duration, Instant};

/// How many times as long one computation takes as another. Both run in turns, so that other load and changes of clock
/// speed affect them equally. Timed one after the other, equal computations differ by up to 10% on a shared machine.
pub(crate) struct Ratio;

/// Measures how many times as long `computation` takes as `base`.
pub(crate) fn in_turns(
    bencher: &mut Bencher<'_, Ratio>,
    mut base: impl FnMut(),
    mut computation: impl FnMut(),
) {
    bencher.iter_custom(|iterations| {
        let (mut of_base, mut of_computation) = (Duration::ZERO, Duration::ZERO);
        for iteration in 0..iterations {
            // Each of the two goes first as often as the other.
            if iteration % 2 == 0 {
                of_base += timed(&mut base);
                of_computation += timed(&mut computation);
            } else {
                of_computation += timed(&mut computation);
                of_base += timed(&mut base);
            }
        }
        iterations as f64 * of_computation.as_secs_f64() / of_base.as_secs_f64()
    });
}

fn timed(computation: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    computation();
    start.elapsed()
}

impl Measurement for Ratio {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        unreachable!("`in_turns` takes the times itself")
    }

    fn add(&self, first: &f64, second: &f64) -> f64 {
        first + second
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, &value: &f64) -> f64 {
        value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Times
    }
}

/// Writes a ratio as `1.41 ×`.
struct Times;

impl ValueFormatter for Times {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "×"
    }

    fn scale_throughputs(&self, _typical: f64, _per: &Throughput, _values: &mut [f64]) -> &'static str {
        "×"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "×"
    }
}
