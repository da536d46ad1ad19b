//! The formulas between the two products of a panel.

use super::layout::PANEL;
use crate::columns::Columns;
use crate::facts::Best;
use crate::kernel::level::FusedElement;
use crate::terms::{NONE, Terms};

/// Rows whose largest scores are found together. They fill whole vectors of any type and level.
const BLOCK: usize = 16;

/// Turns products into scores, (1) to (3). `tile` has a row of `PANEL` numbers per class; so has `slopes`, if there is
/// a softcap.
#[inline(always)]
pub(super) fn bend<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &mut [T],
    columns: &mut Columns<T>,
) {
    let width = width(columns);
    if !terms.is_bare() {
        let mut slopes = slopes.chunks_exact_mut(PANEL);
        for (class, scores) in tile.chunks_exact_mut(PANEL).enumerate() {
            let slopes = slopes.next().map_or(&mut [][..], |slopes| &mut slopes[..width]);
            terms.bend(&mut scores[..width], slopes, |_| class);
        }
    }
    for first in (0..width).step_by(BLOCK) {
        // In arrays of their own, which stay in registers: a store to `columns` for each class would be a masked one.
        let (mut max, mut best) = ([T::neg_infinity(); BLOCK], [0; BLOCK]);
        for (class, scores) in tile.chunks_exact(PANEL).enumerate() {
            let class = class as u32;
            for ((max, best), &s) in max.iter_mut().zip(&mut best).zip(&scores[first..first + BLOCK]) {
                let better = s > *max;
                *best = if better { class } else { *best };
                *max = if better { s } else { *max };
            }
        }
        columns.max[first..first + BLOCK].copy_from_slice(&max);
        columns.best[first..first + BLOCK].copy_from_slice(&best);
    }
}

/// The number of rows, rounded up to whole vectors. The numbers beyond the rows are arbitrary.
fn width<T>(columns: &Columns<T>) -> usize {
    columns.rows.next_multiple_of(BLOCK)
}

/// Finds the score of each row's label and counts the scores above it.
#[inline(always)]
pub(super) fn label_facts<T: FusedElement>(terms: &Terms<'_, '_, T>, tile: &[T], columns: &mut Columns<T>) {
    let width = width(columns);
    let (scores, above) = (&mut columns.label_score, &mut columns.above[..width]);
    scores.fill(T::nan());
    for (k, score) in scores[..columns.rows].iter_mut().enumerate() {
        let label = terms.labelled_class(columns.first_sample + k);
        *score = if label == NONE { T::nan() } else { tile[label * PANEL + k] };
    }
    above.fill(0);
    for row in tile.chunks_exact(PANEL) {
        for ((above, &score), &label) in above.iter_mut().zip(row).zip(&*scores) {
            *above += u32::from(score > label);
        }
    }
}

/// Collects each row's best classes, if `best` has room for them.
pub(super) fn best_classes<T: FusedElement>(tile: &[T], rows: usize, best: &mut [Best<T>]) {
    for (k, best) in best.iter_mut().enumerate().take(rows) {
        best.classes.clear();
        tile.iter().skip(k).step_by(PANEL).enumerate().for_each(|(class, &score)| best.offer(class, score));
    }
}

/// Turns scores into exponentials, (4), with 0 at the best class. If the entropy is needed, also sums the products of
/// exponentials and distances.
#[inline(always)]
pub(super) fn exponentials<T: FusedElement, const ENTROPY: bool>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    columns: &mut Columns<T>,
) {
    let (rows, width) = (columns.rows, width(columns));
    let classes = tile.len() / PANEL;
    let max = &columns.max[..width];
    for scores in tile.chunks_exact_mut(PANEL) {
        scores.iter_mut().zip(max).for_each(|(s, &max)| *s -= max);
    }
    for k in 0..rows {
        let (i, label) = (columns.first_sample + k, columns.label[k]);
        columns.cross[k] = terms.cross(i, label, 0, classes, |class| tile[class * PANEL + k]);
    }
    columns.spread[..width].fill(T::zero());
    let mut distances = [T::zero(); PANEL];
    for scores in tile.chunks_exact_mut(PANEL) {
        if ENTROPY {
            distances[..width].copy_from_slice(&scores[..width]);
        }
        T::exp_in_place(&mut scores[..width]);
        if ENTROPY {
            let exps = scores.iter().zip(&distances);
            for (spread, (&exp, &distance)) in columns.spread[..width].iter_mut().zip(exps) {
                // A masked class is at distance ∞ and has exponential 0; 0·∞ would be NaN.
                *spread -= if exp == T::zero() { T::zero() } else { exp * distance };
            }
        }
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

/// Turns exponentials into G, by (8).
#[inline(always)]
pub(super) fn gradient<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &[T],
    columns: &Columns<T>,
) {
    let width = width(columns);
    for g in tile.chunks_exact_mut(PANEL) {
        g[..width].iter_mut().zip(&columns.factor).for_each(|(g, &factor)| *g *= factor);
    }
    let classes = tile.len() / PANEL;
    for k in 0..columns.rows {
        columns.subtract_mass(terms, k, classes, tile, |class| class * PANEL + k);
    }
    for (g, &slope) in tile.iter_mut().zip(slopes) {
        *g *= slope;
    }
    if terms.ignores() && !slopes.is_empty() {
        // The slope of an ignored sample may be NaN.
        for k in (0..columns.rows).filter(|&k| terms.is_ignored(columns.first_sample + k)) {
            tile.iter_mut().skip(k).step_by(PANEL).for_each(|g| *g = T::zero());
        }
    }
}
