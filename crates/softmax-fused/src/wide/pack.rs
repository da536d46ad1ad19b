//! X and W, as the tiles want them.

use super::plan::{Block, CHUNK, Plan};
use crate::buffer::Buffer;
use crate::kernel::level::FusedElement;
use crate::kernel::tile::TILE;
use crate::rounds::Crew;
use crate::stored::{Number, Stored, copy, with_numbers};
use crate::terms::Terms;
use softmax_core::ndarray::{ArrayView2, Axis};
use std::ops::Range;

/// Numbers of a row that are turned at a time.
const MOST: usize = CHUNK;

/// Rows of `from`, of [`MOST`] numbers at most, side by side: element k of row r goes to `to[k * pitch + r]`. What `to` has
/// beyond the rows is zero.
fn turn<T: FusedElement, S: Number<T>>(from: &ArrayView2<'_, S>, to: &mut [T], pitch: usize) {
    let (rows, length) = from.dim();
    if rows < pitch {
        to[..length * pitch].fill(T::zero());
    }
    if length == 0 {
        return;
    }
    let mut rooms = [[T::zero(); MOST]; 4];
    for first in (0..rows).step_by(4) {
        let row = |k: usize| from.index_axis_move(Axis(0), first + k).to_slice();
        let [a, b, c, d] = &mut rooms;
        if let (true, Some(first_row)) = (first + 4 <= rows, row(0))
            && let (Some(second), Some(third), Some(fourth)) = (row(1), row(2), row(3))
        {
            let four = [S::read(first_row, a), S::read(second, b), S::read(third, c), S::read(fourth, d)];
            T::interleave(four, &mut to[first..], pitch);
            continue;
        }
        for r in first..rows.min(first + 4) {
            let row = from.row(r);
            to[r..].iter_mut().step_by(pitch).zip(row).for_each(|(to, from)| *to = from.widened());
        }
    }
}

/// Rows of `from` one after the other, each `pitch` apart, and zero beyond what they hold.
fn lay<T: FusedElement, S: Number<T>>(from: &ArrayView2<'_, S>, to: &mut [T], pitch: usize) {
    for (row, to) in from.rows().into_iter().zip(to.chunks_exact_mut(pitch)) {
        let (to, rest) = to.split_at_mut(row.len());
        copy(&row, to);
        rest.fill(T::zero());
    }
}

/// A panel of W, or of its transpose: for each of some `rows` its numbers of some `columns`, and zeros up to the panel's width.
pub(super) fn pack_panel<T: FusedElement, S: Number<T>>(
    weights: &ArrayView2<'_, S>,
    rows: Range<usize>,
    columns: Range<usize>,
    width: usize,
    to: &mut [T],
) {
    let part = weights.slice_axis(Axis(0), rows.into());
    let part = part.slice_axis(Axis(1), columns.into());
    if part.strides()[0] == 1 && part.nrows() > 1 {
        turn(&part.t(), to, width);
    } else {
        lay(&part, to, width);
    }
}

/// The block's rows by chunks of features, in each by tiles of rows, zero beyond the last.
pub(super) fn pack_rows<T: FusedElement>(
    problem: &Stored<'_, T>,
    packed: &mut Buffer<T>,
    plan: Plan,
    block: Block,
    crew: Crew<'_>,
) {
    let padded = block.rows.next_multiple_of(TILE);
    packed.resize(padded * plan.d);
    crew.for_each(packed.chunks_mut((padded * CHUNK).max(1)), |chunk, packed| {
        with_numbers!(problem.features, features => {
            let rows = features.slice_axis(Axis(0), (block.first..block.first + block.rows).into());
            let length = packed.len() / padded;
            let columns = rows.slice_axis(Axis(1), (chunk * CHUNK..chunk * CHUNK + length).into());
            let tiles = columns.axis_chunks_iter(Axis(0), TILE);
            for (tile, to) in tiles.into_iter().zip(packed.chunks_exact_mut(TILE * length)) {
                turn(&tile, to, TILE);
            }
        });
    });
}

/// The block's features by tiles, zero beyond the last, and in rows that do not count, whatever those hold.
pub(super) fn pack_features<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    packed: &mut Buffer<T>,
    plan: Plan,
    block: Block,
    crew: Crew<'_>,
) {
    /// Features that are packed together.
    const TOGETHER: usize = 16 * TILE;
    let length = block.rows * TILE;
    packed.resize(plan.d.div_ceil(TILE) * length);
    crew.for_each(packed.chunks_mut((TOGETHER / TILE * length).max(1)), |some, packed| {
        let columns = some * TOGETHER..plan.d.min((some + 1) * TOGETHER);
        let mut room = [T::zero(); TOGETHER];
        for k in 0..block.rows {
            room.fill(T::zero());
            if !terms.is_ignored(block.first + k) {
                with_numbers!(problem.features, features => {
                    let row = features.index_axis_move(Axis(0), block.first + k);
                    copy(&row.slice_axis(Axis(0), columns.clone().into()), &mut room[..columns.len()]);
                });
            }
            let numbers = room.as_chunks::<TILE>().0;
            for (to, from) in packed.chunks_exact_mut(length).zip(numbers) {
                if let Some(to) = to[k * TILE..].first_chunk_mut() {
                    *to = *from;
                }
            }
        }
    });
}
