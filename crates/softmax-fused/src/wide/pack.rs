//! Packs X and W into the layouts that the tiles read.

use super::plan::{Block, MOST_WIDTH, Plan};
use crate::buffer::Buffer;
use crate::kernel::ahead::Ahead;
use crate::kernel::lanes::Lanes;
use crate::kernel::level::FusedElement;
use crate::kernel::tile::TILE;
use crate::orders::CHUNK;
use crate::rounds::Crew;
use crate::stored::{Matrix, Number, copy, with_numbers};
use crate::terms::Terms;
use softmax_core::ndarray::{ArrayView2, ArrayViewMut2, Axis};
use std::ops::Range;

/// Elements of a row that are transposed at a time.
const MOST: usize = CHUNK;

/// Interleaves the rows of `from`, which have at most [`MOST`] elements: element k of row r goes to `to[k * pitch +
/// r]`. The rest of `to` becomes zero.
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

/// Packs some rows of W, or of its transpose, for the panels of a group: panel by panel, row by row, with zeros up to
/// the panel's width.
#[inline(always)]
pub(super) fn pack_panels<T: FusedElement, S: Number<T>, L: Lanes<T>>(
    _: L,
    weights: &ArrayView2<'_, S>,
    rows: Range<usize>,
    columns: Range<usize>,
    width: usize,
    to: &mut [T],
) {
    let part = weights.slice_axis(Axis(0), rows.into());
    let part = part.slice_axis(Axis(1), columns.into());
    let of_panel = part.nrows() * width;
    if part.strides()[0] == 1 && part.nrows() > 1 {
        let panels = part.axis_chunks_iter(Axis(1), width);
        for (panel, to) in panels.into_iter().zip(to.chunks_exact_mut(of_panel)) {
            turn(&panel.t(), to, width);
        }
        return;
    }
    // Row by row through all panels, since rows may be far apart, each on its own page.
    let mut room = [T::zero(); MOST];
    for (k, row) in part.rows().into_iter().enumerate() {
        let row = match row.to_slice() {
            Some(row) => S::read(row, &mut room),
            None => {
                copy(&row, &mut room[..row.len()]);
                &room[..row.len()]
            }
        };
        for (row, to) in row.chunks(width).zip(to.chunks_exact_mut(of_panel)) {
            copy_vectors::<T, L>(row, &mut to[k * width..][..width]);
        }
    }
}

/// Copies a row of a panel and pads it with zeros.
#[inline(always)]
fn copy_vectors<T: FusedElement, L: Lanes<T>>(from: &[T], to: &mut [T]) {
    if from.len() == to.len() && to.len().is_multiple_of(L::N) {
        // Whole vectors one by one: copying a slice of unknown length would be a call of memcpy.
        L::split_mut(to).0.iter_mut().zip(L::split(from).0).for_each(|(to, from)| *to = *from);
    } else {
        let (to, rest) = to.split_at_mut(from.len());
        to.copy_from_slice(from);
        rest.fill(T::zero());
    }
}

/// The address to prefetch before a matrix is packed or loaded: one of its rows, or one of its columns if columns are
/// contiguous.
#[inline(always)]
pub(super) fn ahead<S>(part: &ArrayView2<'_, S>, run: usize, otherwise: Ahead) -> Ahead {
    let axis = Axis(usize::from(part.strides()[0] == 1));
    if run >= part.len_of(axis) {
        return otherwise;
    }
    part.index_axis(axis, run).to_slice().map_or(otherwise, Ahead::of)
}

/// Loads a group's part of dW as sums: panel by panel, feature by feature, with the elements of the panel's classes.
#[inline(always)]
pub(super) fn load_panels<T: FusedElement, L: Lanes<T>>(
    _: L,
    dw: &ArrayViewMut2<'_, T>,
    width: usize,
    of_panel: usize,
    sums: &mut [T],
) {
    let dw = dw.view();
    if dw.strides()[0] == 1 && dw.nrows() > 1 {
        let panels = dw.axis_chunks_iter(Axis(1), width);
        for (panel, sums) in panels.into_iter().zip(sums.chunks_exact_mut(of_panel)) {
            turn(&panel.t(), sums, width);
        }
        return;
    }
    let mut room = [T::zero(); MOST];
    for (k, row) in dw.rows().into_iter().enumerate() {
        let row = row.to_slice().unwrap_or_else(|| {
            copy(&row, &mut room[..row.len()]);
            &room[..row.len()]
        });
        for (row, sums) in row.chunks(width).zip(sums.chunks_exact_mut(of_panel)) {
            copy_vectors::<T, L>(row, &mut sums[k * width..][..width]);
        }
    }
}

