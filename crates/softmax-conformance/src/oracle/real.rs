//! The two arithmetics of the oracle: `f64`, and double-double with about 31 digits.

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::OnceLock;
use twofloat::TwoFloat;

/// The arithmetic of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Double-double: about 31 digits.
    DoubleDouble,
    /// f64, for f32 problems that are too large for double-double.
    Double,
}

/// The arithmetic that the oracle needs.
pub(crate) trait Real:
    Copy
    + Send
    + Sync
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The name of this arithmetic in a reference.
    const PRECISION: Precision;

    /// The nearest `f64`.
    fn value(self) -> f64;

    /// sum_j += a·b_j. In double-double, a sum that is not finite becomes NaN.
    fn add_scaled(sums: &mut [Self], a: f64, b: &[f64]);

    /// sum_j += a·b_j. In double-double, a sum that is not finite becomes NaN.
    fn add_scaled_reals(sums: &mut [Self], a: f64, b: &[Self]);

    fn exp(self) -> Self;

    /// log(1 + self) for self ≥ 0.
    fn ln_1p(self) -> Self;

    fn tanh(self) -> Self;

    /// 1 − tanh², without cancellation.
    fn sech_squared(self) -> Self;

    fn zero() -> Self {
        Self::from(0.0)
    }
}

impl Real for f64 {
    const PRECISION: Precision = Precision::Double;

    fn value(self) -> f64 {
        self
    }

    fn add_scaled(sums: &mut [f64], a: f64, b: &[f64]) {
        for (sum, &b) in sums.iter_mut().zip(b) {
            *sum += a * b;
        }
    }

    fn add_scaled_reals(sums: &mut [f64], a: f64, b: &[f64]) {
        Self::add_scaled(sums, a, b);
    }

    fn exp(self) -> f64 {
        f64::exp(self)
    }

    fn ln_1p(self) -> f64 {
        f64::ln_1p(self)
    }

    fn tanh(self) -> f64 {
        f64::tanh(self)
    }

    fn sech_squared(self) -> f64 {
        let e = (-2.0 * self.abs()).exp();
        4.0 * e / ((1.0 + e) * (1.0 + e))
    }
}

/// A double-double number. A result that is not finite is the IEEE result of `f64`, where plain double-double
/// arithmetic would give NaN.
///
/// `twofloat` computes sums and products. Division and the transcendental functions are implemented here, because those
/// of `twofloat` 0.8.4 are not accurate enough: 1/3 is off by 6e-17, and `exp(-1)` by 9e-12.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoubleDouble(TwoFloat);

impl DoubleDouble {
    const LN_2: (f64, f64) = (std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);

    fn finite_or(exact: TwoFloat, ieee: f64) -> Self {
        if ieee.is_finite() && exact.hi().is_finite() && exact.lo().is_finite() {
            DoubleDouble(exact)
        } else {
            DoubleDouble::from(ieee)
        }
    }

    /// exp(self) − 1 for |self| < 0.4, with full relative accuracy.
    fn exp_m1_reduced(self) -> Self {
        const HALVINGS: i32 = 5;
        // |r| < 0.0125, so the first term that is left out, the 14th, is below 1e-35 of the first. Those from the 8th on
        // are below 2e-18 of it, so the rounding of f64 in them is below 1e-33.
        const IN_FULL: usize = 7;
        let r = self.0 * 0.5f64.powi(HALVINGS);
        let (terms, small) = inverse_factorials().split_at(IN_FULL);
        let small = small.iter().rev().fold(0.0, |sum, term| sum * r.hi() + term.hi());
        let sum = terms.iter().rev().fold(TwoFloat::from(small), |sum, &term| sum * r + term);
        let mut e = sum * r;
        for _ in 0..HALVINGS {
            e = e * 2.0 + e * e;
        }
        DoubleDouble(e)
    }
}

/// 1/n! for n from 1 to 13.
fn inverse_factorials() -> &'static [TwoFloat; 13] {
    static TERMS: OnceLock<[TwoFloat; 13]> = OnceLock::new();
    TERMS.get_or_init(|| {
        let mut term = TwoFloat::from(1.0);
        std::array::from_fn(|k| {
            term = divide(term, (k as f64 + 1.0).into());
            term
        })
    })
}

