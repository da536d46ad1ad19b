//! κ·tanh(s/κ) and its slope, from the crate's own exponential: the `tanh` of the system's library gives different bits
//! on different systems.

use crate::kernel::level::FusedElement;

/// Below this |z| tanh is a quotient of polynomials. Above it the exponential gives tanh without cancellation.
const SMALL: f64 = 0.35;

/// tanh z for |z| < [`SMALL`]: Lambert's continued fraction, cut after its seventh part. The error is below 2⁻⁵⁸.
#[inline(always)]
fn of_small<T: FusedElement>(z: T) -> T {
    let (a, number) = (z * z, T::narrow);
    let top = number(135_135.0) + a * (number(17_325.0) + a * (number(378.0) + a));
    let bottom = number(135_135.0) + a * (number(62_370.0) + a * (number(3150.0) + a * number(28.0)));
    z * (top / bottom)
}

/// Replaces scores by capped scores and writes the slopes 1 − tanh². ±∞ gives ±κ with a slope of 0.
#[inline(always)]
pub(crate) fn cap_scores<T: FusedElement>(cap: T, scores: &mut [T], slopes: &mut [T]) {
    for (s, slope) in scores.iter_mut().zip(&mut *slopes) {
        *s /= cap;
        *slope = -(s.abs() + s.abs());
    }
    T::exp_in_place(slopes);
    for (s, slope) in scores.iter_mut().zip(slopes) {
        let (z, e) = (*s, *slope);
        let sum = T::one() + e;
        let of_large = ((T::one() - e) / sum).copysign(z);
        let tanh = if z.abs() < T::narrow(SMALL) { of_small(z) } else { of_large };
        *s = cap * tanh;
        // 1 − tanh² as 4e/(1 + e)², which has no cancellation.
        *slope = (e + e + e + e) / (sum * sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ulps::ulps_f64;

    #[test]
    fn capped_scores_are_at_most_4_ulp_off() {
        let points = (-4000..=4000).map(|k| f64::from(k) * 0.0051).chain([1e-12, -1e-12, 1e-30, 700.0]);
        for z in points {
            let (mut s, mut slope) = ([z], [0.0]);
            cap_scores(1.0, &mut s, &mut slope);
            assert!(ulps_f64(s[0], z.tanh()) <= 4.0, "tanh {z}: {} and not {}", s[0], z.tanh());
            let expected = z.cosh().powi(-2);
            assert!((slope[0] - expected).abs() <= 1e-14 * expected, "{z}: {} and not {expected}", slope[0]);
            let single = z as f32;
            let (mut s, mut slope) = ([single], [0.0]);
            cap_scores(1.0, &mut s, &mut slope);
            let expected = f64::from(single).tanh();
            assert!((f64::from(s[0]) - expected).abs() <= 3e-7 * expected.abs(), "tanh {single}: {}", s[0]);
        }
    }

    #[test]
    fn infinite_scores_are_capped_with_a_slope_of_0() {
        let (mut s, mut slopes) = ([f32::INFINITY, f32::NEG_INFINITY, f32::NAN], [1.0; 3]);
        cap_scores(5.0, &mut s, &mut slopes);
        assert_eq!((s[0], s[1], slopes[0], slopes[1]), (5.0, -5.0, 0.0, 0.0));
        assert!(s[2].is_nan() && slopes[2].is_nan());
    }
}
