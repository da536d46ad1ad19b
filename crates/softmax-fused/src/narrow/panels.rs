//! The panels of a task: scores, the formulas, and the products with G.

use super::epilogue::{bend, best_classes, exponentials, gradient, label_facts};
use super::hessian::{Direction, change_of_gradient, changes_of_scores};
use super::layout::{Groups, Layout, PANEL, Tiles};
use super::task::Task;
use crate::columns::Columns;
use crate::facts::{Best, Wanted};
use crate::kernel::ahead::Ahead;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::level::FusedElement;
use crate::kernel::products::{Factors, VectorRows, dots, down};
use crate::stored::Dense;
use crate::sums::{Sum, sum_in_chains};
use crate::terms::Terms;
use softmax_core::ndarray::Axis;

/// With fewer registers, tiles are smaller.
const FEW: usize = 10;
const MANY: usize = 32;
/// With fewer registers, a tile has one class or result: each size of tile takes time to compile.
const HARDLY_ANY: usize = 8;

/// The work of one task.
pub(super) struct Panels<'t, 's, 'o, 'p, T> {
    pub(super) task: &'t mut Task<'s, 'o, T>,
    pub(super) terms: &'t Terms<'t, 'p, T>,
    pub(super) problem: &'t Dense<'p, T>,
    pub(super) weights: &'t [T],
    /// The direction, for H·V in place of dW and db.
    pub(super) direction: Option<Direction<'t, T>>,
    /// D zeros, if any sample may be ignored.
    pub(super) zeros: &'t [T],
    pub(super) layout: Layout,
    pub(super) tiles: Tiles,
    pub(super) wanted: Wanted,
}

impl<T: FusedElement> Kernel<T> for Panels<'_, '_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Panels { task, terms, problem, weights, direction, zeros, layout, tiles, wanted } = self;
        let Layout { c, panel, .. } = layout;
        let (scores, scratch) = task.scratch.split_at_mut(tiles.scores);
        let (sums, scratch) = scratch.split_at_mut(tiles.sums);
        let (slopes, scratch) = scratch.split_at_mut(tiles.slopes);
        let (changes, scratch) = scratch.split_at_mut(tiles.changes);
        let (capped, scratch) = scratch.split_at_mut(tiles.capped);
        let (copies, scratch) = scratch.split_at_mut(tiles.copies);
        let dx_rows = &mut scratch[..tiles.dx];
        let mut columns = Columns::new();
        let mut tails = [lanes.splat(T::zero()); PANEL];
        let mut best = vec![Best::new(wanted.top); if wanted.top > 0 { PANEL } else { 0 }];
        if let Some(dw) = &mut task.dw {
            dw.fill(T::zero());
        }
        if let Some(db) = &mut task.db {
            db.fill(Sum::default());
        }
        for start in (0..task.rows).step_by(panel) {
            let rows = panel.min(task.rows - start);
            let first_sample = task.first_sample + start;
            let mut x: [&[T]; PANEL] = [&[]; PANEL];
            rows_of(problem, first_sample, &mut x[..rows], copies);
            if layout.has_tails() {
                for (tail, x) in tails.iter_mut().zip(&x[..rows]) {
                    *tail = lanes.load_part(L::split(x).1);
                }
            }
            let after = panel.min(task.rows - start - rows);
            let mut next = [Ahead::of(x[0]); PANEL];
            for (k, next) in next[..after].iter_mut().enumerate() {
                *next = problem.features.ahead(first_sample + rows + k).unwrap_or(*next);
            }
            let (next, size) = (&next[..after], problem.features.size());

            // X·W, then X·V, in one loop so that the code is instantiated once.
            for of_direction in [false, true].into_iter().take(1 + usize::from(direction.is_some())) {
                let (packed, ahead, tile) = match direction {
                    Some(direction) if of_direction => (direction.weights, &[][..], &mut *changes),
                    _ => (weights, next, &mut *scores),
                };
                panel_scores::<T, L>(lanes, layout, (&x[..rows], &tails), (ahead, size), packed, sums, tile);
            }
            columns.begin(terms, first_sample, rows);
            bend(terms, scores, slopes, &mut columns);
            if let Some(direction) = direction {
                capped.copy_from_slice(&scores[..tiles.capped]);
                changes_of_scores(terms, direction.bias, slopes, changes);
            }
            if wanted.label {
                label_facts(terms, scores, &mut columns);
            }
            best_classes(scores, rows, &mut best);
            if wanted.entropy {
                exponentials::<T, true>(terms, scores, &mut columns);
            } else {
                exponentials::<T, false>(terms, scores, &mut columns);
            }
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
            if let Some(facts) = &mut task.facts {
                (0..rows).for_each(|k| facts.write(start + k, k, c, &columns, best.get(k)));
            }

            if task.dw.is_none() && task.db.is_none() && task.dx.is_none() {
                continue;
            }
            columns.slopes(terms);
            match direction {
                None => gradient(terms, scores, slopes, &columns),
                Some(_) => change_of_gradient(terms, scores, (capped, slopes), changes, &columns),
            }
            if terms.ignores() {
                // Ignored rows are replaced by zeros: 0·NaN would be NaN.
                let ignored = (0..rows).filter(|&k| terms.is_ignored(first_sample + k));
                ignored.for_each(|k| (x[k], tails[k]) = (zeros, lanes.splat(T::zero())));
            }
            let x = &x[..rows];
            if let Some(db) = &mut task.db {
                for (db, g) in db.iter_mut().zip(scores.chunks_exact(PANEL)) {
                    db.add(sum_in_chains(&g[..rows]).widen());
                }
            }
            if let Some(dw) = &mut task.dw {
                let g = Factors { numbers: scores, result: PANEL, row: 1 };
                for chunk in layout.chunks() {
                    let dw = &mut dw[chunk.offset..][..c * chunk.stride];
                    // Whole vectors, then the tails, in one loop so that the code is instantiated once.
                    let whole = chunk.length / L::N;
                    let tailed = usize::from(whole * L::N < chunk.length);
                    for of_tails in [false, true].into_iter().take(1 + tailed) {
                        let rows = VectorRows::new(rows, |r| match of_tails {
                            false => L::split(chunk.of_row(x[r])).0,
                            true => std::slice::from_ref(&tails[r]),
                        });
                        let next = |k: usize| {
                            let row = next.get(2 * k + 1).filter(|_| !of_tails);
                            row.map(|row| row.on(chunk.first * size))
                        };
                        let out = &mut dw[if of_tails { whole * L::N } else { 0 }..];
                        let next = (next, size * L::N);
                        sum_down::<T, L, true>(lanes, layout.groups, &rows, g, out, chunk.stride, next);
                    }
                }
            }
            if let Some(dx) = &mut task.dx {
                let (groups, g) = (Groups::new(rows), Factors { numbers: scores, result: 1, row: PANEL });
                for chunk in layout.chunks() {
                    let dx_rows = &mut dx_rows[..rows * chunk.stride];
                    let (stride, packed) = (chunk.stride, chunk.of(weights, c));
                    let w = VectorRows::new(c, |k| L::split(&packed[k * stride..(k + 1) * stride]).0);
                    sum_down::<T, L, false>(lanes, groups, &w, g, dx_rows, stride, (|_| None, 0));
                    let columns = chunk.first..chunk.first + chunk.length;
                    for (k, row) in dx_rows.chunks_exact(stride).enumerate() {
                        let mut dx = dx.row_mut(start + k);
                        let mut dx = dx.slice_axis_mut(Axis(0), columns.clone().into());
                        match dx.as_slice_mut() {
                            Some(dx) => dx.copy_from_slice(&row[..chunk.length]),
                            None => dx.iter_mut().zip(row).for_each(|(dx, &g)| *dx = g),
                        }
                    }
                }
            }
        }
    }
}

