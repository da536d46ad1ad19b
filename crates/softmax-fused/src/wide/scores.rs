//! A block's scores, by panels, and their exponentials.

use super::layout::{Block, CHUNK, Layout};
use super::pack::pack_rows;
use super::scratch::Scratch;
use crate::columns::{Columns, ROWS};
use crate::dense::DenseProblem;
use crate::kernel::lanes::{FusedElement, Kernel, Lanes};
use crate::kernel::products::{TILE, panel_tile, prefetch_later};
use crate::rounds::Crew;
use crate::terms::Terms;
use crate::tiles;

/// Scores, maxima, exponentials and their sums of a block of rows.
pub(super) fn score_block<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &DenseProblem<'_, T>,
    layout: Layout,
    block: Block,
    crew: Crew<'_>,
) {
    let Layout { width, panels, .. } = layout;
    let groups = layout.groups();
    pack_rows(problem, &mut scratch.rows_together, layout, block, crew);
    scratch.scores.resize(groups * layout.region());
    scratch.maxima.resize(panels * layout.block);
    scratch.sums.resize(groups * layout.tile());
    scratch.rest.resize(groups * layout.block);
    scratch.cross.resize(groups * layout.block);
    scratch.columns.resize_with(layout.block.div_ceil(ROWS), Columns::new);

    let (features, weights) = (&*scratch.rows_together, &*scratch.weights);
    let regions = scratch.scores.chunks_mut(layout.region());
    let maxima = scratch.maxima.chunks_mut(layout.group * layout.block);
    crew.for_each(regions.zip(maxima), |group, (scores, maxima)| {
        T::run(crew.level, Scores { features, weights, scores, maxima, terms, layout, block, group });
    });

    for (which, columns) in scratch.columns[..block.rows.div_ceil(ROWS)].iter_mut().enumerate() {
        let first = which * ROWS;
        columns.begin(terms, block.first + first, ROWS.min(block.rows - first));
        columns.cross.fill(T::zero());
        let mut best = [0; ROWS];
        columns.max.fill(T::neg_infinity());
        for (panel, maxima) in scratch.maxima.chunks_exact(layout.block).enumerate() {
            let rows = columns.max.iter_mut().zip(&mut best).zip(&maxima[first..]);
            for ((max, best), &new) in rows {
                let better = new > *max;
                *best = if better { panel } else { *best };
                *max = if better { new } else { *max };
            }
        }
        for k in 0..columns.rows {
            let row = layout.row(best[k], first + k);
            let place = tiles::find(&scratch.scores[row..row + width], columns.max[k]);
            // Where scores are NaN no place has the maximum, and the last panel has more places than classes.
            columns.best[k] = (best[k] * width + place).min(layout.c - 1) as u32;
            if terms.is_point() {
                let label = columns.label[k];
                let score =
                    |_| scratch.scores[layout.row(label / width, first + k) + label % width] - columns.max[k];
                columns.cross[k] = terms.cross(block.first + k, label, 0, layout.c, score);
            }
        }
    }

    let columns = &scratch.columns[..block.rows.div_ceil(ROWS)];
    let regions = scratch.scores.chunks_mut(layout.region());
    let sums = scratch.sums.chunks_mut(layout.tile());
    let rest = scratch.rest.chunks_mut(layout.block);
    let cross = scratch.cross.chunks_mut(layout.block);
    crew.for_each(regions.zip(sums).zip(rest).zip(cross), |group, (((scores, sums), rest), cross)| {
        T::run(crew.level, Exponentials { scores, sums, rest, cross, columns, terms, layout, group });
    });
    for (which, columns) in scratch.columns[..block.rows.div_ceil(ROWS)].iter_mut().enumerate() {
        let parts = scratch.rest.chunks_exact(layout.block).zip(scratch.cross.chunks_exact(layout.block));
        columns.rest.fill(T::zero());
        for (rest, cross) in parts {
            columns.rest.iter_mut().zip(&rest[which * ROWS..]).for_each(|(sum, &part)| *sum += part);
            // Where the targets are points this adds nothing to what is known already.
            columns.cross.iter_mut().zip(&cross[which * ROWS..]).for_each(|(sum, &part)| *sum += part);
        }
    }
}

