//! W and X, as the tiles want them.

use super::layout::{Block, CHUNK, Layout};
use crate::buffer::Buffer;
use crate::dense::DenseProblem;
use crate::kernel::lanes::FusedElement;
use crate::kernel::products::TILE;
use crate::rounds::Crew;
use crate::terms::Terms;
use softmax_core::ndarray::Axis;

pub(super) fn pack_weights<T: FusedElement>(
    problem: &DenseProblem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    crew: Crew<'_>,
) {
    let Layout { d, c, width, panels, .. } = layout;
    packed.resize(panels * d * width);
    let weights = problem.weights();
    // Some panels together, so that what is read of a row of W is more than a cache line.
    let groups = packed.chunks_mut((layout.group * d * width).max(1));
    crew.for_each(groups, |group, packed| {
        let first = group * layout.group * width;
        let classes = first..(first + layout.group * width).min(c);
        for (k, row) in weights.rows().into_iter().enumerate() {
            let slice = row.to_slice().map(|row| &row[classes.clone()]);
            for (p, panel) in packed.chunks_exact_mut(d * width).enumerate() {
                let to = &mut panel[k * width..(k + 1) * width];
                let first = p * width;
                let count = width.min(classes.len() - first);
                match slice {
                    Some(row) if count == width => copy(to, &row[first..first + count]),
                    Some(row) => to[..count].copy_from_slice(&row[first..first + count]),
                    None => (0..count).for_each(|j| to[j] = row[classes.start + first + j]),
                }
                to[count..].fill(T::zero());
            }
        }
    });
}

/// A few elements, without a call for each.
fn copy<T: FusedElement>(to: &mut [T], from: &[T]) {
    let (to, to_rest) = to.as_chunks_mut::<4>();
    let (from, from_rest) = from.as_chunks::<4>();
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to_rest.iter_mut().zip(from_rest).for_each(|(to, from)| *to = *from);
}

/// The block's rows by chunks of features, in each by groups of `TILE` rows, zero beyond the last.
pub(super) fn pack_rows<T: FusedElement>(
    problem: &DenseProblem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    block: Block,
    crew: Crew<'_>,
) {
    let (d, padded) = (layout.d, layout.block.next_multiple_of(TILE));
    packed.resize(padded * d);
    let features = problem.features();
    crew.for_each(packed.chunks_mut(padded * CHUNK), |chunk, packed| {
        let length = packed.len() / padded;
        let columns = chunk * CHUNK..chunk * CHUNK + length;
        for (group, to) in packed.chunks_exact_mut(TILE * length).enumerate() {
            let count = TILE.min(block.rows.saturating_sub(group * TILE));
            let row = |k: usize| {
                let row = features.index_axis_move(Axis(0), block.first + group * TILE + k).to_slice();
                row.map(|row| &row[columns.clone()])
            };
            let slices: [Option<&[T]>; TILE] = std::array::from_fn(|k| if k < count { row(k) } else { None });
            if let [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] = slices {
                let rest = b.iter().zip(c).zip(d).zip(e).zip(f);
                for ((to, a), ((((b, c), d), e), f)) in
                    to.as_chunks_mut::<TILE>().0.iter_mut().zip(a).zip(rest)
                {
                    *to = [*a, *b, *c, *d, *e, *f];
                }
                continue;
            }
            for (column, to) in columns.clone().zip(to.chunks_exact_mut(TILE)) {
                for (k, to) in to.iter_mut().enumerate() {
                    let i = block.first + group * TILE + k;
                    *to = if k < count { features[[i, column]] } else { T::zero() };
                }
            }
        }
    });
}

/// The block's features by groups of `TILE`, zero beyond the last, and in rows that do not count, whatever those hold.
pub(super) fn pack_features<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    problem: &DenseProblem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    block: Block,
    crew: Crew<'_>,
) {
    /// Groups that take their part of a row together.
    const TOGETHER: usize = 8;
    let (d, length) = (layout.d, layout.block * TILE);
    packed.resize(d.div_ceil(TILE) * length);
    let features = problem.features();
    crew.for_each(packed.chunks_mut(TOGETHER * length), |some, packed| {
        for k in 0..block.rows {
            if terms.is_ignored(block.first + k) {
                let rows = packed.chunks_exact_mut(length).map(|to| &mut to[k * TILE..(k + 1) * TILE]);
                rows.for_each(|to| to.fill(T::zero()));
                continue;
            }
            let row = features.index_axis_move(Axis(0), block.first + k);
            let slice = row.to_slice();
            for (group, to) in packed.chunks_exact_mut(length).enumerate() {
                let first = (some * TOGETHER + group) * TILE;
                let to = &mut to[k * TILE..(k + 1) * TILE];
                match slice.and_then(|row| row.get(first..first + TILE)) {
                    Some(row) => {
                        if let (Some(to), Some(row)) =
                            (to.first_chunk_mut::<TILE>(), row.first_chunk::<TILE>())
                        {
                            *to = *row;
                        }
                    }
                    None => {
                        for (column, to) in (first..).zip(to) {
                            *to = if column < d { row[column] } else { T::zero() };
                        }
                    }
                }
            }
        }
    });
}
