//! Many classes. W is packed once into panels of two vectors of classes; a block of rows goes through scores,
//! maxima, exponentials and G in an array of panels of its own; each panel of dW belongs to one thread, so that
//! no sum depends on how many there are.

use crate::buffer::Buffer;
use crate::kernel::lanes::{FusedElement, Kernel, Lanes, Level};
use crate::kernel::products::{panel_dots, panel_tile};
use crate::terms::{Row, Slope, Terms};
use crate::tiles::{self, Place};
use rayon::prelude::*;
use softmax_core::ndarray::{ArrayViewMut2, Axis};
use softmax_core::{Outputs, Problem};

/// Rows of a tile of scores, and features of a tile of dW: six by two vectors fill the registers of AVX2.
const TILE: usize = 6;

/// Rows of a block at most, if the memory allows.
const BLOCK: usize = 480;

/// Features at a time for the scores, so that their part of a panel of W stays in the first cache.
const CHUNK: usize = 256;

/// Panels that one task handles, and whose sums are added up in order before those of other tasks.
const GROUP: usize = 16;

/// Memory that is kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// W by panels: each D rows of two vectors.
    weights: Buffer<T>,
    /// A block's scores by panels: each a row of two vectors per sample.
    scores: Buffer<T>,
    slopes: Buffer<T>,
    /// A block of X by groups of rows, feature by feature, for the scores.
    rows_together: Buffer<T>,
    /// A block of X by groups of features, row by row, for dW.
    features_together: Buffer<T>,
    /// Per panel, then per group of panels, and per row.
    maxima: Buffer<T>,
    sums: Buffer<T>,
    cross: Buffer<T>,
    dx: Buffer<T>,
    rows: Vec<Row<T>>,
    row_slopes: Vec<Slope<T>>,
}

/// Sizes that hold for the whole call.
#[derive(Clone, Copy)]
struct Layout {
    d: usize,
    c: usize,
    /// Classes of a panel: two vectors.
    width: usize,
    panels: usize,
    /// Rows of a block.
    block: usize,
}

