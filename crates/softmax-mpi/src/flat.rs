//! Arrays of any layout as the numbers that travel: in the order of their rows, some at a time.

use crate::ranks::PIECE;
use ndarray::{ArrayViewMut, Axis, Dimension, RemoveAxis};
use softmax_core::Element;

/// Hands the numbers over in the order of the rows, and takes them back: as many rows at a time as are a piece of a message,
/// whatever the layout, so that ranks with other layouts send the same pieces.
pub(crate) fn by_rows<T: Element, D: Dimension + RemoveAxis>(
    array: &mut ArrayViewMut<'_, T, D>,
    mut change: impl FnMut(&mut [T]),
) {
    let of_row = array.shape()[1..].iter().product::<usize>() * size_of::<T>();
    let rows = (PIECE / of_row.max(1)).max(1);
    let mut copied = Vec::new();
    for mut rows in array.axis_chunks_iter_mut(Axis(0), rows) {
        if let Some(numbers) = rows.as_slice_mut() {
            change(numbers);
            continue;
        }
        copied.clear();
        copied.extend(rows.iter().copied());
        change(&mut copied);
        rows.iter_mut().zip(&copied).for_each(|(to, &number)| *to = number);
    }
}
