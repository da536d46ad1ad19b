//! Many classes. W is packed once into panels of two vectors of classes; a block of rows goes through scores,
//! maxima, exponentials and G in an array of panels of its own; each panel of dW belongs to one task, so that no sum
//! depends on how many threads there are.

use crate::buffer::Buffer;
use crate::columns::{Columns, ROWS};
use crate::kernel::lanes::{FusedElement, Kernel, Lanes, Level};
use crate::kernel::products::{TILE, panel_tile, prefetch, prefetch_later, strided_tile};
use crate::terms::Terms;
use crate::tiles::{self, MOST_WIDTH, Place};
use rayon::prelude::*;
use softmax_core::ndarray::{ArrayViewMut2, Axis};
use softmax_core::{Outputs, Problem};

/// Features at a time for the scores, so that their part of a panel of W stays in the first cache.
const CHUNK: usize = 256;

/// Bytes of that many features of a block's rows: they are to stay in the second cache.
const BLOCK_BYTES: usize = 384 << 10;

/// Rows whose part of dW is summed by itself.
const SUMMED: usize = 128;

/// Panels of one task at most, and how many tasks there are to be before a task has more than one.
const GROUP: usize = 16;
const TASKS: usize = 16;

/// Memory that is kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// W by panels: each D rows of two vectors.
    weights: Buffer<T>,
    /// A block's scores by panels, each a row of two vectors per sample; after those of a group of panels, their
    /// slopes, if there is a softcap.
    scores: Buffer<T>,
    /// A block of X for the scores: by chunks of features, then by groups of rows, then by features.
    rows_together: Buffer<T>,
    /// A block of X for dW: by groups of features, then by rows.
    features_together: Buffer<T>,
    /// Per panel and row.
    maxima: Buffer<T>,
    /// Per group of panels and row: sums in vectors, their sums, and the parts of Σ a·(s − m).
    sums: Buffer<T>,
    rest: Buffer<T>,
    cross: Buffer<T>,
    /// A block of dX by panels of two vectors of features.
    dx: Buffer<T>,
    columns: Vec<Columns<T>>,
}

/// Sizes that hold for the whole call.
#[derive(Clone, Copy)]
struct Layout {
    d: usize,
    c: usize,
    /// Classes of a panel: two vectors.
    width: usize,
    panels: usize,
    /// Panels of a task.
    group: usize,
    /// Rows of a block.
    block: usize,
    slopes: bool,
}

impl Layout {
    fn new<T: FusedElement>(
        level: Level,
        problem: &Problem<'_, T>,
        memory: usize,
        slopes: bool,
        dx: bool,
    ) -> Self {
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let width = 2 * T::lanes(level);
        let panels = c.div_ceil(width);
        let group = (panels / TASKS).clamp(1, GROUP);
        // What a row costs: scores, slopes, two copies of its features, dX, and its share of the sums.
        let scores = panels * width * if slopes { 2 } else { 1 };
        let sums = panels + panels.div_ceil(group) * (width + 2);
        let per_row = scores + (if dx { 3 } else { 2 }) * (d + width) + sums + 16;
        let affordable = memory / size_of::<T>() / per_row;
        let cached = BLOCK_BYTES / CHUNK / size_of::<T>();
        let most = cached.min(affordable).max(TILE);
        // As many blocks as that takes, and all of a size.
        let block = n.div_ceil(n.div_ceil(most).max(1)).next_multiple_of(TILE).clamp(TILE, most.max(TILE));
        Layout { d, c, width, panels, group, block, slopes }
    }

    fn groups(self) -> usize {
        self.panels.div_ceil(self.group)
    }

    /// Scores of a panel.
    fn tile(self) -> usize {
        self.block * self.width
    }

    /// Scores and slopes of a group of panels.
    fn region(self) -> usize {
        self.group * self.tile() * if self.slopes { 2 } else { 1 }
    }

    /// Where a panel's scores of a row begin.
    fn row(self, panel: usize, row: usize) -> usize {
        panel / self.group * self.region() + panel % self.group * self.tile() + row * self.width
    }

    fn place(self, panel: usize) -> Place {
        let first_class = panel * self.width;
        Place { first_class, classes: self.width.min(self.c - first_class), width: self.width }
    }
}