/// The loss before division by Ω, and the number correct.
pub(crate) fn evaluate<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Problem<'_, T>,
    outputs: &mut Outputs<'_, T>,
    memory: usize,
) -> (f64, usize) {
    let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
    let width = 2 * T::lanes(level);
    let panels = c.div_ceil(width);
    // What a row costs: scores, slopes, two copies of its features, dX, and its share of the sums.
    let scores = panels * width * if terms.has_slopes() { 2 } else { 1 };
    let per_row = scores + 3 * d + panels + 2 * panels.div_ceil(GROUP) * width + 8;
    let affordable = memory / std::mem::size_of::<T>() / per_row / TILE * TILE;
    let block = BLOCK.min(affordable.max(TILE)).min(n.max(1));
    let layout = Layout { d, c, width, panels, block };

    pack_weights(problem, &mut scratch.weights, layout);
    let wants_dw = outputs.weights_gradient.is_some();
    if let Some(dw) = &mut outputs.weights_gradient {
        let lambda = T::narrow(problem.objective().l2);
        if lambda == T::zero() {
            dw.fill(T::zero());
        } else {
            dw.zip_mut_with(&problem.weights(), |g, &w| *g = lambda * w);
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        db.fill(T::zero());
    }
    let (mut loss, mut correct) = (0.0, 0);
    for first in (0..n).step_by(block) {
        let rows = block.min(n - first);
        score_block(level, scratch, terms, problem, layout, first, rows);
        for k in 0..rows {
            let row = scratch.rows[k];
            let sample_loss = terms.loss(first + k, &row);
            loss += sample_loss.widen();
            correct += usize::from(terms.is_correct(first + k, &row));
            if let Some(losses) = &mut outputs.sample_losses {
                losses[first + k] = sample_loss;
            }
            if let Some(lse) = &mut outputs.log_sum_exp {
                lse[first + k] = row.lse();
            }
            if let Some(predicted) = &mut outputs.predicted {
                predicted[first + k] = row.best;
            }
        }
        if !outputs.wants_gradient() {
            continue;
        }
        if wants_dw {
            pack_features(problem, &mut scratch.features_together, layout, first, rows);
        }
        finish_block(level, scratch, terms, layout, first, rows, outputs);
        if let Some(dx) = &mut outputs.features_gradient {
            features_gradient(level, scratch, layout, rows);
            for (k, row) in scratch.dx.chunks_exact(d.max(1)).take(rows).enumerate() {
                dx.row_mut(first + k).iter_mut().zip(row).for_each(|(dx, &g)| *dx = g);
            }
        }
    }
    (loss, correct)
}

fn pack_weights<T: FusedElement>(problem: &Problem<'_, T>, packed: &mut Buffer<T>, layout: Layout) {
    let Layout { d, c, width, panels, .. } = layout;
    packed.resize(panels * d * width);
    let weights = problem.weights();
    packed.par_chunks_mut((d * width).max(1)).enumerate().for_each(|(p, panel)| {
        let first = p * width;
        for (row, to) in weights.rows().into_iter().zip(panel.chunks_exact_mut(width)) {
            let (to, padding) = to.split_at_mut(width.min(c - first));
            match row.to_slice() {
                Some(row) => to.copy_from_slice(&row[first..first + to.len()]),
                None => to.iter_mut().enumerate().for_each(|(k, to)| *to = row[first + k]),
            }
            padding.fill(T::zero());
        }
    });
}

/// The block's rows by groups of `TILE`, zero beyond the last.
fn pack_rows<T: FusedElement>(
    problem: &Problem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    first: usize,
    rows: usize,
) {
    let d = layout.d;
    packed.resize(layout.block.next_multiple_of(TILE) * d);
    let features = problem.features();
    packed.par_chunks_mut((TILE * d).max(1)).enumerate().for_each(|(group, to)| {
        let count = TILE.min(rows.saturating_sub(group * TILE));
        let row = |k: usize| features.index_axis_move(Axis(0), first + group * TILE + k).to_slice();
        let slices: [Option<&[T]>; TILE] = std::array::from_fn(|k| if k < count { row(k) } else { None });
        if let [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] = slices {
            for ((((((to, a), b), c), d), e), f) in
                to.as_chunks_mut::<TILE>().0.iter_mut().zip(a).zip(b).zip(c).zip(d).zip(e).zip(f)
            {
                *to = [*a, *b, *c, *d, *e, *f];
            }
            return;
        }
        for (column, to) in to.chunks_exact_mut(TILE).enumerate() {
            for (k, to) in to.iter_mut().enumerate() {
                *to = if k < count { features[[first + group * TILE + k, column]] } else { T::zero() };
            }
        }
    });
}

/// The block's features by groups of `TILE`, zero beyond the last.
fn pack_features<T: FusedElement>(
    problem: &Problem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    first: usize,
    rows: usize,
) {
    let d = layout.d;
    packed.resize(d.div_ceil(TILE) * layout.block * TILE);
    let features = problem.features();
    packed.par_chunks_mut(layout.block * TILE).enumerate().for_each(|(group, to)| {
        let columns = group * TILE..(group * TILE + TILE).min(d);
        for (k, to) in to.chunks_exact_mut(TILE).take(rows).enumerate() {
            let row = features.index_axis_move(Axis(0), first + k);
            let (to, padding) = to.split_at_mut(columns.len());
            match row.to_slice() {
                Some(row) => to.copy_from_slice(&row[columns.clone()]),
                None => to.iter_mut().zip(columns.clone()).for_each(|(to, column)| *to = row[column]),
            }
            padding.fill(T::zero());
        }
    });
}

/// Scores, maxima, exponentials and their sums of a block of rows.
fn score_block<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Problem<'_, T>,
    layout: Layout,
    first_sample: usize,
    rows: usize,
) {
    let Layout { width, panels, block, .. } = layout;
    pack_rows(problem, &mut scratch.rows_together, layout, first_sample, rows);
    let groups = panels.div_ceil(GROUP);
    scratch.scores.resize(panels * block * width);
    scratch.slopes.resize(if terms.has_slopes() { panels * block * width } else { 0 });
    scratch.maxima.resize(panels * block);
    scratch.sums.resize(groups * block * width);
    scratch.cross.resize(groups * block);
    scratch.rows.resize(block, Row::new());
    scratch.row_slopes.resize(block, Slope::none());

    let (features, weights) = (&*scratch.rows_together, &*scratch.weights);
    let size = GROUP * block * width;
    let slopes = Chunks::new(&mut scratch.slopes, size, groups);
    scratch
        .scores
        .par_chunks_mut(size)
        .zip(slopes.0.into_par_iter())
        .zip(scratch.maxima.par_chunks_mut(GROUP * block))
        .enumerate()
        .for_each(|(group, ((scores, slopes), maxima))| {
            let first_panel = group * GROUP;
            let work = Scores {
                features,
                weights,
                scores,
                slopes,
                maxima,
                terms,
                layout,
                first_sample,
                rows,
                first_panel,
            };
            T::run(level, work);
        });

    for k in 0..rows {
        let row = &mut scratch.rows[k];
        *row = Row::new();
        let mut best_panel = 0;
        for p in 0..panels {
            let max = scratch.maxima[p * block + k];
            if max > row.max {
                (row.max, best_panel) = (max, p);
            }
        }
        let tile = &scratch.scores[(best_panel * block + k) * width..][..width];
        row.best = best_panel * width + tiles::find(tile, row.max);
    }

    let states = &scratch.rows[..rows];
    scratch
        .scores
        .par_chunks_mut(size)
        .zip(scratch.sums.par_chunks_mut(block * width))
        .zip(scratch.cross.par_chunks_mut(block))
        .enumerate()
        .for_each(|(group, ((scores, sums), cross))| {
            let first_panel = group * GROUP;
            T::run(
                level,
                Exponentials { scores, sums, cross, states, terms, layout, first_sample, first_panel },
            );
        });
    for k in 0..rows {
        let row = &mut scratch.rows[k];
        for group in 0..groups {
            row.rest += scratch.sums[(group * block + k) * width..][..width].iter().copied().sum();
            row.cross += scratch.cross[group * block + k];
        }
        let mut log_rest = [row.rest];
        T::ln_1p_in_place(&mut log_rest);
        row.log_rest = log_rest[0];
        scratch.row_slopes[k] = terms.slope(first_sample + k, row);
    }
}

