//! Sparse matrices in compressed sparse rows.

use crate::error::{Error, Result};
use std::ops::Range;

/// A borrowed sparse matrix in compressed sparse rows. Row i has the entries from `row_pointers[i]` to
/// `row_pointers[i + 1]` of `columns` and `values`. Entries that are not stored are zero, and are not multiplied with
/// anything.
///
/// [`new`](Self::new) checks the slices once: in every row the columns are strictly increasing and within the matrix,
/// so there are no duplicates. SciPy calls this the canonical format.
///
/// ```
/// use softmax_core::Csr;
///
/// // [[0, 2, 0], [1, 0, 3]]
/// let matrix = Csr::new((2, 3), &[0, 1, 3], &[1, 0, 2], &[2.0f32, 1.0, 3.0])?;
/// assert_eq!(matrix.row(1), (&[0, 2][..], &[1.0, 3.0][..]));
/// # Ok::<(), softmax_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Csr<'a, T> {
    n_columns: usize,
    row_pointers: &'a [usize],
    columns: &'a [u32],
    values: &'a [T],
}

impl<'a, T> Csr<'a, T> {
    /// A matrix of `n_rows` by `n_columns` from its three slices.
    ///
    /// # Errors
    /// [`Error::Csr`] if the lengths of the slices disagree, if the row pointers do not rise from 0 to the number of
    /// entries, or if a row's columns are not strictly increasing or are outside the matrix.
    pub fn new(
        (n_rows, n_columns): (usize, usize),
        row_pointers: &'a [usize],
        columns: &'a [u32],
        values: &'a [T],
    ) -> Result<Self> {
        let refuse = |row, expected, found| Err(Error::Csr { row, expected, found });
        if n_rows.checked_add(1) != Some(row_pointers.len()) {
            return refuse(0, "one more row pointer than rows", row_pointers.len());
        }
        if columns.len() != values.len() {
            return refuse(0, "equal numbers of columns and values", columns.len());
        }
        if row_pointers[0] != 0 {
            return refuse(0, "a first row pointer of 0", row_pointers[0]);
        }
        if row_pointers[n_rows] != values.len() {
            return refuse(n_rows, "a last row pointer equal to the number of values", row_pointers[n_rows]);
        }
        for row in 0..n_rows {
            let (start, end) = (row_pointers[row], row_pointers[row + 1]);
            if start > end || end > values.len() {
                return refuse(row, "row pointers that do not fall", end);
            }
            let mut next = 0;
            for &column in &columns[start..end] {
                let column = column as usize;
                if column < next {
                    return refuse(row, "strictly increasing columns within a row", column);
                }
                if column >= n_columns {
                    return refuse(row, "columns below the number of features", column);
                }
                next = column + 1;
            }
        }
        Ok(Csr { n_columns, row_pointers, columns, values })
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.row_pointers.len() - 1
    }

    /// The number of stored entries.
    pub fn n_entries(&self) -> usize {
        self.row_pointers[self.n_rows()] - self.row_pointers[0]
    }

    /// The number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The columns and values of a row's entries.
    ///
    /// # Panics
    /// If `row` is out of range.
    pub fn row(&self, row: usize) -> (&'a [u32], &'a [T]) {
        let entries = self.row_pointers[row]..self.row_pointers[row + 1];
        (&self.columns[entries.clone()], &self.values[entries])
    }

    /// A range of rows.
    ///
    /// # Panics
    /// If `rows` is out of range.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Self {
        Csr { row_pointers: &self.row_pointers[rows.start..=rows.end], ..*self }
    }
}

/// An owned sparse matrix in compressed sparse rows, with the same checks as [`Csr`].
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedCsr<T> {
    n_columns: usize,
    row_pointers: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<T>,
}

impl<T> OwnedCsr<T> {
    /// A matrix of `shape` from its three arrays.
    ///
    /// # Errors
    /// The same as [`Csr::new`].
    pub fn new(
        shape: (usize, usize),
        row_pointers: Vec<usize>,
        columns: Vec<u32>,
        values: Vec<T>,
    ) -> Result<Self> {
        Csr::new(shape, &row_pointers, &columns, &values)?;
        Ok(OwnedCsr { n_columns: shape.1, row_pointers, columns, values })
    }

    /// The first `rows` rows, or all if there are fewer.
    #[must_use]
    pub fn first_rows(mut self, rows: usize) -> Self {
        if rows < self.row_pointers.len() - 1 {
            self.row_pointers.truncate(rows + 1);
            let entries = self.row_pointers[rows];
            self.columns.truncate(entries);
            self.values.truncate(entries);
        }
        self
    }

    /// The matrix with additional empty columns, up to `columns`.
    #[must_use]
    pub fn with_columns(self, columns: usize) -> Self {
        OwnedCsr { n_columns: self.n_columns.max(columns), ..self }
    }

    /// The matrix, borrowed.
    pub fn view(&self) -> Csr<'_, T> {
        let OwnedCsr { n_columns, row_pointers, columns, values } = self;
        Csr { n_columns: *n_columns, row_pointers, columns, values }
    }
}
