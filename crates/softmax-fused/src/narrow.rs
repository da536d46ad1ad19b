//! Few classes. Both products have the features in the vector lanes; a panel of rows of X is read from memory
//! once, for the scores, and from cache again, for dW. Rows are shared out in fixed tasks, each with a dWᵀ of its
//! own; these are added in a fixed order.

use crate::buffer::Buffer;
use crate::kernel::lanes::{FusedElement, Kernel, Lanes, Level};
use crate::kernel::products::{Outer, dots, prefetch};
use crate::terms::{Place, Row, Terms};
use rayon::prelude::*;
use softmax_core::ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use softmax_core::{Outputs, Problem};

/// Rows of a panel at most, and its bytes: with Wᵀ and dWᵀ it is to stay in the second cache.
const PANEL: usize = 32;
const PANEL_BYTES: usize = 200 << 10;

/// Rows ahead that are asked for while others are worked on.
const AHEAD: usize = 4;

/// Features at a time for the scores, so that their part of Wᵀ stays in the first cache.
const CHUNK: usize = 512;

/// Tasks at most, and rows that one is worth.
const TASKS: usize = 32;
const TASK_ROWS: usize = 2 * PANEL;

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
    /// Wᵀ, by rows.
    weights: Buffer<T>,
    /// Each task's dWᵀ and db.
    partial_dw: Buffer<T>,
    partial_db: Buffer<T>,
    tiles: Buffer<T>,
}

/// The loss before division by Ω, and the number correct.
pub(crate) fn evaluate<'p, T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, 'p, T>,
    problem: &Problem<'p, T>,
    outputs: &mut Outputs<'_, T>,
    memory: usize,
) -> (f64, usize) {
    let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
    let size = (d * c).max(1);
    let panel = panel_rows::<T>(d);
    let wants_dw = outputs.weights_gradient.is_some();
    let wants_db = outputs.bias_gradient.is_some();
    let copies = if d <= 1 || problem.features().strides()[1] == 1 { 0 } else { panel * d };
    let dx_rows = if outputs.features_gradient.is_some() { panel * d } else { 0 };
    // Scores, slopes and transposed G, copied rows of X, rows of dX.
    let tile = panel * c * 3 + copies + dx_rows;
    let task_size = tile + if wants_dw { size } else { 0 } + c;
    let affordable = (memory / std::mem::size_of::<T>() / task_size).max(1);
    let rows = n.div_ceil(TASKS.min(affordable)).max(TASK_ROWS).next_multiple_of(panel);
    let count = n.div_ceil(rows).max(1);

    scratch.weights.resize(d * c);
    scratch.weights.iter_mut().zip(problem.weights().t()).for_each(|(to, &from)| *to = from);
    scratch.partial_dw.zeros(if wants_dw { count * size } else { 0 });
    scratch.partial_db.zeros(if wants_db { count * c } else { 0 });
    scratch.tiles.resize(count * tile);

    let mut dw = scratch.partial_dw.chunks_mut(size);
    let mut db = scratch.partial_db.chunks_mut(c);
    let mut tiles = scratch.tiles.chunks_mut(tile);
    let mut dx = outputs.features_gradient.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut losses = outputs.sample_losses.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut lse = outputs.log_sum_exp.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut predicted = outputs.predicted.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut tasks: Vec<Task<'_, '_, T>> = (0..n)
        .step_by(rows)
        .map(|first_sample| Task {
            first_sample,
            rows: rows.min(n - first_sample),
            dw: dw.next(),
            db: db.next(),
            dx: dx.as_mut().and_then(Iterator::next),
            losses: losses.as_mut().and_then(Iterator::next),
            lse: lse.as_mut().and_then(Iterator::next),
            predicted: predicted.as_mut().and_then(Iterator::next),
            scratch: tiles.next().unwrap_or(&mut []),
            loss: 0.0,
            correct: 0,
        })
        .collect();
    let weights = &*scratch.weights;
    tasks.par_iter_mut().for_each(|task| T::run(level, Panels { task, terms, problem, weights }));
    let loss = tasks.iter().map(|task| task.loss).sum();
    let correct = tasks.iter().map(|task| task.correct).sum();
    drop(tasks);

    if let Some(out) = &mut outputs.weights_gradient {
        let lambda = T::narrow(problem.objective().l2);
        let sums = reduce(&mut scratch.partial_dw, size);
        if let Ok(sums) = ArrayView2::from_shape((c, d), sums.get(..d * c).unwrap_or(&[])) {
            out.assign(&sums.t());
        }
        if lambda != T::zero() {
            out.scaled_add(lambda, &problem.weights());
        }
    }
    if let Some(out) = &mut outputs.bias_gradient {
        let sums = reduce(&mut scratch.partial_db, c);
        out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum);
    }
    (loss, correct)
}

