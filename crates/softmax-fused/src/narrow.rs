//! Few classes. Both products have the features in the vector lanes; a panel of rows of X is read from memory
//! once, for the scores, and from cache again, for dW. Rows are shared out in fixed tasks, each with a dWᵀ of its
//! own; these are added in a fixed order.

use crate::buffer::Buffer;
use crate::columns::{Columns, ROWS};
use crate::kernel::lanes::{FusedElement, Kernel, Lanes, Level};
use crate::kernel::products::{dots, update};
use crate::terms::Terms;
use rayon::{Scope, ThreadPool};
use softmax_core::ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use softmax_core::{Outputs, Problem};
use std::sync::{Mutex, PoisonError};

/// Rows of a panel at most, and the distance between classes in a panel's tile of scores.
const PANEL: usize = ROWS;

/// Bytes of a panel of X: with Wᵀ and dWᵀ it is to stay in the second cache.
const PANEL_BYTES: usize = 200 << 10;

/// Features at a time, so that their part of Wᵀ stays in the first cache. A multiple of any vector's length.
const CHUNK: usize = 448;

/// Tasks at most, and rows that one is worth.
const TASKS: usize = 32;
const TASK_ROWS: usize = 64;

/// Multiply-adds that are not worth waking another thread.
const ALONE: usize = 100_000;

/// Sizes that hold for the whole call, and where things lie in packed weights: by chunks of features, in each by
/// classes, each with its features and zeros up to a whole vector.
#[derive(Clone, Copy)]
struct Layout {
    d: usize,
    c: usize,
    /// Elements of a vector.
    lanes: usize,
    /// Rows of a panel.
    panel: usize,
}

impl Layout {
    fn new<T: FusedElement>(level: Level, problem: &Problem<'_, T>) -> Self {
        let (d, c) = (problem.n_features(), problem.n_classes());
        let panel = PANEL_BYTES / size_of::<T>() / d.max(1);
        Layout { d, c, lanes: T::lanes(level), panel: (panel / 6 * 6).clamp(6, PANEL / 6 * 6) }
    }

    /// Length of packed weights.
    fn packed(self) -> usize {
        self.d.next_multiple_of(self.lanes) * self.c
    }

    fn chunks(self) -> impl Iterator<Item = Chunk> {
        (0..self.d).step_by(CHUNK).map(move |first| {
            let length = CHUNK.min(self.d - first);
            Chunk { first, length, offset: first * self.c, stride: length.next_multiple_of(self.lanes) }
        })
    }
}

/// Some features.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    length: usize,
    /// Where its first class lies in packed weights, and how far from it the next.
    offset: usize,
    stride: usize,
}

impl Chunk {
    fn of<'a, T>(&self, packed: &'a [T], c: usize) -> &'a [T] {
        &packed[self.offset..self.offset + c * self.stride]
    }

    fn of_row<'a, T>(&self, row: &'a [T]) -> &'a [T] {
        row.get(self.first..self.first + self.length).unwrap_or(&[])
    }
}

/// What the rows of one task give: `'s` is the scratch's, `'o` the outputs'.
struct Task<'s, 'o, T> {
    first_sample: usize,
    rows: usize,
    dw: Option<&'s mut [T]>,
    db: Option<&'s mut [T]>,
    dx: Option<ArrayViewMut2<'o, T>>,
    losses: Option<ArrayViewMut1<'o, T>>,
    lse: Option<ArrayViewMut1<'o, T>>,
    predicted: Option<ArrayViewMut1<'o, usize>>,
    scratch: &'s mut [T],
    loss: f64,
    correct: usize,
}

/// Memory that is kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// Wᵀ, packed.
    weights: Buffer<T>,
    /// Each task's dWᵀ, packed, and db.
    partial_dw: Buffer<T>,
    partial_db: Buffer<T>,
    tiles: Buffer<T>,
}

/// Lengths of what a task needs for its panels.
#[derive(Clone, Copy)]
struct Tiles {
    scores: usize,
    slopes: usize,
    /// The vectors in which scores are summed.
    sums: usize,
    copies: usize,
    dx: usize,
}