/// Rows of X as slices: in place if they are contiguous and of the element type, otherwise widened copies.
fn rows_of<'a, T: FusedElement>(
    problem: &'a Dense<'_, T>,
    first: usize,
    rows: &mut [&'a [T]],
    copies: &'a mut [T],
) {
    let mut copies = copies.chunks_exact_mut(problem.features.dim().1.max(1));
    for (k, slot) in rows.iter_mut().enumerate() {
        *slot = match problem
            .features
            .plain_rows()
            .and_then(|rows| rows.index_axis_move(Axis(0), first + k).to_slice())
        {
            Some(slice) => slice,
            None => match copies.next() {
                None => &[],
                Some(copy) => {
                    problem.features.copy_row(first + k, copy);
                    copy
                }
            },
        };
    }
}

/// Computes out[c][r] = x_r · w_c, for five classes by two or four rows by one chunk of features at a time. Meanwhile
/// prefetches every second row of the next panel.
#[inline(always)]
fn panel_scores<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    layout: Layout,
    (x, tails): (&[&[T]], &[L::V; PANEL]),
    (next, size): (&[Ahead], usize),
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
        let mut r = 0;
        while r < x.len() {
            let rows = match x.len() - r {
                4.. if L::REGISTERS >= MANY => 4,
                2.. => 2,
                _ => 1,
            };
            for (group, (first, count)) in layout.groups.iter().enumerate() {
                // Every second row of the next panel, from the row at the same place.
                let ahead = |k: usize| {
                    let row = next.get(r + 2 * k).filter(|_| group == 0 && 2 * k < rows);
                    row.map_or(Ahead::of(chunk.of_row(x[r])), |row| row.on(chunk.first * size))
                };
                macro_rules! tile {
                    ($rows:literal, $classes:literal, $first:expr) => {{
                        let first = $first;
                        let w = &weights[chunk.offset + first * chunk.stride..];
                        let x: [&[T]; $rows] = std::array::from_fn(|k| chunk.of_row(x[r + k]));
                        let tails: [L::V; $rows] = std::array::from_fn(|k| tails[r + k]);
                        let mut tile = [[lanes.splat(T::zero()); $classes]; $rows];
                        // Between chunks the partial sums are stored as vectors.
                        let waiting = |k: usize| (r + k) * c + first..(r + k) * c + first + $classes;
                        if !is_first {
                            for (k, tile) in tile.iter_mut().enumerate() {
                                tile.copy_from_slice(&sums[waiting(k)]);
                            }
                        }
                        let ahead: [Ahead; usize::div_ceil($rows, 2)] = std::array::from_fn(ahead);
                        let tile = dots(lanes, (x, tails), w, chunk.stride, tile, (ahead, size * L::N));
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
                if L::REGISTERS < HARDLY_ANY {
                    for class in first..first + count {
                        match rows {
                            2 => tile!(2, 1, class),
                            _ => tile!(1, 1, class),
                        }
                    }
                    continue;
                }
                match (rows, count) {
                    // As many sums as fit the registers.
                    (4, 5) => tile!(4, 5, first),
                    (4, 4) => tile!(4, 4, first),
                    (4, 3) => tile!(4, 3, first),
                    (4, 2) => tile!(4, 2, first),
                    (4, _) => tile!(4, 1, first),
                    (2, 5) if L::REGISTERS < FEW => {
                        tile!(2, 3, first);
                        tile!(2, 2, first + 3);
                    }
                    (2, 4) if L::REGISTERS < FEW => {
                        tile!(2, 2, first);
                        tile!(2, 2, first + 2);
                    }
                    (2, 5) => tile!(2, 5, first),
                    (2, 4) => tile!(2, 4, first),
                    (2, 3) => tile!(2, 3, first),
                    (2, 2) => tile!(2, 2, first),
                    (2, _) => tile!(2, 1, first),
                    (_, 5) => tile!(1, 5, first),
                    (_, 4) => tile!(1, 4, first),
                    (_, 3) => tile!(1, 3, first),
                    (_, 2) => tile!(1, 2, first),
                    _ => tile!(1, 1, first),
                }
            }
            r += rows;
        }
    }
}

/// Computes Σ_r g(k, r)·x_r for each result k, down the rows, and adds it to `out[k * stride..]` or writes it there.
/// Computes five results by two or four vectors at a time, or fewer results by more vectors. With each vector,
/// prefetches `pace` bytes of the rows that `next` gives.
#[inline(always)]
fn sum_down<T: FusedElement, L: Lanes<T>, const ADDS: bool>(
    lanes: L,
    results: Groups,
    rows: &VectorRows<'_, L::V>,
    g: Factors<'_, T>,
    out: &mut [T],
    stride: usize,
    (next, pace): (impl Fn(usize) -> Option<Ahead>, usize),
) {
    let most = match results.largest() {
        _ if L::REGISTERS < HARDLY_ANY => 1,
        0..=1 => 4,
        2..=3 if L::REGISTERS < FEW => 2,
        2..=3 => 4,
        _ if L::REGISTERS < FEW => 1,
        _ if L::REGISTERS < MANY => 2,
        _ => 4,
    };
    let mut v = 0;
    while v < rows.whole() {
        let width = match most.min(rows.whole() - v) {
            3 => 2,
            width => width,
        };
        for row in (0..).map_while(&next) {
            (v..v + width).for_each(|v| row.prefetch_later(v * pace));
        }
        for (first, count) in results.iter() {
            macro_rules! tile {
                ($vectors:literal, $results:literal) => {
                    tile!($vectors, $results, first)
                };
                ($vectors:literal, $results:literal, $first:expr) => {{
                    let first = $first;
                    let sums = down::<T, L, $vectors, $results>(lanes, rows, v, g.from(first));
                    for (out, sums) in out[first * stride..].chunks_mut(stride).zip(sums) {
                        let out = &mut L::split_mut(out).0[v..v + $vectors];
                        for (out, sum) in out.iter_mut().zip(sums) {
                            *out = if ADDS { lanes.add(*out, sum) } else { sum };
                        }
                    }
                }};
            }
            if L::REGISTERS < HARDLY_ANY {
                for result in first..first + count {
                    tile!(1, 1, result);
                }
                continue;
            }
            match (width, count) {
                (4, 5) if L::REGISTERS >= MANY => tile!(4, 5),
                (4, 4) if L::REGISTERS >= MANY => tile!(4, 4),
                (4, 3) => tile!(4, 3),
                (4, 2) => tile!(4, 2),
                (4, _) => tile!(4, 1),
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
        v += width;
    }
}
