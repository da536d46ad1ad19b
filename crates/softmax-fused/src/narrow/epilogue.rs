//! What happens to a panel's scores between the two products.

use super::layout::PANEL;
use crate::columns::Columns;
use crate::kernel::level::FusedElement;
use crate::terms::Terms;

/// Products to exponentials, (1) to (4), but 0 at the best class. `tile` has a row of `PANEL` numbers per class, and so
/// has `slopes`, where there is a softcap.
#[inline(always)]
pub(super) fn exponentials<T: FusedElement>(
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
pub(super) fn gradient<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    slopes: &[T],
    columns: &Columns<T>,
) {
    let width = columns.rows.next_multiple_of(16);
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
        // A slope may be NaN where a sample is ignored.
        for k in (0..columns.rows).filter(|&k| terms.is_ignored(columns.first_sample + k)) {
            tile.iter_mut().skip(k).step_by(PANEL).for_each(|g| *g = T::zero());
        }
    }
}
