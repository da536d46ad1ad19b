//! Arrays of any layout as contiguous numbers for messages: in row order, a block of rows at a time.

use crate::ranks::PIECE;
use ndarray::{ArrayViewMut, Axis, Dimension, RemoveAxis};
use softmax_core::Element;

/// Calls `change` with blocks of rows as contiguous numbers, and writes the changed numbers back. A block has as many
/// rows as fit one message, independent of the layout, so that ranks with different layouts send the same pieces.
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
