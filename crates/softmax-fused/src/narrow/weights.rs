//! Packs W as Wᵀ, and adds the dWᵀ of all tasks to dW.

use super::layout::{BLOCK, Layout, MOST_CLASSES};
use crate::kernel::level::FusedElement;
use crate::stored::{Matrix, Number, with_numbers};
use softmax_core::ndarray::{ArrayView2, ArrayViewMut2, Axis};

/// Zeros for a block of features of all classes, class by class.
fn turned<T: FusedElement>(layout: Layout) -> Vec<[T; BLOCK]> {
    vec![[T::zero(); BLOCK]; layout.c]
}

pub(super) fn pack<T: FusedElement>(weights: Matrix<'_, T>, packed: &mut [T], layout: Layout) {
    with_numbers!(weights, weights => pack_numbers(&weights, packed, layout));
}

fn pack_numbers<T: FusedElement, S: Number<T>>(
    weights: &ArrayView2<'_, S>,
    packed: &mut [T],
    layout: Layout,
) {
    let mut turned = turned::<T>(layout);
    for chunk in layout.chunks() {
        let to = &mut packed[chunk.offset..][..layout.c * chunk.stride];
        for start in (0..chunk.length).step_by(BLOCK) {
            let end = (start + BLOCK).min(chunk.length);
            let rows = weights.slice_axis(Axis(0), (chunk.first + start..chunk.first + end).into());
            for (k, row) in rows.rows().into_iter().enumerate() {
                let widen = |class: &mut [T; BLOCK], w: &S| class[k] = w.widened();
                match row.to_slice() {
                    Some(row) => turned.iter_mut().zip(row).for_each(|(class, w)| widen(class, w)),
                    None => turned.iter_mut().zip(row).for_each(|(class, w)| widen(class, w)),
                }
            }
            for (to, class) in to.chunks_exact_mut(chunk.stride).zip(&turned) {
                to[start..end].copy_from_slice(&class[..end - start]);
            }
        }
        to.chunks_exact_mut(chunk.stride).for_each(|to| to[chunk.length..].fill(T::zero()));
    }
}

/// Writes the rows of dW from the feature `first` on, which is a multiple of [`BLOCK`]: the sum of the tasks' parts, in
/// order, plus λ·W if there is a `penalty`. Overwrites dW, or adds to it.
pub(super) fn unpack_gradient<'a, T: FusedElement>(
    parts: impl Iterator<Item = &'a [T]> + Clone,
    layout: Layout,
    first: usize,
    penalty: Option<(T, Matrix<'_, T>)>,
    accumulate: bool,
    dw: &mut ArrayViewMut2<'_, T>,
) {
    let mut turned = turned::<T>(layout);
    for (block, mut rows) in dw.axis_chunks_iter_mut(Axis(0), BLOCK).enumerate() {
        let start = first + block * BLOCK;
        let chunk = layout.chunk_at(start);
        for (class, sums) in turned.iter_mut().enumerate() {
            let at = chunk.offset + class * chunk.stride + start - chunk.first;
            sums.fill(T::zero());
            for part in parts.clone() {
                sums.iter_mut().zip(&part[at..at + rows.nrows()]).for_each(|(sum, &part)| *sum += part);
            }
        }
        for (k, mut row) in rows.rows_mut().into_iter().enumerate() {
            if let Some((lambda, weights)) = &penalty {
                let mut row = [T::zero(); MOST_CLASSES];
                weights.copy_row(start + k, &mut row[..layout.c]);
                turned.iter_mut().zip(row).for_each(|(class, w)| class[k] += *lambda * w);
            }
            match row.as_slice_mut() {
                _ if accumulate => row.iter_mut().zip(&turned).for_each(|(dw, class)| *dw += class[k]),
                Some(row) => row.iter_mut().zip(&turned).for_each(|(dw, class)| *dw = class[k]),
                None => row.iter_mut().zip(&turned).for_each(|(dw, class)| *dw = class[k]),
            }
        }
    }
}
