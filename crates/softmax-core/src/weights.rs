use crate::element::Element;
use crate::error::{Error, Result};
use crate::support::Feature;
use crate::views::View2;
use half::{bf16, f16};
use ndarray::{ArrayView2, Axis, CowArray, Ix2, Slice};
use std::ops::Range;

/// W (D×C) in its storage and any memory order; PyTorch's C×D is the transpose. Half-precision numbers are exactly
/// representable in `T`.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a, T> {
    /// Numbers of the element type.
    Dense(View2<'a, T>),
    /// IEEE 754 binary16.
    F16(View2<'a, f16>),
    /// bfloat16: the upper half of a binary32.
    Bf16(View2<'a, bf16>),
}

impl<'a, T: Element> From<ArrayView2<'a, T>> for Weights<'a, T> {
    fn from(weights: ArrayView2<'a, T>) -> Self {
        Weights::Dense(weights)
    }
}

impl<'a, T: Element> From<ArrayView2<'a, f16>> for Weights<'a, T> {
    fn from(weights: ArrayView2<'a, f16>) -> Self {
        Weights::F16(weights)
    }
}

impl<'a, T: Element> From<ArrayView2<'a, bf16>> for Weights<'a, T> {
    fn from(weights: ArrayView2<'a, bf16>) -> Self {
        Weights::Bf16(weights)
    }
}

impl<'a, T: Element> Weights<'a, T> {
    /// (D, C).
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Weights::Dense(w) => w.dim(),
            Weights::F16(w) => w.dim(),
            Weights::Bf16(w) => w.dim(),
        }
    }

    /// The weights of a range of classes.
    ///
    /// # Panics
    /// If `classes` is out of range.
    #[must_use]
    pub fn classes(&self, classes: Range<usize>) -> Self {
        let range = Slice::from(classes);
        match self {
            Weights::Dense(w) => Weights::Dense(w.slice_axis_move(Axis(1), range)),
            Weights::F16(w) => Weights::F16(w.slice_axis_move(Axis(1), range)),
            Weights::Bf16(w) => Weights::Bf16(w.slice_axis_move(Axis(1), range)),
        }
    }

    /// The feature that a backend needs for this storage; `None` for an array of `T`.
    pub fn storage(&self) -> Option<Feature> {
        self.dense_or_storage().err()
    }

    fn dense_or_storage(&self) -> Result<ArrayView2<'a, T>, Feature> {
        match self {
            Weights::Dense(w) => Ok(*w),
            Weights::F16(_) => Err(Feature::F16Weights),
            Weights::Bf16(_) => Err(Feature::Bf16Weights),
        }
    }

    /// The dense array, for a backend that supports no other storage.
    ///
    /// # Errors
    /// [`Error::Unsupported`], which names `backend`.
    pub fn dense(&self, backend: &str) -> Result<ArrayView2<'a, T>> {
        self.dense_or_storage().map_err(|feature| Error::Unsupported { backend: backend.to_owned(), feature })
    }

    /// The entry of feature `k` and class `c`.
    ///
    /// # Panics
    /// If `k` or `c` is out of range.
    #[inline]
    pub fn at(&self, k: usize, c: usize) -> T {
        match self {
            Weights::Dense(w) => w[[k, c]],
            Weights::F16(w) => T::narrow(w[[k, c]].to_f64()),
            Weights::Bf16(w) => T::narrow(w[[k, c]].to_f64()),
        }
    }

    /// An array of `T`: the array itself, or a copy for any other storage.
    pub fn to_dense(&self) -> CowArray<'a, T, Ix2> {
        match self {
            Weights::Dense(w) => CowArray::from(*w),
            Weights::F16(w) => CowArray::from(w.mapv(|w| T::narrow(w.to_f64()))),
            Weights::Bf16(w) => CowArray::from(w.mapv(|w| T::narrow(w.to_f64()))),
        }
    }
}
