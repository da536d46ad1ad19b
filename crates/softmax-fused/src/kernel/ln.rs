//! ln(1 + x) for x ≥ 0 over slices, without branches, like `exp`.
//!
//! 1 + x = 2^k·(1 + f) with 1 + f in [√½, √2). The rounding error of the sum 1 + x, divided by the sum, is added back.
//! The polynomials are those of FreeBSD's msun (`s_log1p.c`, `s_log1pf.c`), with errors below 2^-58 and 2^-34.

/// The bits of 1, and of √½ rounded down so that the carry into the exponent is right.
const ONE_F32: u32 = 0x3f80_0000;
const ROOT_F32: u32 = 0x3f35_04f3;
const ONE_F64: u64 = 0x3ff0_0000_0000_0000;
const ROOT_F64: u64 = 0x3fe6_a09e_0000_0000;

/// 2^52: from here on the low bits of an f64 count integers.
const COUNTER: f64 = 4_503_599_627_370_496.0;

#[inline(always)]
pub(crate) fn ln_1p_f32(values: &mut [f32]) {
    for value in values {
        let x = *value;
        let u = 1.0 + x;
        let shifted = u.to_bits().wrapping_add(ONE_F32 - ROOT_F32);
        let k = (shifted >> 23) as i32 - 127;
        let m = f32::from_bits((shifted & 0x007f_ffff) + ROOT_F32);
        let lost = if k > 1 { 1.0 - (u - x) } else { x - (u - 1.0) };
        let (f, lost) = if k == 0 { (x, 0.0) } else { (m - 1.0, lost / u) };
        let k = k as f32;
        let s = f / (2.0 + f);
        let z = s * s;
        let r = z * (0.666_666_6 + z * (0.400_009_72 + z * (0.284_987_87 + z * 0.242_790_79)));
        let half = 0.5 * f * f;
        // The first part of ln 2 has few bits, so that its products with k are exact.
        let small = s * (half + r) + (k * 9.058_001e-6 + lost);
        let result = small - half + f + k * 6.931_381e-1;
        *value = if x < f32::INFINITY { result } else { x };
    }
}

#[inline(always)]
pub(crate) fn ln_1p_f64(values: &mut [f64]) {
    for value in values {
        let x = *value;
        let u = 1.0 + x;
        let shifted = u.to_bits().wrapping_add(ONE_F64 - ROOT_F64);
        // AVX2 has no instruction that converts a 64-bit integer to an f64, so the exponent is placed in the low bits
        // of 2^52.
        let k = f64::from_bits(COUNTER.to_bits() | (shifted >> 52)) - (COUNTER + 1023.0);
        let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff) + ROOT_F64);
        let lost = if k > 1.0 { 1.0 - (u - x) } else { x - (u - 1.0) };
        let (f, lost) = if k == 0.0 { (x, 0.0) } else { (m - 1.0, lost / u) };
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let even =
            w * (0.399_999_999_994_094_2 + w * (0.222_221_984_321_497_84 + w * 0.153_138_376_992_093_73));
        let odd = z
            * (0.666_666_666_666_673_5
                + w * (0.285_714_287_436_623_9
                    + w * (0.181_835_721_616_180_5 + w * 0.147_981_986_051_165_86)));
        let half = 0.5 * f * f;
        let small = s * (half + (even + odd)) + (k * 1.908_214_929_270_587_7e-10 + lost);
        let result = small - half + f + k * 6.931_471_803_691_238e-1;
        *value = if x < f64::INFINITY { result } else { x };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ulps::{ulps_f32, ulps_f64};

    #[test]
    fn f32_is_within_two_ulps_of_ln_1p() {
        let mut worst = (0.0, 0.0);
        let bits: Vec<u32> = (0..f32::INFINITY.to_bits()).step_by(61).collect();
        for batch in bits.chunks(1 << 12) {
            let x: Vec<f32> = batch.iter().map(|&b| f32::from_bits(b)).collect();
            let mut found = x.clone();
            ln_1p_f32(&mut found);
            for (&x, &found) in x.iter().zip(&found) {
                let error = ulps_f32(found, f64::from(x).ln_1p());
                worst = if error > worst.0 { (error, x) } else { worst };
            }
        }
        assert!(worst.0 <= 2.0, "{} ulp at {}", worst.0, worst.1);
    }

    #[test]
    fn f64_is_within_two_ulps_of_ln_1p() {
        // From 2^-60 to 2^70. The reference, the standard library's ln_1p, is itself accurate to one ulp.
        let x: Vec<f64> = (0..2_000_000).map(|k| (f64::from(k) * (130.0 / 2e6) - 60.0).exp2()).collect();
        let mut found = x.clone();
        ln_1p_f64(&mut found);
        for (&x, &found) in x.iter().zip(&found) {
            let near = x.ln_1p();
            assert!(ulps_f64(found, near) <= 1.0, "{found:e} for {near:e} at {x:e}");
        }
    }

    #[test]
    fn ln_1p_of_zero_subnormal_infinite_and_nan() {
        let mut x = [0.0, f32::from_bits(1), f32::MIN_POSITIVE, f32::INFINITY, f32::NAN];
        ln_1p_f32(&mut x);
        assert_eq!(x[..4], [0.0, f32::from_bits(1), f32::MIN_POSITIVE, f32::INFINITY]);
        assert!(x[4].is_nan());
        let mut x = [0.0, f64::from_bits(1), f64::MAX, f64::INFINITY, f64::NAN];
        ln_1p_f64(&mut x);
        assert_eq!(x[..2], [0.0, f64::from_bits(1)]);
        assert!((x[2] - f64::MAX.ln()).abs() <= 1.2e-13);
        assert_eq!(x[3], f64::INFINITY);
        assert!(x[4].is_nan());
    }
}