/// Which rows a block has.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    rows: usize,
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
    let dx = outputs.features_gradient.is_some();
    let layout = Layout::new(level, problem, memory, terms.has_slopes(), dx);
    let n = problem.n_samples();
    pack_weights(problem, &mut scratch.weights, layout);
    if let Some(db) = &mut outputs.bias_gradient {
        db.fill(T::zero());
    }
    let (mut loss, mut correct) = (0.0, 0);
    for first in (0..n).step_by(layout.block) {
        let block = Block { first, rows: layout.block.min(n - first) };
        score_block(level, scratch, terms, problem, layout, block);
        for columns in &mut scratch.columns[..block.rows.div_ceil(ROWS)] {
            loss += columns.losses(terms);
            correct += columns.correct();
            for k in 0..columns.rows {
                let i = columns.first_sample + k;
                if let Some(losses) = &mut outputs.sample_losses {
                    losses[i] = columns.loss[k];
                }
                if let Some(lse) = &mut outputs.log_sum_exp {
                    lse[i] = columns.lse(k);
                }
                if let Some(predicted) = &mut outputs.predicted {
                    predicted[i] = columns.best(k);
                }
            }
            if outputs.wants_gradient() {
                columns.slopes(terms);
            }
        }
        if outputs.wants_gradient() {
            gradient_block(level, scratch, terms, problem, layout, block, outputs);
        }
        if let Some(dx) = &mut outputs.features_gradient {
            features_gradient(level, scratch, layout, block, dx);
        }
    }
    if let Some(dw) = &mut outputs.weights_gradient {
        if n == 0 {
            dw.fill(T::zero());
        }
        if terms.l2() != T::zero() {
            dw.zip_mut_with(&problem.weights(), |g, &w| *g += terms.l2() * w);
        }
    }
    (loss, correct)
}

