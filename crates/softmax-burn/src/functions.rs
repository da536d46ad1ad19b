//! Functions that graphics devices compute too inaccurately in f32. Vulkan allows an error of 3 + 2|x| ulp for exp(x),
//! so drivers compute it as 2 to the power of a rounded product. It allows tanh the errors that follow from exp, and a
//! logarithm near 0 an absolute error of 2⁻²¹. On Flex, and in f64, these functions are Burn's own.

use crate::place::is_flex;
use burn::tensor::{DType, Int, Tensor, TensorData};

fn has_its_own(x: &Tensor<2>) -> bool {
    is_flex(&x.device()) || x.dtype() != DType::F32
}

/// exp(x), computed as 2ᵏ·exp(r), where k is the integer nearest to x·log₂e, and |r| = |x − k·log 2| is at most 0.35.
pub(crate) fn exp(x: Tensor<2>) -> Tensor<2> {
    if has_its_own(&x) {
        return x.exp();
    }
    // log 2 in two parts. The first has few enough digits that its product with k is exact.
    const LOG_2: [f64; 2] = [0.693_359_375, -2.121_944_400_546_905_8e-4];
    // Beyond this range exp(r) itself is 0 or ∞. A NaN stays in r.
    let k = (x.clone() * std::f64::consts::LOG2_E).round().clamp(-126.0, 127.0);
    let r = x - k.clone() * LOG_2[0] - k.clone() * LOG_2[1];
    // A table, because a device's own powers of 2 may be inexact.
    let powers: Vec<f32> = (-126..128).map(|k| 2.0f32.powi(k)).collect();
    let powers = Tensor::<1>::from_data(TensorData::new(powers, [254]), (&r.device(), DType::F32));
    let place: Tensor<1, Int> = (k + 126.0).int().flatten(0, 1);
    r.clone().exp() * powers.select(0, place).reshape(r.dims())
}

/// tanh(x): sinh/cosh by their series for |x| up to 0.7, from exp(−2|x|) elsewhere.
pub(crate) fn tanh(x: Tensor<2>) -> Tensor<2> {
    if has_its_own(&x) {
        return x.tanh();
    }
    let square = x.clone() * x.clone();
    let series = |terms: [f64; 6]| {
        let [last, rest @ ..] = terms;
        let last = square.zeros_like() + last;
        rest.into_iter().fold(last, |sum, term| sum * square.clone() + term)
    };
    let sinh =
        series([1.0 / 39_916_800.0, 1.0 / 362_880.0, 1.0 / 5040.0, 1.0 / 120.0, 1.0 / 6.0, 1.0]) * x.clone();
    let cosh = series([1.0 / 3_628_800.0, 1.0 / 40_320.0, 1.0 / 720.0, 1.0 / 24.0, 0.5, 1.0]);
    let e = exp(x.clone().abs() * -2.0);
    let far = (e.clone() * -1.0 + 1.0) / (e + 1.0) * x.clone().sign();
    (sinh / cosh).mask_where(x.abs().greater_elem(0.7), far)
}

/// log(1 + x) for x ≥ 0.
pub(crate) fn log1p(x: Tensor<2>) -> Tensor<2> {
    if has_its_own(&x) {
        return x.log1p();
    }
    // 2·artanh(z) with z = x/(2 + x), by its series z + z³/3 + z⁵/5 + …: up to x = 1 each term is at most a ninth of
    // the last.
    const TERMS: usize = 9;
    let coefficient = |k: usize| 1.0 / (2 * k + 1) as f64;
    let z = x.clone() / (x.clone() + 2.0);
    let square = z.clone() * z.clone();
    let last = square.zeros_like() + coefficient(TERMS);
    let sum = (0..TERMS).rev().fold(last, |sum, k| sum * square.clone() + coefficient(k));
    let large = (x.clone() + 1.0).log();
    (z * sum * 2.0).mask_where(x.greater_elem(1.0), large)
}
