//! G, dW and db of a block of rows.

use super::layout::{BLOCK_BYTES, Block, Layout};
use super::pack::pack_features;
use super::scratch::Scratch;
use crate::columns::{Columns, ROWS};
use crate::dense::DenseProblem;
use crate::kernel::lanes::{FusedElement, Kernel, Lanes};
use crate::kernel::products::{TILE, panel_tile, prefetch};
use crate::rounds::Crew;
use crate::terms::Terms;
use crate::tiles::{self, MOST_WIDTH};
use softmax_core::Outputs;
use softmax_core::ndarray::{ArrayViewMut2, Axis};

/// Rows whose part of dW is summed by itself.
const SUMMED: usize = 128;

/// Exponentials to G, and G to dW and db.
pub(super) fn gradient_block<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &DenseProblem<'_, T>,
    layout: Layout,
    block: Block,
    outputs: &mut Outputs<'_, T>,
    crew: Crew<'_>,
) {
    if outputs.weights_gradient.is_some() {
        pack_features(terms, problem, &mut scratch.features_together, layout, block, crew);
    }
    let (columns, features) = (&scratch.columns[..block.rows.div_ceil(ROWS)], &*scratch.features_together);
    let regions = scratch.scores.chunks_mut(layout.region());
    // The first block overwrites dW, unless it is added to what there is.
    let overwrites = block.first == 0 && !outputs.accumulate;
    let work = |group, scores: &mut [T], dw: Option<ArrayViewMut2<'_, T>>| {
        T::run(
            crew.level,
            Gradient { scores, features, dw, columns, terms, layout, block, group, overwrites },
        );
    };
    match &mut outputs.weights_gradient {
        None => crew.for_each(regions, |group, scores| work(group, scores, None)),
        Some(dw) => {
            let panels = dw.axis_chunks_iter_mut(Axis(1), layout.group * layout.width);
            crew.for_each(regions.zip(panels), |group, (scores, dw)| work(group, scores, Some(dw)));
        }
    }
    if outputs.bias_gradient.is_some() {
        for (panel, db) in scratch.db.chunks_mut(layout.width).enumerate() {
            let first = layout.row(panel, 0);
            let rows = &scratch.scores[first..first + block.rows * layout.width];
            for rows in rows.chunks(SUMMED * layout.width) {
                let mut sums = [T::zero(); MOST_WIDTH];
                for row in rows.chunks_exact(layout.width) {
                    sums.iter_mut().zip(row).for_each(|(sum, &g)| *sum += g);
                }
                db.iter_mut().zip(sums).for_each(|(db, sum)| *db += sum.widen());
            }
        }
    }
}

struct Gradient<'t, 'a, 'p, T> {
    scores: &'t mut [T],
    features: &'t [T],
    dw: Option<ArrayViewMut2<'a, T>>,
    columns: &'t [Columns<T>],
    terms: &'t Terms<'t, 'p, T>,
    layout: Layout,
    block: Block,
    group: usize,
    overwrites: bool,
}

impl<T: FusedElement> Kernel<T> for Gradient<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let layout = self.layout;
        let width = layout.width;
        let panels = layout.group.min(layout.panels - self.group * layout.group);
        let (scores, slopes) = self.scores.split_at_mut(layout.group * layout.tile());
        let mut slopes = slopes.chunks(layout.tile());
        for (k, tile) in scores.chunks_mut(layout.tile()).take(panels).enumerate() {
            let place = layout.place(self.group * layout.group + k);
            let mut slopes = slopes.next().unwrap_or(&[]).chunks(ROWS * width);
            for (columns, tile) in self.columns.iter().zip(tile.chunks_mut(ROWS * width)) {
                let tile = &mut tile[..columns.rows * width];
                tiles::finish(lanes, self.terms, tile, slopes.next().unwrap_or(&[]), place, columns);
            }
        }
        let Some(mut dw) = self.dw else { return };
        // Features whose part of X stays in the second cache while the panels take turns.
        let together = (BLOCK_BYTES / size_of::<T>() / (layout.block * TILE)).max(1);
        for (some, features) in self.features.chunks(together * layout.block * TILE).enumerate() {
            for (k, tile) in scores.chunks(layout.tile()).take(panels).enumerate() {
                let tile = &tile[..self.block.rows * width];
                let columns = k * width..k * width + layout.place(self.group * layout.group + k).classes;
                for (group, x) in features.chunks(layout.block * TILE).enumerate() {
                    let first = (some * together + group) * TILE;
                    add_to_rows::<T, L>(lanes, x, tile, &mut dw, first, columns.clone(), self.overwrites);
                }
            }
        }
    }
}

/// A tile of dW: `TILE` of its rows from the `first` on, or as many as there are.
#[inline(always)]
fn add_to_rows<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    x: &[T],
    g: &[T],
    dw: &mut ArrayViewMut2<'_, T>,
    first: usize,
    columns: std::ops::Range<usize>,
    overwrites: bool,
) {
    let rows = first..(first + TILE).min(dw.nrows());
    // The lines of dW arrive while the product is computed.
    for row in rows.clone() {
        if let Some(row) = dw.row(row).to_slice() {
            prefetch(row, columns.start);
            prefetch(row, columns.end - 1);
        }
    }
    let mut sums = [T::zero(); TILE * MOST_WIDTH];
    let width = 2 * L::N;
    // In parts, whose sums are added up apart: what is added to a large sum loses most.
    for (k, (x, g)) in x.chunks(SUMMED * TILE).zip(g.chunks(SUMMED * width)).enumerate() {
        panel_tile::<T, L>(lanes, x, g, &mut sums[..TILE * width], k == 0);
    }
    for (row, sums) in rows.zip(sums.chunks_exact(width)) {
        let mut out = dw.row_mut(row);
        match out.as_slice_mut().map(|out| &mut out[columns.clone()]) {
            Some(out) if overwrites => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum),
            Some(out) => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
            None => {
                for (column, &sum) in columns.clone().zip(sums) {
                    let before = if overwrites { T::zero() } else { out[column] };
                    out[column] = before + sum;
                }
            }
        }
    }
}
