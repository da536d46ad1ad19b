//! Errors in units in the last place, for the tests.

/// The error of `found` against the exact value, in ulps of the nearest f32. If the exact value exceeds the largest
/// f32, only infinity is right.
pub(crate) fn ulps_f32(found: f32, exact: f64) -> f64 {
    if exact > f64::from(f32::MAX) {
        return if found == f32::INFINITY { 0.0 } else { f64::INFINITY };
    }
    let near = exact as f32;
    let spacing = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
    (f64::from(found) - exact).abs() / spacing
}

/// The difference of two f64, in ulps of the second.
pub(crate) fn ulps_f64(found: f64, near: f64) -> f64 {
    if found == near {
        return 0.0;
    }
    (found - near).abs() / (f64::from_bits(near.to_bits() + 1) - near)
}
