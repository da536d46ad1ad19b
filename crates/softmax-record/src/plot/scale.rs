//! Logarithmic scales.

/// A logarithmic map of values from `low` to `high` to pixels from `from` to `to`.
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Scale {
    /// A scale from the smallest to the largest of the values that are positive and finite.
    pub(super) fn around(values: impl Iterator<Item = f64>, (from, to): (i32, i32)) -> Self {
        let values = values.filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Scale { low: 1.0, high: 10.0, from, to };
        }
        let high = if high > low * 1.001 { high } else { low * 2.0 };
        Scale { low, high, from, to }
    }

    /// A scale of whole decades around the values, at least one.
    pub(super) fn decades(values: impl Iterator<Item = f64>, pixels: (i32, i32)) -> Self {
        let scale = Scale::around(values, pixels);
        let low = scale.low.log10().floor();
        let high = scale.high.log10().ceil().max(low + 1.0);
        Scale { low: 10f64.powf(low), high: 10f64.powf(high), ..scale }
    }

    /// The pixel at which the scale begins.
    pub(super) fn start(&self) -> i32 {
        self.from
    }

    /// The pixel of a value. Values beyond an end, including 0, are at that end. NaN is at the high end.
    pub(super) fn place(&self, value: f64) -> i32 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// Some powers of ten, at most four.
    pub(super) fn powers_of_ten(&self) -> impl Iterator<Item = f64> {
        powers(10.0, self.low.log10().round(), self.high.log10().round(), 4)
    }

    /// At least two ticks: powers of two if `is_binary`, else round numbers. If there are fewer, the ends of the scale.
    pub(super) fn ticks(&self, is_binary: bool) -> Vec<f64> {
        let ticks: Vec<f64> =
            if is_binary { self.powers_of_two().collect() } else { self.round_numbers().collect() };
        if ticks.len() > 1 { ticks } else { [self.low, self.high].map(to_three_digits).to_vec() }
    }

    /// Some powers of two, at most five.
    fn powers_of_two(&self) -> impl Iterator<Item = f64> {
        powers(2.0, self.low.log2().ceil(), self.high.log2().floor(), 5)
    }

    /// Powers of ten, with round numbers between them if the range is short.
    fn round_numbers(&self) -> impl Iterator<Item = f64> {
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let steps: &[f64] = match self.high / self.low {
            range if range < 5.0 => &[1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0],
            range if range < 100.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        all.filter(|number| (self.low * 0.999..=self.high * 1.001).contains(number))
    }
}

/// At most `steps` evenly spaced powers of `base`, from the exponent `low` up to `high`.
fn powers(base: f64, low: f64, high: f64, steps: i32) -> impl Iterator<Item = f64> {
    let (low, high) = (low as i32, high as i32);
    (low..=high).step_by(((high - low).max(0) / steps + 1) as usize).map(move |power| base.powi(power))
}

/// The number with three significant digits, for a label.
fn to_three_digits(number: f64) -> f64 {
    format!("{number:.2e}").parse().expect("a number that was just formatted")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale_of(low: f64, high: f64) -> Scale {
        Scale::around([low, high].into_iter(), (0, 1))
    }

    #[test]
    fn a_scale_has_its_ends_and_round_ticks() {
        let scale = Scale::around([0.003, 0.9].into_iter(), (100, 0));
        assert_eq!((scale.place(0.003), scale.place(0.9), scale.place(0.0)), (100, 0, 100));
        assert_eq!(scale.place(f64::NAN), 0);
        assert_eq!(scale.round_numbers().collect::<Vec<_>>(), [0.01, 0.1]);
        let scale = Scale::around([3.0, 60.0].into_iter(), (0, 1));
        assert_eq!(scale.round_numbers().collect::<Vec<_>>(), [5.0, 10.0, 20.0, 50.0]);
        assert_eq!(scale.powers_of_two().collect::<Vec<_>>(), [4.0, 8.0, 16.0, 32.0]);
        assert_eq!(Scale::around([0.0].into_iter(), (0, 1)).place(5.0), 1);
        assert_eq!(scale_of(2.98765, 3.3).ticks(false), [2.99, 3.3]);
        assert_eq!(scale_of(3.0, 60.0).ticks(true), [4.0, 8.0, 16.0, 32.0]);
        let scale = Scale::decades([0.003, 0.9].into_iter(), (0, 30));
        assert_eq!((scale.place(1e-3), scale.place(1e-2), scale.place(1.0)), (0, 10, 30));
        assert_eq!(scale.powers_of_ten().count(), 4);
    }
}
