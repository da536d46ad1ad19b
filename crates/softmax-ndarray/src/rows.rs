//! Access to one entry per row, like NumPy's `take_along_axis`.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};
use softmax_core::Element;

/// The index of each row's largest entry; the lowest index on ties.
pub(crate) fn argmax_rows<T: Element>(matrix: &Array2<T>) -> Array1<usize> {
    matrix.map_axis(Axis(1), |row| {
        let better =
            |(best, max): (usize, T), (j, &x): (usize, &T)| if x > max { (j, x) } else { (best, max) };
        row.iter().enumerate().fold((0, T::neg_infinity()), better).0
    })
}

/// The entry of each row i at `index[i]`.
pub(crate) fn take_along_rows<T: Element>(matrix: ArrayView2<'_, T>, index: &Array1<usize>) -> Array1<T> {
    Zip::from(matrix.rows()).and(index).map_collect(|row, &j| row[j])
}

/// Sets the entry of each row i at `index[i]` to `values[i]`.
pub(crate) fn put_along_rows<T: Element>(matrix: &mut Array2<T>, index: &Array1<usize>, values: &Array1<T>) {
    Zip::from(matrix.rows_mut()).and(index).and(values).for_each(|mut row, &j, &value| row[j] = value);
}

/// A vector as a column, to broadcast along rows.
pub(crate) fn column<T: Element>(vector: &Array1<T>) -> ArrayView2<'_, T> {
    vector.view().insert_axis(Axis(1))
}
