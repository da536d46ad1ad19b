//! Formulas (2) to (8) on a tile of the wide kernel: rows by classes, so that the classes are in the vector lanes.

use crate::columns::Columns;
use crate::kernel::lanes::{FusedElement, Lanes};
use crate::terms::{NONE, Terms};

/// Elements of a tile's row at most: two vectors of sixteen.
pub(crate) const MOST_WIDTH: usize = 32;

/// Where a tile lies: rows of `width` scores, of which the first `classes` are classes, from `first_class` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first_class: usize,
    pub(crate) classes: usize,
    pub(crate) width: usize,
}

/// The rows of a tile, two vectors each.
#[inline(always)]
fn pairs<T, L: Lanes<T>>(tile: &mut [T]) -> &mut [[L::V; 2]] {
    L::split_mut(tile).0.as_chunks_mut::<2>().0
}

/// Products to scores, (1) and (2), and each row's maximum in this tile.
#[inline(always)]
pub(crate) fn score<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &mut [T],
    place: Place,
    maxima: &mut [T],
) {
    let Place { first_class, classes, width } = place;
    if !terms.is_bare() {
        let mut slopes = slopes.chunks_exact_mut(width);
        for row in tile.chunks_exact_mut(width) {
            let slopes = slopes.next().unwrap_or(&mut []);
            slopes.iter_mut().skip(classes).for_each(|slope| *slope = T::zero());
            terms.bend(&mut row[..classes], slopes, |k| first_class + k);
        }
    }
    if classes < width {
        tile.chunks_exact_mut(width).for_each(|row| row[classes..].fill(T::neg_infinity()));
    }
    for (pair, max) in pairs::<T, L>(tile).iter().zip(maxima) {
        *max = lanes.largest(lanes.max(pair[0], pair[1]));
    }
}

/// Where in a row of scores its maximum is, the first of equals. 0 where all are NaN.
#[inline(always)]
pub(crate) fn find<T: FusedElement>(row: &[T], max: T) -> usize {
    row.iter().position(|&s| s == max).unwrap_or(0)
}

/// Scores to exponentials, (3) and (4): s becomes exp(s − m), but 0 at the row's best class, and is added to `sums`.
/// Unless the targets are points, what this tile has of Σ a·(s − m) is added to `cross`. The rows are those of
/// `columns`.
#[inline(always)]
pub(crate) fn exponentiate<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    place: Place,
    columns: &Columns<T>,
    sums: &mut [T],
    cross: &mut [T],
) {
    let Place { first_class, classes, width } = place;
    for (pair, &max) in pairs::<T, L>(tile).iter_mut().zip(&columns.max) {
        *pair = pair.map(|s| lanes.sub(s, lanes.splat(max)));
    }
    if !terms.is_point() {
        for (k, row) in tile.chunks_exact(width).enumerate() {
            cross[k] += terms.cross(columns.first_sample + k, NONE, first_class, classes, |j| row[j]);
        }
    }
    T::exp_in_place(tile);
    for (k, &best) in columns.best[..columns.rows].iter().enumerate() {
        let best = (best as usize).wrapping_sub(first_class);
        if best < classes {
            tile[k * width + best] = columns.defect(k);
        }
    }
    for (sums, pair) in pairs::<T, L>(sums).iter_mut().zip(pairs::<T, L>(tile)) {
        *sums = [lanes.add(sums[0], pair[0]), lanes.add(sums[1], pair[1])];
    }
}

/// Exponentials, which are 0 at the best class, to G: (8).
#[inline(always)]
pub(crate) fn finish<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &[T],
    place: Place,
    columns: &Columns<T>,
) {
    for (pair, &factor) in pairs::<T, L>(tile).iter_mut().zip(&columns.factor) {
        *pair = pair.map(|g| lanes.mul(g, lanes.splat(factor)));
    }
    for k in 0..columns.rows {
        let at = |j: usize| k * place.width + j;
        columns.subtract_mass(terms, k, place.first_class, place.classes, tile, at);
    }
    if place.classes < place.width {
        // What is no class is multiplied by zeros for dX, and factors may be infinite.
        tile.chunks_exact_mut(place.width).for_each(|row| row[place.classes..].fill(T::zero()));
    }
    for (g, &slope) in tile.iter_mut().zip(slopes) {
        *g *= slope;
    }
    if terms.ignores() && !slopes.is_empty() {
        // A slope may be NaN where a sample is ignored.
        for (k, row) in tile.chunks_exact_mut(place.width).enumerate().take(columns.rows) {
            if terms.is_ignored(columns.first_sample + k) {
                row.fill(T::zero());
            }
        }
    }
}