impl Tiles {
    fn new<T: FusedElement>(problem: &Problem<'_, T>, layout: Layout, slopes: bool, dx: bool) -> Self {
        let contiguous = layout.d <= 1 || problem.features().strides()[1] == 1;
        Tiles {
            scores: layout.c * PANEL,
            slopes: if slopes { layout.c * PANEL } else { 0 },
            sums: layout.c * PANEL * layout.lanes,
            copies: if contiguous { 0 } else { layout.panel * layout.d },
            dx: if dx { layout.panel * CHUNK } else { 0 },
        }
    }

    fn total(self) -> usize {
        (self.scores + self.slopes + self.sums + self.copies + self.dx).next_multiple_of(16)
    }
}

/// The loss before division by Ω, and the number correct.
pub(crate) fn evaluate<'p, T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, 'p, T>,
    problem: &Problem<'p, T>,
    outputs: &mut Outputs<'_, T>,
    memory: usize,
    pool: Option<&ThreadPool>,
) -> (f64, usize) {
    let layout = Layout::new(level, problem);
    let (n, c, size) = (problem.n_samples(), layout.c, layout.packed().max(1));
    let wants_dw = outputs.weights_gradient.is_some();
    let wants_db = outputs.bias_gradient.is_some();
    let tiles = Tiles::new(problem, layout, terms.has_slopes(), outputs.features_gradient.is_some());
    let task_size = tiles.total() + if wants_dw { size } else { 0 } + c;
    let affordable = (memory / size_of::<T>() / task_size).max(1);
    let rows = n.div_ceil(TASKS.min(affordable)).max(TASK_ROWS).next_multiple_of(layout.panel);
    let count = n.div_ceil(rows);

    pack_weights(problem, &mut scratch.weights, layout);
    scratch.partial_dw.resize(if wants_dw { count * size } else { 0 });
    scratch.partial_db.resize(if wants_db { count * c } else { 0 });
    scratch.tiles.resize(count * tiles.total());

    let mut dw = scratch.partial_dw.chunks_mut(size);
    let mut db = scratch.partial_db.chunks_mut(c);
    let mut spaces = scratch.tiles.chunks_mut(tiles.total());
    let mut dx = outputs.features_gradient.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut losses = outputs.sample_losses.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut lse = outputs.log_sum_exp.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut predicted = outputs.predicted.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut tasks: [Option<Task<'_, '_, T>>; TASKS] = std::array::from_fn(|k| {
        let first_sample = k * rows;
        (first_sample < n).then(|| Task {
            first_sample,
            rows: rows.min(n - first_sample),
            dw: dw.next(),
            db: db.next(),
            dx: dx.as_mut().and_then(Iterator::next),
            losses: losses.as_mut().and_then(Iterator::next),
            lse: lse.as_mut().and_then(Iterator::next),
            predicted: predicted.as_mut().and_then(Iterator::next),
            scratch: spaces.next().unwrap_or(&mut []),
            loss: 0.0,
            correct: 0,
        })
    });
    let weights = &*scratch.weights;
    let work = |task: &mut Option<Task<'_, '_, T>>| {
        if let Some(task) = task {
            T::run(level, Panels { task, terms, problem, weights, layout, tiles });
        }
    };
    let tasks = &mut tasks[..count];
    share_out(tasks, if n * layout.d * c <= ALONE { 1 } else { TASKS }, pool, work);
    let (mut loss, mut correct) = (0.0, 0);
    for task in tasks.iter().flatten() {
        loss += task.loss;
        correct += task.correct;
    }

    if let Some(dw) = &mut outputs.weights_gradient {
        let penalty = (terms.l2() != T::zero()).then(|| problem.weights());
        unpack_gradient(&scratch.partial_dw, size, layout, terms.l2(), penalty, dw);
    }
    if let Some(db) = &mut outputs.bias_gradient {
        for (k, db) in db.iter_mut().enumerate() {
            *db = scratch.partial_db.iter().skip(k).step_by(c).copied().sum();
        }
    }
    (loss, correct)
}