/// As many chunks as are asked for, empty ones where the slice is.
struct Chunks<'a, T>(Vec<&'a mut [T]>);

impl<'a, T> Chunks<'a, T> {
    fn new(slice: &'a mut [T], size: usize, count: usize) -> Self {
        let mut chunks: Vec<&mut [T]> = slice.chunks_mut(size).collect();
        chunks.resize_with(count, || &mut []);
        Chunks(chunks)
    }
}

struct Scores<'t, 'p, T> {
    features: &'t [T],
    weights: &'t [T],
    scores: &'t mut [T],
    slopes: &'t mut [T],
    maxima: &'t mut [T],
    terms: &'t Terms<'t, 'p, T>,
    layout: Layout,
    first_sample: usize,
    rows: usize,
    first_panel: usize,
}

impl<T: FusedElement> Kernel<T> for Scores<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Layout { d, c, width, block, .. } = self.layout;
        for (k, (tile, maxima)) in
            self.scores.chunks_mut(block * width).zip(self.maxima.chunks_mut(block)).enumerate()
        {
            let p = self.first_panel + k;
            let panel = &self.weights[p * d * width..(p + 1) * d * width];
            let tile = &mut tile[..self.rows * width];
            tile.fill(T::zero());
            for first in (0..d).step_by(CHUNK) {
                let chunk = first..(first + CHUNK).min(d);
                let panel = &panel[chunk.start * width..chunk.end * width];
                for (out, x) in tile.chunks_mut(TILE * width).zip(self.features.chunks(TILE * d)) {
                    let x = &x[chunk.start * TILE..chunk.end * TILE];
                    panel_tile::<T, L, TILE>(lanes, x, panel, out);
                }
            }
            let slopes = self.slopes.chunks_mut(block * width).nth(k).unwrap_or(&mut []);
            let place = place(self.first_sample, p, width, c);
            tiles::score(self.terms, tile, slopes, place, maxima);
        }
    }
}

fn place(first_sample: usize, panel: usize, width: usize, c: usize) -> Place {
    let first_class = panel * width;
    Place { first_sample, first_class, classes: width.min(c - first_class), width }
}

struct Exponentials<'t, 'p, T> {
    scores: &'t mut [T],
    sums: &'t mut [T],
    cross: &'t mut [T],
    states: &'t [Row<T>],
    terms: &'t Terms<'t, 'p, T>,
    layout: Layout,
    first_sample: usize,
    first_panel: usize,
}

impl<T: FusedElement> Kernel<T> for Exponentials<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, _: L) {
        let Layout { c, width, block, .. } = self.layout;
        self.sums.fill(T::zero());
        self.cross.fill(T::zero());
        for (k, tile) in self.scores.chunks_mut(block * width).enumerate() {
            let tile = &mut tile[..self.states.len() * width];
            let place = place(self.first_sample, self.first_panel + k, width, c);
            tiles::exponentiate(self.terms, tile, place, self.states, self.cross);
            self.sums.iter_mut().zip(&*tile).for_each(|(sum, &e)| *sum += e);
        }
    }
}