/// a/b by long division, in three steps of f64.
fn divide(a: TwoFloat, b: TwoFloat) -> TwoFloat {
    let first = a.hi() / b.hi();
    let rest = a - b * first;
    let second = rest.hi() / b.hi();
    let rest = rest - b * second;
    TwoFloat::new_add(first, second) + rest.hi() / b.hi()
}

impl From<f64> for DoubleDouble {
    fn from(value: f64) -> Self {
        DoubleDouble(TwoFloat::from(value))
    }
}

impl Add for DoubleDouble {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::finite_or(self.0 + other.0, self.value() + other.value())
    }
}

impl Sub for DoubleDouble {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::finite_or(self.0 - other.0, self.value() - other.value())
    }
}

impl Mul for DoubleDouble {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::finite_or(self.0 * other.0, self.value() * other.value())
    }
}

impl Div for DoubleDouble {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        Self::finite_or(divide(self.0, other.0), self.value() / other.value())
    }
}

impl Neg for DoubleDouble {
    type Output = Self;
    fn neg(self) -> Self {
        DoubleDouble(-self.0)
    }
}

impl Real for DoubleDouble {
    const PRECISION: Precision = Precision::DoubleDouble;

    fn value(self) -> f64 {
        self.0.hi()
    }

    fn add_scaled(sums: &mut [Self], a: f64, b: &[f64]) {
        for (sum, &b) in sums.iter_mut().zip(b) {
            sum.0 += TwoFloat::new_mul(a, b);
        }
    }

    fn add_scaled_reals(sums: &mut [Self], a: f64, b: &[Self]) {
        for (sum, b) in sums.iter_mut().zip(b) {
            sum.0 += b.0 * a;
        }
    }

    fn exp(self) -> Self {
        let x = self.value();
        // Outside this range the accuracy of f64 is enough: the result is 0, infinite, NaN, or at the limits of f64.
        if !(x > -745.0 && x < 709.0) {
            return Self::from(x.exp());
        }
        let k = (x / Self::LN_2.0).round();
        let reduced = self.0 - TwoFloat::new_mul(Self::LN_2.0, k) - TwoFloat::new_mul(Self::LN_2.1, k);
        let e = DoubleDouble(reduced).exp_m1_reduced().0 + 1.0;
        // In two steps, since 2^k alone may be subnormal.
        let half = 2f64.powi((k / 2.0) as i32);
        let rest = 2f64.powi(k as i32 - (k / 2.0) as i32);
        DoubleDouble(e * half * rest)
    }

    fn ln_1p(self) -> Self {
        let x = self.value();
        if !x.is_finite() {
            return Self::from(x.ln_1p());
        }
        if x < 0.05 {
            // 2·artanh(z) as a series: z² < 6.1e-4, so twelve terms reach 1e-36.
            let z = divide(self.0, self.0 + 2.0);
            let square = z * z;
            let mut sum = TwoFloat::from(0.0);
            for k in (1..=12).rev() {
                sum = (sum + divide(1.0.into(), f64::from(2 * k + 1).into())) * square;
            }
            return DoubleDouble((sum + 1.0) * z * 2.0);
        }
        // One Newton step on exp(y) = 1 + x doubles the digits of f64's logarithm.
        let y = Self::from(x.ln_1p());
        y + (self + Self::from(1.0)) * (-y).exp() - Self::from(1.0)
    }

    fn tanh(self) -> Self {
        let a = self.value().abs();
        if a.is_nan() || a > 40.0 {
            return Self::from(self.value().tanh());
        }
        let twice = if self.value() < 0.0 { -(self + self) } else { self + self };
        let m = if twice.value() < 0.35 { twice.exp_m1_reduced() } else { twice.exp() - Self::from(1.0) };
        let t = m / (m + Self::from(2.0));
        if self.value() < 0.0 { -t } else { t }
    }

    fn sech_squared(self) -> Self {
        let twice = if self.value() > 0.0 { -(self + self) } else { self + self };
        let e = twice.exp();
        let one = Self::from(1.0);
        Self::from(4.0) * e / ((one + e) * (one + e))
    }
}
