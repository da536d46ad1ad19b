use crate::names::names;
use ndarray::NdFloat;
use zerocopy::{FromBytes, IntoBytes};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The two element types of computations and outputs: `f32` and `f64`. Sealed.
pub trait Element: sealed::Sealed + NdFloat + Default + std::iter::Sum {
    /// This type as a run-time value.
    const DTYPE: Dtype;

    /// The value as an `f64`, exactly.
    fn widen(self) -> f64;

    /// The value of this type nearest to `value`.
    fn narrow(value: f64) -> Self;

    /// Reinterprets `bytes` in native byte order as numbers. `None` if the length is not a multiple of the element size
    /// or the address is misaligned.
    fn of_bytes(bytes: &[u8]) -> Option<&[Self]>;

    /// The bytes of `numbers`, in native byte order.
    fn as_bytes(numbers: &[Self]) -> &[u8];
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;

    #[inline]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn narrow(value: f64) -> Self {
        value as f32
    }

    fn of_bytes(bytes: &[u8]) -> Option<&[Self]> {
        FromBytes::ref_from_bytes(bytes).ok()
    }

    fn as_bytes(numbers: &[Self]) -> &[u8] {
        IntoBytes::as_bytes(numbers)
    }
}

impl Element for f64 {
    const DTYPE: Dtype = Dtype::F64;

    #[inline]
    fn widen(self) -> f64 {
        self
    }

    #[inline]
    fn narrow(value: f64) -> Self {
        value
    }

    fn of_bytes(bytes: &[u8]) -> Option<&[Self]> {
        FromBytes::ref_from_bytes(bytes).ok()
    }

    fn as_bytes(numbers: &[Self]) -> &[u8] {
        IntoBytes::as_bytes(numbers)
    }
}

/// An element type as a run-time value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Dtype {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

names!(Dtype, "element type", F32 => "f32", F64 => "f64");

impl Dtype {
    /// The unit roundoff u: 2⁻²⁴ or 2⁻⁵³, half the distance from 1 to the next number.
    pub const fn unit_roundoff(self) -> f64 {
        match self {
            Dtype::F32 => f32::EPSILON as f64 / 2.0,
            Dtype::F64 => f64::EPSILON / 2.0,
        }
    }

    /// The smallest positive normal number, below which results lose relative accuracy.
    pub const fn min_positive(self) -> f64 {
        match self {
            Dtype::F32 => f32::MIN_POSITIVE as f64,
            Dtype::F64 => f64::MIN_POSITIVE,
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }
}
