//! Formulas (2) to (8) on a tile of the wide kernel: rows by classes, so that the classes are in the vector lanes.

use crate::kernel::lanes::FusedElement;
use crate::terms::{Row, Slope, Terms};
use std::ops::Range;

/// Where a tile lies: rows of `width` scores, of which the first `classes` are classes, from `first_class` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first_sample: usize,
    pub(crate) first_class: usize,
    pub(crate) classes: usize,
    pub(crate) width: usize,
}

impl Place {
    fn range(&self) -> Range<usize> {
        self.first_class..self.first_class + self.classes
    }
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
/// of Σ a·(s − m) is added to `cross`.
#[inline(always)]
pub(crate) fn exponentiate<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    place: Place,
    rows: &[Row<T>],
    cross: &mut [T],
) {
    for (k, (row, state)) in tile.chunks_exact_mut(place.width).zip(rows).enumerate() {
        row.iter_mut().for_each(|s| *s -= state.max);
        cross[k] += terms.cross(place.first_sample + k, place.range(), |c| row[c - place.first_class]);
    }
    T::exp_in_place(tile);
    for (row, state) in tile.chunks_exact_mut(place.width).zip(rows) {
        if let Some(best) = row[..place.classes].get_mut(state.best.wrapping_sub(place.first_class)) {
            *best = state.defect();
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
    rows: &[Row<T>],
    row_slopes: &[Slope<T>],
) {
    for (k, ((row, state), slope)) in tile.chunks_exact_mut(place.width).zip(rows).zip(row_slopes).enumerate() {
        row.iter_mut().for_each(|g| *g *= slope.factor);
        let at = |c: usize| c - place.first_class;
        terms.subtract_mass(place.first_sample + k, state.best, slope, place.range(), row, at);
    }
    for (g, &slope) in tile.iter_mut().zip(slopes) {
        *g *= slope;
    }
}