/// Does the tasks on the calling thread and up to `threads` in all of the pool's. The caller begins at once, and
/// whoever is woken in time helps: for a small problem waking takes as long as the work.
fn share_out<K: Send>(
    tasks: &mut [K],
    threads: usize,
    pool: Option<&ThreadPool>,
    work: impl Fn(&mut K) + Sync,
) {
    let available = pool.map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads);
    let helpers = threads.min(available).min(tasks.len()).saturating_sub(1);
    if helpers == 0 {
        return tasks.iter_mut().for_each(work);
    }
    let queue = Mutex::new(tasks.iter_mut());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let drain = || {
        while let Some(task) = next() {
            work(task);
        }
    };
    match pool {
        Some(pool) => pool.in_place_scope(|scope| with_helpers(scope, helpers, &drain)),
        None => rayon::in_place_scope(|scope| with_helpers(scope, helpers, &drain)),
    }
}

fn with_helpers<'s>(scope: &Scope<'s>, helpers: usize, work: &'s (impl Fn() + Sync)) {
    (0..helpers).for_each(|_| scope.spawn(|_| work()));
    work();
}

fn pack_weights<T: FusedElement>(problem: &Problem<'_, T>, packed: &mut Buffer<T>, layout: Layout) {
    /// Features at a time: their rows of W stay in the first cache while every class takes its own.
    const BLOCK: usize = 32;
    packed.resize(layout.packed());
    let (c, weights) = (layout.c, problem.weights());
    for chunk in layout.chunks() {
        let to = &mut packed[chunk.offset..][..c * chunk.stride];
        for start in (0..chunk.length).step_by(BLOCK) {
            let end = (start + BLOCK).min(chunk.length);
            let rows = weights.slice_axis(Axis(0), (chunk.first + start..chunk.first + end).into());
            match rows.to_slice() {
                Some(rows) => {
                    for (class, to) in to.chunks_exact_mut(chunk.stride).enumerate() {
                        let from = rows[class..].iter().step_by(c);
                        to[start..end].iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                    }
                }
                None => {
                    for (to, column) in to.chunks_exact_mut(chunk.stride).zip(rows.columns()) {
                        to[start..end].iter_mut().zip(column).for_each(|(to, &from)| *to = from);
                    }
                }
            }
        }
        to.chunks_exact_mut(chunk.stride).for_each(|to| to[chunk.length..].fill(T::zero()));
    }
}

/// Adds the tasks' parts in order, and λ·W, to dW.
fn unpack_gradient<T: FusedElement>(
    parts: &[T],
    size: usize,
    layout: Layout,
    lambda: T,
    penalty: Option<ArrayView2<'_, T>>,
    dw: &mut ArrayViewMut2<'_, T>,
) {
    /// Features at a time.
    const BLOCK: usize = 32;
    let c = layout.c;
    for chunk in layout.chunks() {
        for start in (0..chunk.length).step_by(BLOCK) {
            let length = BLOCK.min(chunk.length - start);
            let range = chunk.first + start..chunk.first + start + length;
            let mut rows = dw.slice_axis_mut(Axis(0), range.clone().into());
            for class in 0..c {
                let mut sums = [T::zero(); BLOCK];
                for part in parts.chunks_exact(size) {
                    let part = &part[chunk.offset + class * chunk.stride + start..][..length];
                    sums.iter_mut().zip(part).for_each(|(sum, &part)| *sum += part);
                }
                if let Some(weights) = &penalty {
                    for (sum, d) in sums.iter_mut().zip(range.clone()) {
                        *sum += lambda * weights[[d, class]];
                    }
                }
                match rows.as_slice_mut() {
                    Some(rows) => {
                        let to = rows[class..].iter_mut().step_by(c);
                        to.zip(sums).for_each(|(to, sum)| *to = sum);
                    }
                    None => rows.column_mut(class).iter_mut().zip(sums).for_each(|(to, sum)| *to = sum),
                }
            }
        }
    }
}

