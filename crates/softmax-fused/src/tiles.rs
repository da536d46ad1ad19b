//! Formulas (2) to (8) on a tile of the wide kernel: rows by classes, so that the classes are in the vector lanes.

use crate::columns::Columns;
use crate::kernel::lanes::FusedElement;
use crate::terms::Terms;

/// Where a tile lies: rows of `width` scores, of which the first `classes` are classes, from `first_class` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first_class: usize,
    pub(crate) classes: usize,
    pub(crate) width: usize,
}

/// Products to scores, (1) and (2), and each row's maximum in this tile.
#[inline(always)]
pub(crate) fn score<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &mut [T],
    place: Place,
    maxima: &mut [T],
) {
    let mut slopes = slopes.chunks_exact_mut(place.width);
    for (row, max) in tile.chunks_exact_mut(place.width).zip(maxima) {
        if !terms.is_bare() {
            let slopes = slopes.next().unwrap_or(&mut []);
            slopes.iter_mut().skip(place.classes).for_each(|slope| *slope = T::zero());
            terms.bend(&mut row[..place.classes], slopes, |k| place.first_class + k);
        }
        row[place.classes..].fill(T::neg_infinity());
        let mut largest = T::neg_infinity();
        for &s in row.iter() {
            largest = if s > largest { s } else { largest };
        }
        *max = largest;
    }
}

/// Where in a row of scores its maximum is, the first of equals. 0 where all are NaN.
#[inline(always)]
pub(crate) fn find<T: FusedElement>(row: &[T], max: T) -> usize {
    row.iter().position(|&s| s == max).unwrap_or(0)
}

/// Scores to exponentials, (3) and (4): s becomes exp(s − m), but 0 at the row's best class, and what this tile has
/// of Σ a·(s − m) is added to `cross`. The rows are those of `columns`.
#[inline(always)]
pub(crate) fn exponentiate<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    place: Place,
    columns: &Columns<T>,
    cross: &mut [T],
) {
    let Place { first_class, classes, width } = place;
    for (k, row) in tile.chunks_exact_mut(width).enumerate() {
        row.iter_mut().for_each(|s| *s -= columns.max[k]);
        let (i, label) = (columns.first_sample + k, columns.label[k]);
        cross[k] += terms.cross(i, label, first_class, classes, |j| row[j]);
    }
    T::exp_in_place(tile);
    for (k, row) in tile.chunks_exact_mut(width).enumerate() {
        if let Some(best) = row[..classes].get_mut(columns.best(k).wrapping_sub(first_class)) {
            *best = columns.defect(k);
        }
    }
}

/// Exponentials, which are 0 at the best class, to G: (8).
#[inline(always)]
pub(crate) fn finish<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &[T],
    place: Place,
    columns: &Columns<T>,
) {
    for (k, row) in tile.chunks_exact_mut(place.width).enumerate() {
        row.iter_mut().for_each(|g| *g *= columns.factor[k]);
        columns.subtract_mass(terms, k, place.first_class, place.classes, row, |j| j);
    }
    for (g, &slope) in tile.iter_mut().zip(slopes) {
        *g *= slope;
    }
}
