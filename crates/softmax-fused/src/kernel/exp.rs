//! e^x over slices, without branches, so that the compiler vectorises it for the instruction set that it is inlined
//! into.
//!
//! x = k·ln 2 + r with |r| ≤ ln 2 / 2. ln 2 is split in two parts, so that the error of r is negligible. A polynomial
//! gives e^r. 2^k is the product of two factors, since 2^k itself may be subnormal or overflow where the result does
//! not.

/// Adding and subtracting this number rounds to an integer. The low bits of the sum hold that integer.
const ROUND_F32: f32 = 12_582_912.0;
const ROUND_F64: f64 = 6_755_399_441_055_744.0;

/// 2^k, where the low bits of `k` hold the integer.
#[inline(always)]
fn power_f32(k: i32) -> f32 {
    f32::from_bits(((k + 127) as u32) << 23)
}

#[inline(always)]
fn power_f64(k: i64) -> f64 {
    f64::from_bits(((k + 1023) as u64) << 52)
}

#[inline(always)]
pub(crate) fn exp_f32(values: &mut [f32]) {
    for x in values {
        // The bounds keep k in range. Beyond them the result is 0 or infinite. NaN passes through.
        let bounded = if *x < -104.0 { -104.0 } else { *x };
        let bounded = if bounded > 89.0 { 89.0 } else { bounded };
        let sum = bounded * std::f32::consts::LOG2_E + ROUND_F32;
        let k = sum - ROUND_F32;
        // The first part of ln 2 has 9 bits, so that its products with k are exact.
        let r = (bounded - k * 0.693_359_4) - k * -2.121_944_4e-4;
        let mut p = 1.987_569_1e-4;
        p = p * r + 1.398_199_9e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 1.666_666_6e-1;
        p = p * r + 0.5;
        let e = (p * (r * r) + r) + 1.0;
        let k = (sum.to_bits() as i32).wrapping_sub(ROUND_F32.to_bits() as i32);
        let half = k >> 1;
        *x = e * power_f32(half) * power_f32(k - half);
    }
}

#[inline(always)]
pub(crate) fn exp_f64(values: &mut [f64]) {
    for x in values {
        let bounded = if *x < -746.0 { -746.0 } else { *x };
        let bounded = if bounded > 710.0 { 710.0 } else { bounded };
        let sum = bounded * std::f64::consts::LOG2_E + ROUND_F64;
        let k = sum - ROUND_F64;
        // The first part of ln 2 has 32 bits, so that its products with k are exact.
        let r = (bounded - k * 6.931_471_803_691_238e-1) - k * 1.908_214_929_270_587_7e-10;
        // Taylor series to r^13: the next term is below 2^-58 of the sum.
        let mut p = 1.0 / 6_227_020_800.0;
        p = p * r + 1.0 / 479_001_600.0;
        p = p * r + 1.0 / 39_916_800.0;
        p = p * r + 1.0 / 3_628_800.0;
        p = p * r + 1.0 / 362_880.0;
        p = p * r + 1.0 / 40_320.0;
        p = p * r + 1.0 / 5_040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        let e = (p * (r * r) + r) + 1.0;
        let k = (sum.to_bits() as i64).wrapping_sub(ROUND_F64.to_bits() as i64);
        let half = k >> 1;
        *x = e * power_f64(half) * power_f64(k - half);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ulps::{ulps_f32, ulps_f64};
    use rayon::prelude::*;

    /// e^x for an f32. Six of seven are so small or so large that the result is known without the standard library's
    /// exponential, which would take half of the test's time.
    fn e_to_the(x: f32) -> f64 {
        let x = f64::from(x);
        if x.abs() < 1e-9 {
            // The next term of the series, x²/2, is below the roundoff of f64.
            1.0 + x
        } else if x > 104.0 {
            // Overflows in f32.
            f64::INFINITY
        } else if x < -104.0 {
            // Less than half of the smallest f32.
            0.0
        } else {
            x.exp()
        }
    }

    /// The worst error in ulps over every finite f32, or every `step`-th, and the argument where it occurs.
    fn worst_of_f32(step: usize) -> (f64, f32) {
        const BATCH: u32 = 1 << 12;
        let batches = (0..f32::INFINITY.to_bits()).into_par_iter().step_by((BATCH as usize) * step);
        let errors = batches.flat_map_iter(|first| {
            let x = (first..(first + BATCH).min(f32::INFINITY.to_bits()))
                .flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]);
            let mut found: Vec<f32> = x.clone().collect();
            exp_f32(&mut found);
            x.zip(found).map(|(x, found)| (ulps_f32(found, e_to_the(x)), x))
        });
        errors.reduce(|| (0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    }

    #[test]
    fn every_f32_is_within_two_ulps_of_e_to_the_x() {
        // A debug build is too slow for all 4.3e9 values: it tests every thousandth.
        let (error, at) = worst_of_f32(if cfg!(debug_assertions) { 1000 } else { 1 });
        println!("{error} ulp at {at}");
        assert!(error <= 2.0, "{error} ulp at {at}");
    }

    #[test]
    fn f64_is_within_two_ulps_of_e_to_the_x() {
        // The reference, the standard library's exp, is itself accurate to one ulp.
        let mut x: Vec<f64> = (0..2_000_000).map(|k| -746.0 + f64::from(k) * (1455.0 / 2e6)).collect();
        x.extend((0..400).map(|k| 2f64.powi(-k)));
        let mut found = x.clone();
        exp_f64(&mut found);
        for (&x, &found) in x.iter().zip(&found) {
            let near = x.exp();
            assert!(ulps_f64(found, near) <= 1.0, "{found:e} for {near:e} at {x}");
        }
    }

    #[test]
    fn exp_of_infinities_nan_and_subnormal_results() {
        let mut x = [f32::NEG_INFINITY, -1e30, -104.5, 0.0, -0.0, 89.5, 1e30, f32::INFINITY, f32::NAN];
        exp_f32(&mut x);
        let infinite = f32::INFINITY;
        assert_eq!(x[..8], [0.0, 0.0, 0.0, 1.0, 1.0, infinite, infinite, infinite]);
        assert!(x[8].is_nan());
        let mut x = [f64::NEG_INFINITY, -1e300, -746.5, 0.0, 711.0, f64::INFINITY, f64::NAN];
        exp_f64(&mut x);
        assert_eq!(x[..6], [0.0, 0.0, 0.0, 1.0, f64::INFINITY, f64::INFINITY]);
        assert!(x[6].is_nan());
    }
}
