//! Products with X in any storage: dense arrays and half precision by blocks of rows, CSR entry by entry.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, CowArray, Ix2, Slice, Zip};
use softmax_core::{Csr, Element, Features};
use std::ops::Range;

/// Rows of X per block. Rows that must be widened or cleared are copied one block at a time. This is a multiple of the
/// number of rows that a matrix product sums before it adds to its result, so blocks do not change any sum.
const BLOCK: usize = 1024;

/// X·M (N×C) for a matrix M (D×C).
pub(crate) fn features_times<T: Element>(features: Features<'_, T>, matrix: ArrayView2<'_, T>) -> Array2<T> {
    let mut product = Array2::zeros((features.dim().0, matrix.ncols()));
    if let Features::Csr(csr) = features {
        for (i, mut row) in product.rows_mut().into_iter().enumerate() {
            for (k, x) in entries(csr, i) {
                row.scaled_add(x, &matrix.row(k));
            }
        }
        return product;
    }
    for rows in blocks(features.dim().0) {
        let block = features.rows(rows.clone()).to_dense();
        let mut product = product.slice_axis_mut(Axis(0), Slice::from(rows));
        general_mat_mul(T::one(), &block, &matrix, T::zero(), &mut product);
    }
    product
}

/// Xᵀ·G (D×C) over the samples that count. Other rows of X may hold NaN.
pub(crate) fn features_transposed_times<T: Element>(
    features: Features<'_, T>,
    gradient: &Array2<T>,
    counts: &Array1<bool>,
) -> Array2<T> {
    let (n, d) = features.dim();
    if let Features::Csr(csr) = features {
        // In f64, because a feature's sum may have N terms.
        let mut sums = Array2::<f64>::zeros((d, gradient.ncols()));
        for i in (0..n).filter(|&i| counts[i]) {
            for (k, x) in entries(csr, i) {
                let x = x.widen();
                Zip::from(sums.row_mut(k)).and(gradient.row(i)).for_each(|sum, &g| *sum += x * g.widen());
            }
        }
        return sums.mapv(T::narrow);
    }
    let mut product = Array2::zeros((d, gradient.ncols()));
    for rows in blocks(n) {
        let block = counted_rows(features.rows(rows.clone()), counts, rows.clone());
        let gradient = gradient.slice_axis(Axis(0), Slice::from(rows));
        general_mat_mul(T::one(), &block.t(), &gradient, T::one(), &mut product);
    }
    product
}

/// Rows of X, with zeros for samples that do not count, because 0·NaN is NaN.
fn counted_rows<'a, T: Element>(
    block: Features<'a, T>,
    counts: &Array1<bool>,
    rows: Range<usize>,
) -> CowArray<'a, T, Ix2> {
    let counts = counts.slice_axis(Axis(0), Slice::from(rows));
    let block = block.to_dense();
    if counts.iter().all(|&counts| counts) {
        return block;
    }
    let mut block = block.into_owned();
    Zip::from(block.rows_mut()).and(&counts).for_each(|mut row, &counts| {
        if !counts {
            row.fill(T::zero());
        }
    });
    CowArray::from(block)
}

/// The sum of each column: in the element type within a block of rows, and in f64 over the blocks.
pub(crate) fn column_sums<T: Element>(matrix: &Array2<T>) -> Array1<T> {
    let mut sums = Array1::<f64>::zeros(matrix.ncols());
    for block in matrix.axis_chunks_iter(Axis(0), 128) {
        sums.zip_mut_with(&block.sum_axis(Axis(0)), |sum, part| *sum += part.widen());
    }
    sums.mapv(T::narrow)
}

fn entries<T: Element>(csr: Csr<'_, T>, i: usize) -> impl Iterator<Item = (usize, T)> {
    let (columns, values) = csr.row(i);
    columns.iter().zip(values).map(|(&column, &value)| (column as usize, value))
}

fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(BLOCK).map(move |first| first..(first + BLOCK).min(rows))
}