/// The work of one task.
struct Panels<'t, 's, 'o, 'p, T> {
    task: &'t mut Task<'s, 'o, T>,
    terms: &'t Terms<'t, 'p, T>,
    problem: &'t Problem<'p, T>,
    weights: &'t [T],
    layout: Layout,
    tiles: Tiles,
}

impl<T: FusedElement> Kernel<T> for Panels<'_, '_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Panels { task, terms, problem, weights, layout, tiles } = self;
        let Layout { c, panel, .. } = layout;
        let (scores, scratch) = task.scratch.split_at_mut(tiles.scores);
        let (sums, scratch) = scratch.split_at_mut(tiles.sums);
        let (slopes, scratch) = scratch.split_at_mut(tiles.slopes);
        let (copies, dx_rows) = scratch.split_at_mut(tiles.copies);
        let mut columns = Columns::new();
        if let Some(dw) = &mut task.dw {
            dw.fill(T::zero());
        }
        if let Some(db) = &mut task.db {
            db.fill(T::zero());
        }
        for start in (0..task.rows).step_by(panel) {
            let rows = panel.min(task.rows - start);
            let first_sample = task.first_sample + start;
            let mut x: [&[T]; PANEL] = [&[]; PANEL];
            rows_of(problem, first_sample, &mut x[..rows], copies);
            let mut next: [&[T]; PANEL] = [&[]; PANEL];
            let after = panel.min(task.rows - start - rows);
            rows_of(problem, first_sample + rows, &mut next[..after], &mut []);
            let (x, next) = (&x[..rows], &next[..after]);

            panel_scores::<T, L>(lanes, layout, x, next, weights, sums, scores);
            columns.begin(terms, first_sample, rows);
            exponentials(terms, scores, slopes, &mut columns);
            task.loss += columns.losses(terms);
            task.correct += columns.correct();
            if let Some(losses) = &mut task.losses {
                (0..rows).for_each(|k| losses[start + k] = columns.loss[k]);
            }
            if let Some(lse) = &mut task.lse {
                (0..rows).for_each(|k| lse[start + k] = columns.lse(k));
            }
            if let Some(predicted) = &mut task.predicted {
                (0..rows).for_each(|k| predicted[start + k] = columns.best(k));
            }

            if task.dw.is_none() && task.db.is_none() && task.dx.is_none() {
                continue;
            }
            columns.slopes(terms);
            gradient(terms, scores, slopes, &columns);
            if let Some(db) = &mut task.db {
                for (db, g) in db.iter_mut().zip(scores.chunks_exact(PANEL)) {
                    *db += g[..rows].iter().copied().sum();
                }
            }
            if let Some(dw) = &mut task.dw {
                for chunk in layout.chunks() {
                    let dw = &mut dw[chunk.offset..][..c * chunk.stride];
                    let x = |r: usize| chunk.of_row(x[r]);
                    let next = |r: usize| next.get(r).map(|x| chunk.of_row(x));
                    add_outer::<T, L>(
                        lanes,
                        chunk.stride,
                        (rows, c),
                        x,
                        |r, k| scores[k * PANEL + r],
                        dw,
                        next,
                    );
                }
            }
            if let Some(dx) = &mut task.dx {
                for chunk in layout.chunks() {
                    let dx_rows = &mut dx_rows[..rows * chunk.stride];
                    dx_rows.fill(T::zero());
                    let packed = chunk.of(weights, c);
                    let w = |k: usize| &packed[k * chunk.stride..(k + 1) * chunk.stride];
                    let g = |k: usize, r: usize| scores[k * PANEL + r];
                    add_outer::<T, L>(lanes, chunk.stride, (c, rows), w, g, dx_rows, |_| None);
                    let columns = chunk.first..chunk.first + chunk.length;
                    for (k, row) in dx_rows.chunks_exact(chunk.stride).enumerate() {
                        let mut dx = dx.row_mut(start + k);
                        let mut dx = dx.slice_axis_mut(Axis(0), columns.clone().into());
                        dx.iter_mut().zip(row).for_each(|(dx, &g)| *dx = g);
                    }
                }
            }
        }
    }
}