struct Scores<'t, 'p, T> {
    features: &'t [T],
    weights: &'t [T],
    scores: &'t mut [T],
    maxima: &'t mut [T],
    terms: &'t Terms<'t, 'p, T>,
    layout: Layout,
    block: Block,
    group: usize,
}

impl<T: FusedElement> Kernel<T> for Scores<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let layout = self.layout;
        let Layout { d, width, .. } = layout;
        let (scores, slopes) = self.scores.split_at_mut(layout.group * layout.tile());
        let panels = layout.group.min(layout.panels - self.group * layout.group);
        let used = self.block.rows * width;
        if d == 0 {
            scores.chunks_mut(layout.tile()).take(panels).for_each(|tile| tile[..used].fill(T::zero()));
        }
        for first in (0..d).step_by(CHUNK) {
            let length = CHUNK.min(d - first);
            let padded = layout.block.next_multiple_of(TILE);
            let features = &self.features[first * padded..(first + length) * padded];
            for (k, tile) in scores.chunks_mut(layout.tile()).take(panels).enumerate() {
                let p = self.group * layout.group + k;
                let panel = &self.weights[(p * d + first) * width..(p * d + first + length) * width];
                // The next panel's part comes from memory meanwhile, a piece per tile.
                let next = &self.weights[((p + 1) * d * width).min(self.weights.len())..];
                let next = next.get(first * width..(first + length) * width).unwrap_or(&[]);
                let tiles = tile[..used].chunks_mut(TILE * width).zip(features.chunks(TILE * length));
                let mut pieces = next.chunks(next.len().div_ceil(self.block.rows.div_ceil(TILE)).max(1));
                for (out, x) in tiles {
                    let piece = pieces.next().unwrap_or(&[]);
                    (0..piece.len()).step_by(64 / size_of::<T>()).for_each(|at| prefetch_later(piece, at));
                    panel_tile::<T, L>(lanes, x, panel, out, first == 0);
                }
            }
        }
        let mut slopes = slopes.chunks_mut(layout.tile());
        let tiles = scores.chunks_mut(layout.tile()).take(panels).zip(self.maxima.chunks_mut(layout.block));
        for (k, (tile, maxima)) in tiles.enumerate() {
            let place = layout.place(self.group * layout.group + k);
            tiles::score(
                lanes,
                self.terms,
                &mut tile[..used],
                slopes.next().unwrap_or(&mut []),
                place,
                maxima,
            );
        }
    }
}

struct Exponentials<'t, 'p, T> {
    scores: &'t mut [T],
    sums: &'t mut [T],
    rest: &'t mut [T],
    cross: &'t mut [T],
    columns: &'t [Columns<T>],
    terms: &'t Terms<'t, 'p, T>,
    layout: Layout,
    group: usize,
}

impl<T: FusedElement> Kernel<T> for Exponentials<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let layout = self.layout;
        let panels = layout.group.min(layout.panels - self.group * layout.group);
        self.sums.fill(T::zero());
        self.cross.fill(T::zero());
        for (k, tile) in self.scores.chunks_mut(layout.tile()).take(panels).enumerate() {
            let place = layout.place(self.group * layout.group + k);
            let parts = tile.chunks_mut(ROWS * layout.width).zip(self.sums.chunks_mut(ROWS * layout.width));
            for ((columns, (tile, sums)), cross) in
                self.columns.iter().zip(parts).zip(self.cross.chunks_mut(ROWS))
            {
                let tile = &mut tile[..columns.rows * layout.width];
                tiles::exponentiate(lanes, self.terms, tile, place, columns, sums, cross);
            }
        }
        let (sums, _) = L::split(&*self.sums);
        for (rest, pair) in self.rest.iter_mut().zip(sums.as_chunks::<2>().0) {
            *rest = lanes.sum(lanes.add(pair[0], pair[1]));
        }
    }
}
