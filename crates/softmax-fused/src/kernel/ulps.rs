//! Distances in units in the last place, for the tests.

/// The distance of `found` from the exact value, in units of the last place of the f32 next to it. Beyond the
/// largest f32 nothing but infinity will do.
pub(crate) fn ulps_f32(found: f32, exact: f64) -> f64 {
    if exact > f64::from(f32::MAX) {
        return if found == f32::INFINITY { 0.0 } else { f64::INFINITY };
    }
    let near = exact as f32;
    let spacing = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
    (f64::from(found) - exact).abs() / spacing
}

/// The distance of two f64, in units of the last place of the second.
pub(crate) fn ulps_f64(found: f64, near: f64) -> f64 {
    if found == near {
        return 0.0;
    }
    (found - near).abs() / (f64::from_bits(near.to_bits() + 1) - near)
}