/// Products to exponentials, (1) to (4), but 0 at the best class. `tile` has a row of `PANEL` numbers per class, and so
/// has `slopes`, where there is a softcap.
#[inline(always)]
fn exponentials<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &mut [T],
    columns: &mut Columns<T>,
) {
    // Whole vectors, whatever lies beyond the rows.
    let (rows, width) = (columns.rows, columns.rows.next_multiple_of(16));
    let classes = tile.len() / PANEL;
    if !terms.is_bare() {
        let mut slopes = slopes.chunks_exact_mut(PANEL);
        for (class, scores) in tile.chunks_exact_mut(PANEL).enumerate() {
            let slopes = slopes.next().map_or(&mut [][..], |slopes| &mut slopes[..width]);
            terms.bend(&mut scores[..width], slopes, |_| class);
        }
    }
    let (max, best) = (&mut columns.max[..width], &mut columns.best[..width]);
    max.fill(T::neg_infinity());
    best.fill(0);
    for (class, scores) in tile.chunks_exact(PANEL).enumerate() {
        let class = class as u32;
        for ((max, best), &s) in max.iter_mut().zip(best.iter_mut()).zip(scores) {
            let better = s > *max;
            *best = if better { class } else { *best };
            *max = if better { s } else { *max };
        }
    }
    for scores in tile.chunks_exact_mut(PANEL) {
        scores.iter_mut().zip(&*max).for_each(|(s, &max)| *s -= max);
    }
    for k in 0..rows {
        let (i, label) = (columns.first_sample + k, columns.label[k]);
        columns.cross[k] = terms.cross(i, label, 0, classes, |class| tile[class * PANEL + k]);
    }
    for scores in tile.chunks_exact_mut(PANEL) {
        T::exp_in_place(&mut scores[..width]);
    }
    for k in 0..rows {
        tile[columns.best(k) * PANEL + k] = columns.defect(k);
    }
    let rest = &mut columns.rest[..width];
    rest.fill(T::zero());
    for e in tile.chunks_exact(PANEL) {
        rest.iter_mut().zip(e).for_each(|(rest, &e)| *rest += e);
    }
}

/// Exponentials to G: (8).
#[inline(always)]
fn gradient<T: FusedElement>(terms: &Terms<'_, '_, T>, tile: &mut [T], slopes: &[T], columns: &Columns<T>) {
    let width = columns.rows.next_multiple_of(16);
    for g in tile.chunks_exact_mut(PANEL) {
        g[..width].iter_mut().zip(&columns.factor).for_each(|(g, &factor)| *g *= factor);
    }
    let classes = tile.len() / PANEL;
    for k in 0..columns.rows {
        columns.subtract_mass(terms, k, 0, classes, tile, |class| class * PANEL + k);
    }
    for (g, &slope) in tile.iter_mut().zip(slopes) {
        *g *= slope;
    }
}

/// Rows of X as slices: the problem's own where they are contiguous, copies where not; empty ones where there is no
/// room for copies.
fn rows_of<'a, T: FusedElement>(
    problem: &'a Problem<'_, T>,
    first: usize,
    rows: &mut [&'a [T]],
    copies: &'a mut [T],
) {
    let features = problem.features();
    let d = problem.n_features();
    let mut copies = copies.chunks_exact_mut(d.max(1));
    for (k, slot) in rows.iter_mut().enumerate() {
        let row = features.index_axis_move(Axis(0), first + k);
        *slot = match row.to_slice() {
            Some(slice) => slice,
            None => {
                let copy = copies.next().unwrap_or(&mut []);
                copy.iter_mut().zip(row).for_each(|(to, &from)| *to = from);
                copy
            }
        };
    }
}