/// How many rows of X a panel has: an even number.
fn panel_rows<T>(features: usize) -> usize {
    (PANEL_BYTES / std::mem::size_of::<T>() / features.max(1)).clamp(8, PANEL) / 2 * 2
}

/// Adds the parts pairwise, in a fixed tree, into the first.
fn reduce<T: FusedElement>(parts: &mut [T], size: usize) -> &[T] {
    let count = parts.len() / size.max(1);
    let mut step = 1;
    while step < count {
        parts.par_chunks_mut(2 * step * size).for_each(|pair| {
            if pair.len() > step * size {
                let (to, from) = pair.split_at_mut(step * size);
                to[..size].iter_mut().zip(&from[..size]).for_each(|(to, &from)| *to += from);
            }
        });
        step *= 2;
    }
    parts.get(..size).unwrap_or(&[])
}

/// The work of one task.
struct Panels<'t, 's, 'o, 'p, T> {
    task: &'t mut Task<'s, 'o, T>,
    terms: &'t Terms<'t, 'p, T>,
    problem: &'t Problem<'p, T>,
    weights: &'t [T],
}

impl<T: FusedElement> Kernel<T> for Panels<'_, '_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Panels { task, terms, problem, weights } = self;
        let (d, c) = (problem.n_features(), problem.n_classes());
        let panel = panel_rows::<T>(d);
        let (scores, scratch) = task.scratch.split_at_mut(panel * c);
        let (slopes, scratch) = scratch.split_at_mut(panel * c);
        let (transposed, scratch) = scratch.split_at_mut(panel * c);
        let (copies, dx_rows) =
            scratch.split_at_mut(if task.dx.is_some() { scratch.len() - panel * d } else { scratch.len() });
        for start in (0..task.rows).step_by(panel) {
            let rows = panel.min(task.rows - start);
            let first_sample = task.first_sample + start;
            let mut x: [&[T]; PANEL] = [&[]; PANEL];
            rows_of(problem, first_sample, &mut x[..rows], copies);
            let x = &x[..rows];
            let scores = &mut scores[..rows * c];

            panel_scores::<T, L>(lanes, x, weights, scores, c);
            let place = Place { first_sample, first_class: 0, classes: c, width: c };
            let mut maxima = [T::zero(); PANEL];
            terms.score(scores, slopes, place, &mut maxima);
            let mut states = [Row::new(); PANEL];
            for ((state, row), &max) in states.iter_mut().zip(scores.chunks_exact(c)).zip(&maxima) {
                (state.max, state.best) = (max, Terms::find(row, max));
            }
            let mut cross = [T::zero(); PANEL];
            terms.exponentiate(scores, place, &states[..rows], &mut cross);
            for (k, row) in scores.chunks_exact(c).enumerate() {
                let state = &mut states[k];
                (state.rest, state.cross) = (row.iter().copied().sum(), cross[k]);
                let loss = terms.loss(first_sample + k, state);
                task.loss += loss.widen();
                task.correct += usize::from(terms.is_correct(first_sample + k, state));
                if let Some(losses) = &mut task.losses {
                    losses[start + k] = loss;
                }
                if let Some(lse) = &mut task.lse {
                    lse[start + k] = state.lse();
                }
                if let Some(predicted) = &mut task.predicted {
                    predicted[start + k] = state.best;
                }
            }

            if task.dw.is_none() && task.db.is_none() && task.dx.is_none() {
                continue;
            }
            terms.finish(scores, slopes, place, &states[..rows]);
            if let Some(db) = &mut task.db {
                for row in scores.chunks_exact(c) {
                    db.iter_mut().zip(row).for_each(|(db, &g)| *db += g);
                }
            }
            if let Some(dw) = &mut task.dw {
                add_outer::<T, L>(lanes, x, scores, c, dw, d);
            }
            if let Some(dx) = &mut task.dx {
                for (k, row) in scores.chunks_exact(c).enumerate() {
                    row.iter().enumerate().for_each(|(j, &g)| transposed[j * rows + k] = g);
                }
                let dx_rows = &mut dx_rows[..rows * d];
                dx_rows.fill(T::zero());
                for (first, w) in weights.chunks_exact(d.max(1)).enumerate().step_by(PANEL) {
                    let count = PANEL.min(c - first);
                    let mut w_rows: [&[T]; PANEL] = [w; PANEL];
                    for (k, w) in w_rows[..count].iter_mut().enumerate() {
                        *w = &weights[(first + k) * d..(first + k + 1) * d];
                    }
                    add_outer::<T, L>(
                        lanes,
                        &w_rows[..count],
                        &transposed[first * rows..(first + count) * rows],
                        rows,
                        dx_rows,
                        d,
                    );
                }
                for (k, row) in dx_rows.chunks_exact(d.max(1)).enumerate() {
                    dx.row_mut(start + k).iter_mut().zip(row).for_each(|(dx, &g)| *dx = g);
                }
            }
        }
    }
}

