//! Products with features in compressed sparse rows. They take time proportional to the number of stored entries times
//! C.

use super::epilogue::Place;
use super::plan::{Block, MOST_WIDTH, Plan};
use crate::kernel::lanes::Lanes;
use crate::kernel::level::FusedElement;
use crate::kernel::tile::PANEL;
use crate::orders::SUMMED;
use crate::rounds::Crew;
use crate::stored::{Matrix, Number, with_numbers};
use crate::terms::Terms;
use softmax_core::Csr;
use softmax_core::ndarray::{Array2, ArrayView2, ArrayViewMut2, Zip};
use std::ops::Range;

/// A score is the sum of partial sums over this many entries.
pub(super) const CHUNK: usize = 256;

/// Panels whose sums are in registers at the same time.
const TOGETHER: usize = 2;

/// W with contiguous rows: W itself, or a copy in `room`, which the first block makes.
pub(super) fn weights_rows<'w, T: FusedElement>(
    weights: &'w Matrix<'_, T>,
    room: &'w mut Array2<T>,
    block: Block,
) -> ArrayView2<'w, T> {
    if let Some(rows) = weights.plain_rows() {
        return rows.reborrow();
    }
    if room.dim() != weights.dim() {
        *room = Array2::zeros(weights.dim());
    }
    if block.first == 0 {
        with_numbers!(weights, weights => {
            Zip::from(&mut *room).and(weights).for_each(|to, from| *to = from.widened());
        });
    }
    room.view()
}

/// Computes the products of a strip's rows with a group's classes.
///
/// ```text
/// for each row of the strip, for two panels at a time
///     for each 256 entries of the row
///         for each entry x of feature d                                    sums in registers
///             scores[panel][row] += x · W[d][panel]
/// ```
#[inline(always)]
pub(super) fn scores<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    features: &Csr<'_, T>,
    weights: &ArrayView2<'_, T>,
    place: Place,
    scores: &mut [T],
) {
    let Place { first_sample, rows, first_class, classes, width, pitch } = place;
    let panels = classes.div_ceil(width);
    for row in 0..rows {
        let entries = features.row(first_sample + row);
        for p in (0..panels).step_by(TOGETHER) {
            let columns = first_class + p * width..first_class + classes.min((p + TOGETHER) * width);
            let sums = match columns.len() / L::N {
                0 => row_sums::<T, L, 0>(lanes, entries, weights, columns),
                1 => row_sums::<T, L, 1>(lanes, entries, weights, columns),
                2 => row_sums::<T, L, 2>(lanes, entries, weights, columns),
                3 => row_sums::<T, L, 3>(lanes, entries, weights, columns),
                _ => row_sums::<T, L, 4>(lanes, entries, weights, columns),
            };
            for (k, pair) in sums.as_chunks::<PANEL>().0.iter().enumerate().take(panels - p) {
                let out = &mut scores[(p + k) * pitch + row * width..][..width];
                L::split_mut(out).0.copy_from_slice(pair);
            }
        }
    }
}

/// The vectors of a few panels.
type Panels<T, L> = [<L as Lanes<T>>::V; TOGETHER * PANEL];

/// Computes Σ x·w over a row's entries, 256 at a time, for some columns of W: `WHOLE` vectors of them, plus one partial
/// vector if the columns end inside it. The other sums are zero.
#[inline(always)]
fn row_sums<T: FusedElement, L: Lanes<T>, const WHOLE: usize>(
    lanes: L,
    (features, values): (&[u32], &[T]),
    weights: &ArrayView2<'_, T>,
    columns: Range<usize>,
) -> Panels<T, L> {
    let mut all = [lanes.splat(T::zero()); TOGETHER * PANEL];
    for (features, values) in features.chunks(CHUNK).zip(values.chunks(CHUNK)) {
        let mut sums = [lanes.splat(T::zero()); TOGETHER * PANEL];
        for (&feature, &x) in features.iter().zip(values) {
            let row = weights.row(feature as usize).to_slice().map_or(&[][..], |row| &row[columns.clone()]);
            let (whole, rest) = row.split_at(WHOLE * L::N);
            let (whole, x) = (L::split(whole).0, lanes.splat(x));
            for k in 0..WHOLE {
                sums[k] = lanes.mul_add(x, whole[k], sums[k]);
            }
            if WHOLE < TOGETHER * PANEL {
                sums[WHOLE] = lanes.mul_add(x, lanes.load_part(rest), sums[WHOLE]);
            }
        }
        for (all, sum) in all.iter_mut().zip(sums) {
            *all = lanes.add(*all, sum);
        }
    }
    all
}

/// The entries of a block's rows that count, feature by feature.
#[derive(Clone, Debug, Default)]
pub(super) struct Turned<T> {
    /// Start of each feature's entries, and the end of the last.
    starts: Vec<usize>,
    /// The row of each entry, counted from the block's first. Rows rise within a feature.
    rows: Vec<u32>,
    values: Vec<T>,
    /// For each row, the index of its first entry of these features.
    firsts: Vec<u32>,
}