/// out[c][r] = x_r · w_c, five classes by two rows by a chunk of features at a time. Every second row of the next
/// panel is asked for meanwhile.
#[inline(always)]
fn panel_scores<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    layout: Layout,
    x: &[&[T]],
    next: &[&[T]],
    weights: &[T],
    sums: &mut [T],
    out: &mut [T],
) {
    let c = layout.c;
    let (sums, _) = L::split_mut(sums);
    if layout.d == 0 {
        out.fill(T::zero());
    }
    for chunk in layout.chunks() {
        let (is_first, is_last) = (chunk.first == 0, chunk.first + chunk.length == layout.d);
        for r in (0..x.len()).step_by(2) {
            for first in (0..c).step_by(5) {
                let ahead = next.get(r).filter(|_| first == 0).unwrap_or(&x[r]);
                let w = &weights[chunk.offset + first * chunk.stride..];
                macro_rules! tile {
                    ($rows:literal, $classes:literal) => {{
                        let x: [&[T]; $rows] = std::array::from_fn(|k| chunk.of_row(x[r + k]));
                        let mut tile = [[lanes.splat(T::zero()); $classes]; $rows];
                        // Between chunks the sums wait, as vectors.
                        let waiting = |k: usize| (r + k) * c + first..(r + k) * c + first + $classes;
                        if !is_first {
                            for (k, tile) in tile.iter_mut().enumerate() {
                                tile.copy_from_slice(&sums[waiting(k)]);
                            }
                        }
                        let ahead = chunk.of_row(ahead);
                        let tile = dots::<T, L, $rows, $classes>(lanes, x, w, chunk.stride, tile, ahead);
                        for (k, tile) in tile.iter().enumerate() {
                            if is_last {
                                for (class, &sum) in tile.iter().enumerate() {
                                    out[(first + class) * PANEL + r + k] = lanes.sum(sum);
                                }
                            } else {
                                sums[waiting(k)].copy_from_slice(tile);
                            }
                        }
                    }};
                }
                match ((x.len() - r).min(2), (c - first).min(5)) {
                    (2, 5) => tile!(2, 5),
                    (2, 4) => tile!(2, 4),
                    (2, 3) => tile!(2, 3),
                    (2, 2) => tile!(2, 2),
                    (2, _) => tile!(2, 1),
                    (_, 5) => tile!(1, 5),
                    (_, 4) => tile!(1, 4),
                    (_, 3) => tile!(1, 3),
                    (_, 2) => tile!(1, 2),
                    _ => tile!(1, 1),
                }
            }
        }
    }
}

/// out[k] += Σ_r g(r, k)·x(r), three rows by four results by a chunk of features at a time. `next` rows are asked for
/// meanwhile.
#[inline(always)]
fn add_outer<'a, T: FusedElement, L: Lanes<T>>(
    lanes: L,
    stride: usize,
    (rows, results): (usize, usize),
    x: impl Fn(usize) -> &'a [T],
    g: impl Fn(usize, usize) -> T,
    out: &mut [T],
    next: impl Fn(usize) -> Option<&'a [T]>,
) {
    for r in (0..rows).step_by(3) {
        for first in (0..results).step_by(4) {
            let ahead = next(r + (first / 4).min(2)).unwrap_or_else(|| x(r));
            let out = &mut out[first * stride..];
            macro_rules! tile {
                ($rows:literal, $results:literal) => {{
                    let x: [&[T]; $rows] = std::array::from_fn(|k| x(r + k));
                    let g: [[T; $results]; $rows] =
                        std::array::from_fn(|row| std::array::from_fn(|k| g(r + row, first + k)));
                    update::<T, L, $rows, $results>(lanes, x, g, out, stride, ahead);
                }};
            }
            match ((rows - r).min(3), (results - first).min(4)) {
                (3, 4) => tile!(3, 4),
                (3, 3) => tile!(3, 3),
                (3, 2) => tile!(3, 2),
                (3, _) => tile!(3, 1),
                (2, 4) => tile!(2, 4),
                (2, 3) => tile!(2, 3),
                (2, 2) => tile!(2, 2),
                (2, _) => tile!(2, 1),
                (_, 4) => tile!(1, 4),
                (_, 3) => tile!(1, 3),
                (_, 2) => tile!(1, 2),
                _ => tile!(1, 1),
            }
        }
    }
}