/// Rows of X as slices: the problem's own where they are contiguous, copies where not.
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

/// out[r][c] = x_r · w_c, five classes by two rows by a chunk of features at a time.
#[inline(always)]
fn panel_scores<T: FusedElement, L: Lanes<T>>(lanes: L, x: &[&[T]], weights: &[T], out: &mut [T], c: usize) {
    let d = x.first().map_or(0, |x| x.len());
    out.fill(T::zero());
    for start in (0..d).step_by(CHUNK) {
        let chunk = start..(start + CHUNK).min(d);
        for r in (0..x.len()).step_by(2) {
            x[r..].iter().skip(AHEAD).take(2).for_each(|x| prefetch(&x[chunk.clone()]));
            for first in (0..c).step_by(5) {
                let w = |k: usize| &weights[(first + k) * d..(first + k + 1) * d][chunk.clone()];
                macro_rules! tile {
                    ($rows:literal, $classes:literal) => {{
                        let x: [&[T]; $rows] = std::array::from_fn(|k| &x[r + k][chunk.clone()]);
                        let sums = dots::<T, L, $rows, $classes>(lanes, x, std::array::from_fn(w));
                        for (k, sums) in sums.iter().enumerate() {
                            let out = &mut out[(r + k) * c + first..][..$classes];
                            out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum);
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

/// out[k] += Σ_i g[i·stride + k]·x_i for the `stride` rows of `out`, each of length `d`.
#[inline(always)]
fn add_outer<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    x: &[&[T]],
    g: &[T],
    stride: usize,
    out: &mut [T],
    d: usize,
) {
    let whole = d / L::N;
    let product = Outer::new(x, g, stride);
    for v in (0..whole).step_by(2) {
        for first in (0..stride).step_by(5) {
            macro_rules! tile {
                ($classes:literal) => {{
                    let mut rows = out[first * d..].chunks_mut(d);
                    let rows: [&mut [T]; $classes] = std::array::from_fn(|_| rows.next().unwrap_or(&mut []));
                    if v + 2 <= whole {
                        product.add::<L, $classes, 2>(lanes, first, v, rows);
                    } else {
                        product.add::<L, $classes, 1>(lanes, first, v, rows);
                    }
                }};
            }
            match (stride - first).min(5) {
                5 => tile!(5),
                4 => tile!(4),
                3 => tile!(3),
                2 => tile!(2),
                _ => tile!(1),
            }
        }
    }
    for (k, out) in out.chunks_mut(d.max(1)).enumerate().take(stride) {
        for j in whole * L::N..d {
            for (x, g) in x.iter().zip(g.chunks(stride)) {
                out[j] += g[k] * x[j];
            }
        }
    }
}
