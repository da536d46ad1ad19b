//! Products with features in compressed sparse rows: in time proportional to the entries that are stored, times C.

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

/// Entries whose products are summed by themselves in a score.
pub(super) const CHUNK: usize = 256;

/// Panels whose sums are in registers together.
const TOGETHER: usize = 2;

/// W as rows that lie together: its own, or a copy in `room` that the first block makes.
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

/// Products of a strip's rows with a group's classes.
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
            let sums = if columns.len() == TOGETHER * width {
                row_sums::<T, L, true>(lanes, entries, weights, columns)
            } else {
                row_sums::<T, L, false>(lanes, entries, weights, columns)
            };
            for (k, pair) in sums.as_chunks::<PANEL>().0.iter().enumerate().take(panels - p) {
                let out = &mut scores[(p + k) * pitch + row * width..][..width];
                L::split_mut(out).0.copy_from_slice(pair);
            }
        }
    }
}

/// The vectors of some panels.
type Panels<T, L> = [<L as Lanes<T>>::V; TOGETHER * PANEL];

/// Σ x·w over a row's entries, 256 at a time, for some columns of W: `WHOLE` panels, or fewer classes and zeros.
#[inline(always)]
fn row_sums<T: FusedElement, L: Lanes<T>, const WHOLE: bool>(
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
            let w: Panels<T, L> = if WHOLE {
                L::split(row).0.as_chunks().0[0]
            } else {
                std::array::from_fn(|k| lanes.load_part(&row[(k * L::N).min(row.len())..]))
            };
            let x = lanes.splat(x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = lanes.mul_add(x, w, *sum);
            }
        }
        for (all, sum) in all.iter_mut().zip(sums) {
            *all = lanes.add(*all, sum);
        }
    }
    all
}

/// Entries of a block's rows that count, feature by feature.
#[derive(Clone, Debug, Default)]
pub(super) struct Turned<T> {
    /// Where each feature's entries begin, and where the last ends.
    starts: Vec<usize>,
    /// The row of each entry, from the block's first on; they rise within a feature.
    rows: Vec<u32>,
    values: Vec<T>,
}

/// The block's entries, for some features after the other.
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
        let entries_of = |row: usize| {
            let (columns, values) = features.row(block.first + row);
            let from = columns.partition_point(|&column| (column as usize) < range.start);
            let to = columns.partition_point(|&column| (column as usize) < range.end);
            columns[from..to].iter().map(|&column| column as usize - range.start).zip(&values[from..to])
        };
        let counting = || (0..block.rows).filter(|&row| !terms.is_ignored(block.first + row));
        // How many entries each feature has, then where they begin, and while they are written where the next goes.
        turned.starts.clear();
        turned.starts.resize(range.len() + 2, 0);
        counting().for_each(|row| entries_of(row).for_each(|(d, _)| turned.starts[d + 2] += 1));
        (2..turned.starts.len()).for_each(|d| turned.starts[d] += turned.starts[d - 1]);
        let count = turned.starts[range.len() + 1];
        turned.rows.resize(count, 0);
        turned.values.resize(count, T::zero());
        for row in counting() {
            for (d, &x) in entries_of(row) {
                let at = turned.starts[d + 1];
                (turned.rows[at], turned.values[at]) = (row as u32, x);
                turned.starts[d + 1] += 1;
            }
        }
    });
}

/// dW of a group's classes and the features of `turned`.
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
            let all = L::split_mut(&mut flat[..width]).0;
            let (mut rest_rows, mut rest_values) = (rows, values);
            while let Some(&row) = rest_rows.first() {
                let end = (row as usize / SUMMED + 1) * SUMMED;
                let count = rest_rows.partition_point(|&row| (row as usize) < end);
                let mut sums = [lanes.splat(T::zero()); PANEL];
                for (&row, &x) in rest_rows[..count].iter().zip(rest_values) {
                    let (strip, row) = (row as usize / plan.strip, row as usize % plan.strip);
                    let at = strip * plan.region() + p * plan.tile() + row * width;
                    let (x, g) = (lanes.splat(x), L::split(&regions[at..at + width]).0);
                    sums = [lanes.mul_add(x, g[0], sums[0]), lanes.mul_add(x, g[1], sums[1])];
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