/// Stores sums to dW: the inverse of [`load_panels`].
#[inline(always)]
pub(super) fn store_panels<T: FusedElement, L: Lanes<T>>(
    _: L,
    sums: &[T],
    width: usize,
    of_panel: usize,
    dw: &mut ArrayViewMut2<'_, T>,
) {
    if dw.strides()[0] == 1 && dw.nrows() > 1 {
        let mut turned = [T::zero(); TILE * MOST_WIDTH];
        let panels = dw.axis_chunks_iter_mut(Axis(1), width);
        for (mut panel, sums) in panels.into_iter().zip(sums.chunks_exact(of_panel)) {
            let tiles = panel.axis_chunks_iter_mut(Axis(0), TILE);
            for (mut tile, sums) in tiles.into_iter().zip(sums.chunks_exact(TILE * width)) {
                for (rows, to) in sums.chunks_exact(4 * width).zip((0..TILE).step_by(4)) {
                    let row = |k: usize| &rows[k * width..(k + 1) * width];
                    T::interleave([row(0), row(1), row(2), row(3)], &mut turned[to..], TILE);
                }
                for (mut column, turned) in tile.columns_mut().into_iter().zip(turned.chunks_exact(TILE)) {
                    column.iter_mut().zip(turned).for_each(|(dw, &sum)| *dw = sum);
                }
            }
        }
        return;
    }
    for (k, mut row) in dw.rows_mut().into_iter().enumerate() {
        let panels = sums.chunks_exact(of_panel).map(|panel| &panel[k * width..][..width]);
        match row.as_slice_mut() {
            Some(row) => {
                for (row, sums) in row.chunks_mut(width).zip(panels) {
                    let sums = &sums[..row.len()];
                    copy_vectors::<T, L>(sums, row);
                }
            }
            None => row.iter_mut().zip(panels.flatten()).for_each(|(dw, &sum)| *dw = sum),
        }
    }
}

/// Layout of a packed block of X: by chunk of features, then by tile of rows, then by feature, with the rows of a
/// feature side by side.
///
/// For the scores, a tile's chunk is read as a run of features. For dW it is read as a run of squares: as many features
/// as rows, each with its rows side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedRows {
    features: usize,
    tiles: usize,
}

impl PackedRows {
    pub(super) fn new(plan: Plan, block: Block) -> Self {
        PackedRows { features: plan.d, tiles: block.rows.div_ceil(TILE) }
    }

    /// The distance between tiles of a chunk. An extra square keeps tiles from sharing cache sets.
    fn pitch_of(features: usize) -> usize {
        (features + TILE) * TILE
    }

    pub(super) fn pitch(self, feature: usize) -> usize {
        Self::pitch_of(CHUNK.min(self.features - feature / CHUNK * CHUNK))
    }

    /// Length of a whole chunk.
    fn chunk(self) -> usize {
        self.tiles * Self::pitch_of(CHUNK)
    }

    fn length(self) -> usize {
        self.tiles * (self.features + self.features.div_ceil(CHUNK) * TILE) * TILE
    }

    /// Index of a feature of a tile.
    pub(super) fn at(self, feature: usize, tile: usize) -> usize {
        feature / CHUNK * self.chunk() + tile * self.pitch(feature) + feature % CHUNK * TILE
    }
}

/// Packs the rows of a block, with zeros beyond the last row.
pub(super) fn pack_rows<T: FusedElement>(
    features: &Matrix<'_, T>,
    packed: &mut Buffer<T>,
    plan: Plan,
    block: Block,
    crew: Crew<'_>,
) {
    let layout = PackedRows::new(plan, block);
    packed.resize(layout.length());
    let tiles = plan.strip.div_ceil(TILE);
    let strips = packed.chunks_mut(layout.chunk().max(1)).enumerate().flat_map(|(chunk, packed)| {
        let first = chunk * CHUNK;
        let strips = packed.chunks_mut(tiles * layout.pitch(first)).enumerate();
        strips.map(move |(strip, packed)| (first, strip * plan.strip, packed))
    });
    crew.for_each(strips, |_, (first, row, packed)| {
        let length = CHUNK.min(plan.d - first);
        let rows = block.first + row..block.first + block.rows.min(row + plan.strip);
        with_numbers!(features, features => {
            let rows = features.slice_axis(Axis(0), rows.into());
            let columns = rows.slice_axis(Axis(1), (first..first + length).into());
            let tiles = columns.axis_chunks_iter(Axis(0), TILE);
            for (tile, to) in tiles.into_iter().zip(packed.chunks_exact_mut(layout.pitch(first))) {
                turn(&tile, to, TILE);
            }
        });
    });
}

/// Replaces the packed rows of ignored samples by zeros, whatever they hold.
pub(super) fn clear_ignored<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    packed: &mut [T],
    plan: Plan,
    block: Block,
) {
    let layout = PackedRows::new(plan, block);
    for row in (0..block.rows).filter(|&row| terms.is_ignored(block.first + row)) {
        for first in (0..plan.d).step_by(CHUNK) {
            let features = &mut packed[layout.at(first, row / TILE)..][..CHUNK.min(plan.d - first) * TILE];
            features.iter_mut().skip(row % TILE).step_by(TILE).for_each(|x| *x = T::zero());
        }
    }
}