/// Exponentials to G, and G to dW and db.
fn finish_block<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    layout: Layout,
    first_sample: usize,
    rows: usize,
    outputs: &mut Outputs<'_, T>,
) {
    let Layout { width, panels, block, .. } = layout;
    let size = block * width;
    let dw: Vec<Option<ArrayViewMut2<'_, T>>> = match &mut outputs.weights_gradient {
        Some(dw) => dw.axis_chunks_iter_mut(Axis(1), width).map(Some).collect(),
        None => (0..panels).map(|_| None).collect(),
    };
    let (states, row_slopes) = (&scratch.rows[..rows], &scratch.row_slopes[..rows]);
    let (groups, slopes) = (&*scratch.features_together, &*scratch.slopes);
    scratch.scores.par_chunks_mut(size).zip(dw).enumerate().for_each(|(panel, (tile, dw))| {
        let slopes = slopes.chunks(size).nth(panel).unwrap_or(&[]);
        T::run(level, Gradient { tile, slopes, groups, dw, states, row_slopes, terms, layout, first_sample, panel });
    });
    if let Some(db) = &mut outputs.bias_gradient {
        for (panel, mut db) in db.axis_chunks_iter_mut(Axis(0), width).enumerate() {
            for row in scratch.scores[panel * size..].chunks_exact(width).take(rows) {
                db.iter_mut().zip(row).for_each(|(db, &g)| *db += g);
            }
        }
    }
}

struct Gradient<'t, 'a, 'p, T> {
    tile: &'t mut [T],
    slopes: &'t [T],
    groups: &'t [T],
    dw: Option<ArrayViewMut2<'a, T>>,
    states: &'t [Row<T>],
    row_slopes: &'t [Slope<T>],
    terms: &'t Terms<'t, 'p, T>,
    layout: Layout,
    first_sample: usize,
    panel: usize,
}

impl<T: FusedElement> Kernel<T> for Gradient<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Layout { d, c, width, block, .. } = self.layout;
        let place = place(self.first_sample, self.panel, width, c);
        let tile = &mut self.tile[..self.states.len() * width];
        tiles::finish(self.terms, tile, self.slopes, place, self.states, self.row_slopes);
        let Some(mut dw) = self.dw else { return };
        // At most sixteen elements a vector, two vectors a row.
        let mut sums = [T::zero(); TILE * 32];
        for (first, x) in (0..d).step_by(TILE).zip(self.groups.chunks(block * TILE)) {
            let sums = &mut sums[..TILE * width];
            sums.fill(T::zero());
            // Touched before the product, the lines of dW arrive while it is computed.
            for row in first..(first + TILE).min(d) {
                std::hint::black_box(dw[[row, 0]]);
            }
            panel_tile::<T, L, TILE>(lanes, x, tile, sums);
            for (row, sums) in (first..d).zip(sums.chunks_exact(width)) {
                let mut out = dw.row_mut(row);
                match out.as_slice_mut() {
                    Some(out) => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
                    None => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
                }
            }
        }
    }
}

/// G·Wᵀ of the block, a group of panels after the other.
fn features_gradient<T: FusedElement>(level: Level, scratch: &mut Scratch<T>, layout: Layout, rows: usize) {
    let d = layout.d;
    scratch.dx.zeros(layout.block * d);
    let (scores, weights) = (&*scratch.scores, &*scratch.weights);
    scratch.dx[..rows * d].par_chunks_mut((4 * d).max(1)).enumerate().for_each(|(k, dx)| {
        T::run(level, Features { dx, scores, weights, layout, first_row: 4 * k });
    });
}

struct Features<'t, T> {
    dx: &'t mut [T],
    scores: &'t [T],
    weights: &'t [T],
    layout: Layout,
    first_row: usize,
}

impl<T: FusedElement> Kernel<T> for Features<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Layout { d, width, panels, block, .. } = self.layout;
        let rows = self.dx.len() / d.max(1);
        for first in (0..panels).step_by(GROUP) {
            let count = GROUP.min(panels - first);
            let g = &self.scores[first * block * width..(first + count) * block * width];
            let w = &self.weights[first * d * width..(first + count) * d * width];
            for k in (0..d).step_by(3) {
                macro_rules! tile {
                    ($rows:literal, $features:literal, $r:expr) => {{
                        let g = &g[(self.first_row + $r) * width..];
                        let w = &w[k * width..];
                        let sums =
                            panel_dots::<T, L, $rows, $features>(lanes, g, block * width, w, d * width);
                        for (r, sums) in sums.iter().enumerate() {
                            let out = &mut self.dx[($r + r) * d + k..][..$features];
                            out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum);
                        }
                    }};
                }
                match (rows, d - k) {
                    (4, 1) => tile!(4, 1, 0),
                    (4, 2) => tile!(4, 2, 0),
                    (4, _) => tile!(4, 3, 0),
                    (_, 1) => (0..rows).for_each(|r| tile!(1, 1, r)),
                    (_, 2) => (0..rows).for_each(|r| tile!(1, 2, r)),
                    (_, _) => (0..rows).for_each(|r| tile!(1, 3, r)),
                }
            }
        }
    }
}
