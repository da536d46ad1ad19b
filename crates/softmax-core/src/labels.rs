use crate::views::View1;
use ndarray::{ArrayView1, Axis, Slice};
use std::ops::Range;

/// One label per sample (N), in one of several integer types. A label is a class from 0 to C−1, or the ignored value.
#[derive(Clone, Copy, Debug)]
pub enum Labels<'a> {
    /// Rust's index type.
    Usize(View1<'a, usize>),
    /// Unsigned bytes.
    U8(View1<'a, u8>),
    /// Unsigned 32-bit integers.
    U32(View1<'a, u32>),
    /// Signed 32-bit integers.
    I32(View1<'a, i32>),
    /// Signed 64-bit integers, as in PyTorch.
    I64(View1<'a, i64>),
}

/// Runs `$body` on the view, for each label type.
macro_rules! each_type {
    ($labels:expr, $view:ident => $body:expr) => {
        match $labels {
            Labels::Usize($view) => $body,
            Labels::U8($view) => $body,
            Labels::U32($view) => $body,
            Labels::I32($view) => $body,
            Labels::I64($view) => $body,
        }
    };
}

macro_rules! from_views {
    ($($variant:ident: $type:ty),+) => {$(
        impl<'a> From<ArrayView1<'a, $type>> for Labels<'a> {
            fn from(labels: ArrayView1<'a, $type>) -> Self {
                Labels::$variant(labels)
            }
        }

        impl<'a> From<&'a [$type]> for Labels<'a> {
            fn from(labels: &'a [$type]) -> Self {
                Labels::$variant(labels.into())
            }
        }
    )+};
}

from_views!(Usize: usize, U8: u8, U32: u32, I32: i32, I64: i64);

impl Labels<'_> {
    /// The number of samples N.
    pub fn len(&self) -> usize {
        each_type!(self, labels => labels.len())
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of sample `i` as stored.
    ///
    /// # Panics
    /// If `i` is out of range.
    pub fn value(&self, i: usize) -> i128 {
        each_type!(self, labels => labels[i] as i128)
    }

    /// The label of sample `i` as a class. `None` if it equals `ignored` or is negative.
    #[inline]
    pub(crate) fn class(&self, i: usize, ignored: Option<i64>) -> Option<usize> {
        let label = self.value(i);
        if ignored.map(i128::from) == Some(label) { None } else { usize::try_from(label).ok() }
    }

    /// The labels of a range of samples.
    ///
    /// # Panics
    /// If `samples` is out of range.
    #[must_use]
    pub fn range(&self, samples: Range<usize>) -> Self {
        let range = Slice::from(samples);
        match *self {
            Labels::Usize(labels) => Labels::Usize(labels.slice_axis_move(Axis(0), range)),
            Labels::U8(labels) => Labels::U8(labels.slice_axis_move(Axis(0), range)),
            Labels::U32(labels) => Labels::U32(labels.slice_axis_move(Axis(0), range)),
            Labels::I32(labels) => Labels::I32(labels.slice_axis_move(Axis(0), range)),
            Labels::I64(labels) => Labels::I64(labels.slice_axis_move(Axis(0), range)),
        }
    }
}
