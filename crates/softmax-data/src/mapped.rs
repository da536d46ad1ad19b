//! Memory-mapped files: the system reads each page when it is first used.
#![allow(unsafe_code)]

use crate::elements::{ElementType, Order};
use crate::error::{DataError, Result};
use crate::source::open_regular;
use half::{bf16, f16};
use memmap2::Mmap;
use ndarray::{ArrayView2, Axis, ShapeBuilder, Slice};
use softmax_core::{Element, Features, ndarray};
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;
use zerocopy::FromBytes;

/// The bytes of a mapped file.
#[derive(Clone, Debug)]
pub(crate) struct MappedFile(Arc<Mmap>);

impl MappedFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = open_regular(path)?;
        // SAFETY: the mapping is private and read-only. Its bytes are read only as numbers, for which every bit
        // pattern is valid. A program that changes the file meanwhile changes numbers. One that truncates it
        // terminates this process with a signal, as it would for any program that maps files; the documentation of
        // `read` says so.
        let map =
            unsafe { Mmap::map(&file) }.map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        Ok(MappedFile(Arc::new(map)))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A matrix in a mapped file, with entries of type `T` or of half precision.
#[derive(Clone, Debug)]
pub struct MappedMatrix<T> {
    file: MappedFile,
    bytes: Range<usize>,
    element: ElementType,
    shape: (usize, usize),
    by_columns: bool,
    /// The number of leading rows in use.
    rows: usize,
    /// The type of the entries, unless they are of half precision.
    dense: PhantomData<T>,
}

impl<T: Element> MappedMatrix<T> {
    /// The matrix whose entries are `bytes` of the file. `None` if they cannot be used in place: they must be of type
    /// `T` or of half precision, complete, aligned and in the machine's byte order.
    pub(crate) fn new(
        file: &MappedFile,
        bytes: Range<usize>,
        element: ElementType,
        order: Order,
        shape: (usize, usize),
        by_columns: bool,
    ) -> Option<Self> {
        let (file, rows, dense) = (file.clone(), shape.0, PhantomData);
        let matrix = MappedMatrix { file, bytes, element, shape, by_columns, rows, dense };
        (order == Order::NATIVE && matrix.try_features().is_some()).then_some(matrix)
    }

    /// Keeps at most `rows` of the first rows.
    pub(crate) fn limit(self, rows: usize) -> Self {
        MappedMatrix { rows: self.rows.min(rows), ..self }
    }

    /// X: [`Features::Dense`] if the entries are of type `T`, otherwise the half-precision variant.
    pub(crate) fn features(&self) -> Features<'_, T> {
        self.try_features().expect("as when the matrix was made")
    }

    fn try_features(&self) -> Option<Features<'_, T>> {
        let bytes = self.file.get(self.bytes.clone())?;
        Some(match self.element {
            ElementType::F16 => Features::F16(self.matrix(<[f16]>::ref_from_bytes(bytes).ok()?)?),
            ElementType::Bf16 => Features::Bf16(self.matrix(<[bf16]>::ref_from_bytes(bytes).ok()?)?),
            element if element == ElementType::of::<T>() => {
                Features::Dense(self.matrix(T::of_bytes(bytes)?)?)
            }
            _ => return None,
        })
    }

    /// The matrix of all `entries`, cut to the rows in use.
    fn matrix<'a, A>(&self, entries: &'a [A]) -> Option<ArrayView2<'a, A>> {
        let matrix = ArrayView2::from_shape(self.shape.set_f(self.by_columns), entries).ok()?;
        Some(matrix.slice_axis_move(Axis(0), Slice::from(..self.rows)))
    }
}
