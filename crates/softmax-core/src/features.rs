use crate::csr::Csr;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::support::Feature;
use crate::views::View2;
use half::{bf16, f16};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2, Slice};
use std::ops::Range;

/// X (N×D) in its storage. Half-precision numbers are exactly representable in `T`, so a backend returns the same bits
/// as for the widened array.
///
/// A backend reads it [row by row](Self::row) in any storage, or requires an array of the element type with
/// [`dense`](Self::dense).
#[derive(Clone, Copy, Debug)]
pub enum Features<'a, T> {
    /// Numbers of the element type, in any memory order.
    Dense(View2<'a, T>),
    /// IEEE 754 binary16.
    F16(View2<'a, f16>),
    /// bfloat16: the upper half of a binary32.
    Bf16(View2<'a, bf16>),
    /// Compressed sparse rows.
    Csr(Csr<'a, T>),
}

impl<'a, T: Element> From<ArrayView2<'a, T>> for Features<'a, T> {
    fn from(features: ArrayView2<'a, T>) -> Self {
        Features::Dense(features)
    }
}

impl<'a, T: Element> From<ArrayView2<'a, f16>> for Features<'a, T> {
    fn from(features: ArrayView2<'a, f16>) -> Self {
        Features::F16(features)
    }
}

impl<'a, T: Element> From<ArrayView2<'a, bf16>> for Features<'a, T> {
    fn from(features: ArrayView2<'a, bf16>) -> Self {
        Features::Bf16(features)
    }
}

impl<'a, T: Element> From<Csr<'a, T>> for Features<'a, T> {
    fn from(features: Csr<'a, T>) -> Self {
        Features::Csr(features)
    }
}

impl<'a, T: Element> Features<'a, T> {
    /// (N, D).
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Features::Dense(x) => x.dim(),
            Features::F16(x) => x.dim(),
            Features::Bf16(x) => x.dim(),
            Features::Csr(x) => (x.n_rows(), x.n_columns()),
        }
    }

    /// The feature that a backend needs for this storage; `None` for a dense array of `T`.
    pub fn storage(&self) -> Option<Feature> {
        self.dense_or_storage().err()
    }

    fn dense_or_storage(&self) -> Result<ArrayView2<'a, T>, Feature> {
        match self {
            Features::Dense(x) => Ok(*x),
            Features::F16(_) => Err(Feature::F16Features),
            Features::Bf16(_) => Err(Feature::Bf16Features),
            Features::Csr(_) => Err(Feature::CsrFeatures),
        }
    }

    /// The dense array, for a backend that supports no other storage.
    ///
    /// # Errors
    /// [`Error::Unsupported`], which names `backend`.
    pub fn dense(&self, backend: &str) -> Result<ArrayView2<'a, T>> {
        self.dense_or_storage().map_err(|feature| Error::Unsupported { backend: backend.to_owned(), feature })
    }

    /// The stored entries of row `i`, in column order. Only CSR may store fewer than D.
    ///
    /// # Panics
    /// If `i` is out of range.
    pub fn row(&self, i: usize) -> FeatureRow<'a, T> {
        let entries = match self {
            Features::Dense(x) => Entries::Dense(x.index_axis_move(Axis(0), i)),
            Features::F16(x) => Entries::F16(x.index_axis_move(Axis(0), i)),
            Features::Bf16(x) => Entries::Bf16(x.index_axis_move(Axis(0), i)),
            Features::Csr(x) => {
                let (columns, values) = x.row(i);
                Entries::Csr(columns, values)
            }
        };
        FeatureRow { entries, next: 0 }
    }

    /// The features of a range of samples.
    ///
    /// # Panics
    /// If `rows` is out of range.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Self {
        match self {
            Features::Dense(x) => Features::Dense(slice_rows(*x, rows)),
            Features::F16(x) => Features::F16(slice_rows(*x, rows)),
            Features::Bf16(x) => Features::Bf16(slice_rows(*x, rows)),
            Features::Csr(x) => Features::Csr(x.rows(rows)),
        }
    }

    /// A dense array of `T`: the array itself, or a copy for any other storage.
    pub fn to_dense(&self) -> CowArray<'a, T, Ix2> {
        match self {
            Features::Dense(x) => CowArray::from(*x),
            Features::F16(x) => CowArray::from(x.mapv(|x| T::narrow(x.to_f64()))),
            Features::Bf16(x) => CowArray::from(x.mapv(|x| T::narrow(x.to_f64()))),
            Features::Csr(x) => {
                let mut dense = Array2::zeros((x.n_rows(), x.n_columns()));
                for i in 0..x.n_rows() {
                    self.row(i).for_each(|(k, value)| dense[[i, k]] = value);
                }
                CowArray::from(dense)
            }
        }
    }
}

fn slice_rows<A>(array: ArrayView2<'_, A>, rows: Range<usize>) -> ArrayView2<'_, A> {
    array.slice_axis_move(Axis(0), Slice::from(rows))
}

/// An iterator over the stored entries of one row of [`Features`], as pairs of column and value.
#[derive(Clone, Debug)]
pub struct FeatureRow<'a, T> {
    entries: Entries<'a, T>,
    next: usize,
}

#[derive(Clone, Debug)]
enum Entries<'a, T> {
    Dense(ArrayView1<'a, T>),
    F16(ArrayView1<'a, f16>),
    Bf16(ArrayView1<'a, bf16>),
    Csr(&'a [u32], &'a [T]),
}

impl<T: Element> Iterator for FeatureRow<'_, T> {
    type Item = (usize, T);

    #[inline]
    fn next(&mut self) -> Option<(usize, T)> {
        let k = self.next;
        self.next += 1;
        match &self.entries {
            Entries::Dense(row) => row.get(k).map(|&x| (k, x)),
            Entries::F16(row) => row.get(k).map(|x| (k, T::narrow(x.to_f64()))),
            Entries::Bf16(row) => row.get(k).map(|x| (k, T::narrow(x.to_f64()))),
            Entries::Csr(columns, values) => columns.get(k).map(|&column| (column as usize, values[k])),
        }
    }

    // Branches on the storage once per row, where `next` does for each entry.
    #[inline]
    fn fold<B, F: FnMut(B, (usize, T)) -> B>(self, init: B, f: F) -> B {
        let FeatureRow { entries, next } = self;
        match entries {
            Entries::Dense(row) => row.iter().copied().enumerate().skip(next).fold(init, f),
            Entries::F16(row) => {
                row.iter().map(|x| T::narrow(x.to_f64())).enumerate().skip(next).fold(init, f)
            }
            Entries::Bf16(row) => {
                row.iter().map(|x| T::narrow(x.to_f64())).enumerate().skip(next).fold(init, f)
            }
            Entries::Csr(columns, values) => {
                let columns = columns.iter().map(|&column| column as usize);
                columns.zip(values.iter().copied()).skip(next).fold(init, f)
            }
        }
    }
}