/// Transposes the block's entries, for successive ranges of features.
pub(super) fn turn_rows<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    features: &Csr<'_, T>,
    turned: &mut Vec<Turned<T>>,
    plan: Plan,
    block: Block,
    crew: Crew<'_>,
) {
    turned.resize_with(plan.d.div_ceil(plan.features), Turned::default);
    crew.for_each(turned.iter_mut(), |part, turned| {
        let range = part * plan.features..plan.d.min((part + 1) * plan.features);
        let entries_of = |row: usize, from: usize| {
            let (columns, values) = features.row(block.first + row);
            let of_range = |&(&column, _): &(&u32, &T)| (column as usize) < range.end;
            let entries = columns[from..].iter().zip(&values[from..]).take_while(of_range);
            entries.map(|(&column, x)| (column as usize - range.start, x))
        };
        turned.firsts.clear();
        turned.firsts.extend((0..block.rows).map(|row| {
            let (columns, _) = features.row(block.first + row);
            columns.partition_point(|&column| (column as usize) < range.start) as u32
        }));
        let counting = || (0..block.rows).filter(|&row| !terms.is_ignored(block.first + row));
        // First counts the entries of each feature, then turns the counts into start positions, which advance as
        // entries are written.
        turned.starts.clear();
        turned.starts.resize(range.len() + 2, 0);
        for row in counting() {
            entries_of(row, turned.firsts[row] as usize).for_each(|(d, _)| turned.starts[d + 2] += 1);
        }
        (2..turned.starts.len()).for_each(|d| turned.starts[d] += turned.starts[d - 1]);
        let count = turned.starts[range.len() + 1];
        turned.rows.resize(count, 0);
        turned.values.resize(count, T::zero());
        for row in counting() {
            for (d, &x) in entries_of(row, turned.firsts[row] as usize) {
                let at = turned.starts[d + 1];
                (turned.rows[at], turned.values[at]) = (row as u32, x);
                turned.starts[d + 1] += 1;
            }
        }
    });
}

/// Computes dW for the classes of a group and the features of `turned`.
///
/// ```text
/// for each feature, for each panel
///     for each 192 rows
///         for each entry x, of row i                                       sums in registers
///             dW[feature][panel] += x · G[i][panel]
/// ```
#[inline(always)]
pub(super) fn weights_gradient<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    plan: Plan,
    turned: &Turned<T>,
    regions: &[T],
    overwrites: bool,
    dw: &mut ArrayViewMut2<'_, T>,
) {
    let width = plan.width;
    let (mut flat, classes) = ([T::zero(); MOST_WIDTH], dw.ncols());
    for (feature, mut dw) in dw.rows_mut().into_iter().enumerate() {
        let entries = turned.starts[feature]..turned.starts[feature + 1];
        if entries.is_empty() {
            if overwrites {
                dw.fill(T::zero());
            }
            continue;
        }
        let (rows, values) = (&turned.rows[entries.clone()], &turned.values[entries]);
        for (p, first) in (0..classes).step_by(width).enumerate() {
            let columns = first..classes.min(first + width);
            flat.fill(T::zero());
            if !overwrites {
                columns.clone().zip(&mut flat).for_each(|(c, to)| *to = dw[c]);
            }
            let is_half = columns.len() <= L::N;
            let all = L::split_mut(&mut flat[..width]).0;
            let (mut rest_rows, mut rest_values) = (rows, values);
            while let Some(&row) = rest_rows.first() {
                let end = (row as usize / SUMMED + 1) * SUMMED;
                let count = rest_rows.partition_point(|&row| (row as usize) < end);
                let mut sums = [lanes.splat(T::zero()); PANEL];
                let entries = rest_rows[..count].iter().zip(rest_values).map(|(&row, &x)| {
                    let (strip, row) = (row as usize / plan.strip, row as usize % plan.strip);
                    let at = strip * plan.region() + p * plan.tile() + row * width;
                    (lanes.splat(x), L::split(&regions[at..at + width]).0)
                });
                if is_half {
                    entries.for_each(|(x, g)| sums[0] = lanes.mul_add(x, g[0], sums[0]));
                } else {
                    for (x, g) in entries {
                        sums = [lanes.mul_add(x, g[0], sums[0]), lanes.mul_add(x, g[1], sums[1])];
                    }
                }
                for (all, sum) in all.iter_mut().zip(sums) {
                    *all = lanes.add(*all, sum);
                }
                (rest_rows, rest_values) = (&rest_rows[count..], &rest_values[count..]);
            }
            columns.zip(&flat).for_each(|(c, &sum)| dw[c] = sum);
        }
    }
}