fn pack_weights<T: FusedElement>(problem: &Problem<'_, T>, packed: &mut Buffer<T>, layout: Layout) {
    let Layout { d, c, width, panels, .. } = layout;
    packed.resize(panels * d * width);
    let weights = problem.weights();
    // Some panels together, so that what is read of a row of W is more than a cache line.
    packed.par_chunks_mut((layout.group * d * width).max(1)).enumerate().for_each(|(group, packed)| {
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
fn pack_rows<T: FusedElement>(
    problem: &Problem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    block: Block,
) {
    let (d, padded) = (layout.d, layout.block.next_multiple_of(TILE));
    packed.resize(padded * d);
    let features = problem.features();
    packed.par_chunks_mut(padded * CHUNK).enumerate().for_each(|(chunk, packed)| {
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

/// The block's features by groups of `TILE`, zero beyond the last.
fn pack_features<T: FusedElement>(
    problem: &Problem<'_, T>,
    packed: &mut Buffer<T>,
    layout: Layout,
    block: Block,
) {
    /// Groups that take their part of a row together.
    const TOGETHER: usize = 8;
    let (d, length) = (layout.d, layout.block * TILE);
    packed.resize(d.div_ceil(TILE) * length);
    let features = problem.features();
    packed.par_chunks_mut(TOGETHER * length).enumerate().for_each(|(some, packed)| {
        for k in 0..block.rows {
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

/// Scores, maxima, exponentials and their sums of a block of rows.
fn score_block<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Problem<'_, T>,
    layout: Layout,
    block: Block,
) {
    let Layout { width, panels, .. } = layout;
    let groups = layout.groups();
    pack_rows(problem, &mut scratch.rows_together, layout, block);
    scratch.scores.resize(groups * layout.region());
    scratch.maxima.resize(panels * layout.block);
    scratch.sums.resize(groups * layout.tile());
    scratch.rest.resize(groups * layout.block);
    scratch.cross.resize(groups * layout.block);
    scratch.columns.resize_with(layout.block.div_ceil(ROWS), Columns::new);

    let (features, weights) = (&*scratch.rows_together, &*scratch.weights);
    let regions = scratch.scores.par_chunks_mut(layout.region());
    let maxima = scratch.maxima.par_chunks_mut(layout.group * layout.block);
    regions.zip(maxima).enumerate().for_each(|(group, (scores, maxima))| {
        T::run(level, Scores { features, weights, scores, maxima, terms, layout, block, group });
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
            columns.best[k] = (best[k] * width + place) as u32;
            if terms.is_point() {
                let label = columns.label[k];
                let score =
                    |_| scratch.scores[layout.row(label / width, first + k) + label % width] - columns.max[k];
                columns.cross[k] = terms.cross(block.first + k, label, 0, layout.c, score);
            }
        }
    }

    let columns = &scratch.columns[..block.rows.div_ceil(ROWS)];
    let regions = scratch.scores.par_chunks_mut(layout.region());
    let sums = scratch.sums.par_chunks_mut(layout.tile());
    let rest = scratch.rest.par_chunks_mut(layout.block);
    let cross = scratch.cross.par_chunks_mut(layout.block);
    regions.zip(sums).zip(rest).zip(cross).enumerate().for_each(
        |(group, (((scores, sums), rest), cross))| {
            T::run(level, Exponentials { scores, sums, rest, cross, columns, terms, layout, group });
        },
    );
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

/// Exponentials to G, and G to dW and db.
fn gradient_block<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Problem<'_, T>,
    layout: Layout,
    block: Block,
    outputs: &mut Outputs<'_, T>,
) {
    if outputs.weights_gradient.is_some() {
        pack_features(problem, &mut scratch.features_together, layout, block);
    }
    let (columns, features) = (&scratch.columns[..block.rows.div_ceil(ROWS)], &*scratch.features_together);
    let regions = scratch.scores.par_chunks_mut(layout.region()).enumerate();
    let work = |(group, scores): (usize, &mut [T]), dw: Option<ArrayViewMut2<'_, T>>| {
        T::run(level, Gradient { scores, features, dw, columns, terms, layout, block, group });
    };
    match &mut outputs.weights_gradient {
        None => regions.for_each(|region| work(region, None)),
        Some(dw) => {
            let panels = dw.axis_chunks_iter_mut(Axis(1), layout.group * layout.width).into_par_iter();
            regions.zip(panels).for_each(|(region, dw)| work(region, Some(dw)));
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        for (panel, mut db) in db.axis_chunks_iter_mut(Axis(0), layout.width).enumerate() {
            let first = layout.row(panel, 0);
            for row in scratch.scores[first..].chunks_exact(layout.width).take(block.rows) {
                db.iter_mut().zip(row).for_each(|(db, &g)| *db += g);
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
                    add_to_rows::<T, L>(
                        lanes,
                        x,
                        tile,
                        &mut dw,
                        first,
                        columns.clone(),
                        self.block.first == 0,
                    );
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
    is_first: bool,
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
            Some(out) if is_first => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum),
            Some(out) => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
            None => {
                for (column, &sum) in columns.clone().zip(sums) {
                    let before = if is_first { T::zero() } else { out[column] };
                    out[column] = before + sum;
                }
            }
        }
    }
}

/// G·Wᵀ of the block, by panels of features: a group of panels of classes after the other.
fn features_gradient<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    layout: Layout,
    block: Block,
    dx: &mut ArrayViewMut2<'_, T>,
) {
    let (d, width) = (layout.d, layout.width);
    let padded = layout.block.next_multiple_of(TILE);
    scratch.dx.resize(d.div_ceil(width) * padded * width);
    let (scores, weights) = (&*scratch.scores, &*scratch.weights);
    // A few panels of features share what they read of G.
    const TOGETHER: usize = 4;
    scratch.dx.par_chunks_mut(TOGETHER * padded * width).enumerate().for_each(|(some, dx)| {
        T::run(level, Features { dx, scores, weights, layout, block, first_panel: some * TOGETHER });
    });
    let packed = &*scratch.dx;
    let mut rows = dx.slice_axis_mut(Axis(0), (block.first..block.first + block.rows).into());
    rows.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(k, mut row)| {
        for (mut row, panel) in
            row.axis_chunks_iter_mut(Axis(0), width).zip(packed.chunks_exact(padded * width))
        {
            row.iter_mut().zip(&panel[k * width..]).for_each(|(dx, &sum)| *dx = sum);
        }
    });
}

struct Features<'t, T> {
    dx: &'t mut [T],
    scores: &'t [T],
    weights: &'t [T],
    layout: Layout,
    block: Block,
    first_panel: usize,
}

impl<T: FusedElement> Kernel<T> for Features<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let layout = self.layout;
        let (d, width) = (layout.d, layout.width);
        let padded = layout.block.next_multiple_of(TILE);
        self.dx.fill(T::zero());
        // A panel of W with the features in the lanes.
        let mut turned = [T::zero(); MOST_WIDTH * MOST_WIDTH];
        for p in 0..layout.panels {
            let panel = &self.weights[p * d * width..(p + 1) * d * width];
            let first = layout.row(p, 0);
            let g = &self.scores[first..first + self.block.rows * width];
            for (k, out) in self.dx.chunks_exact_mut(padded * width).enumerate() {
                let column = (self.first_panel + k) * width;
                let count = width.min(d - column);
                for (j, w) in panel[column * width..][..count * width].chunks_exact(width).enumerate() {
                    w.iter().enumerate().for_each(|(class, &w)| turned[class * width + j] = w);
                }
                let turned = &turned[..width * width];
                for (out, g) in out.chunks_exact_mut(TILE * width).zip(g.chunks(TILE * width)) {
                    strided_tile::<T, L>(lanes, g, width, turned, out);
                }
            }
        }
    }
}
