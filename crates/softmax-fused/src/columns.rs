//! Formulas (2) to (8) on a panel of the narrow kernel: classes by rows, so that the rows are in the vector lanes.

use crate::kernel::lanes::FusedElement;
use crate::narrow::PANEL;
use crate::terms::{Row, Terms};

/// What is known of the panel's rows, a number each.
pub(crate) struct Columns<T> {
    max: [T; PANEL],
    /// The best class; as an element, to be chosen in vector lanes.
    best: [T; PANEL],
    rest: [T; PANEL],
    log_rest: [T; PANEL],
    cross: [T; PANEL],
    factor: [T; PANEL],
}

impl<T: FusedElement> Columns<T> {
    pub(crate) fn new() -> Self {
        let zeros = [T::zero(); PANEL];
        Columns { max: zeros, best: zeros, rest: zeros, log_rest: zeros, cross: zeros, factor: zeros }
    }

    pub(crate) fn row(&self, k: usize) -> Row<T> {
        Row {
            max: self.max[k],
            best: self.best[k].widen() as usize,
            rest: self.rest[k],
            log_rest: self.log_rest[k],
            cross: self.cross[k],
        }
    }

    /// Products to exponentials, (1) to (4), and what a row's loss needs. `tile` has a row of `PANEL` numbers per
    /// class, of which the first `rows` count; `slopes` too, where there is a softcap.
    #[inline(always)]
    pub(crate) fn losses(
        &mut self,
        terms: &Terms<'_, '_, T>,
        tile: &mut [T],
        slopes: &mut [T],
        first_sample: usize,
        rows: usize,
    ) {
        // Whole vectors, whatever lies beyond the rows.
        let width = rows.next_multiple_of(16).min(PANEL);
        let (max, best) = (&mut self.max[..width], &mut self.best[..width]);
        if !terms.is_bare() {
            let mut slopes = slopes.chunks_exact_mut(PANEL);
            for (class, scores) in tile.chunks_exact_mut(PANEL).enumerate() {
                let slopes = slopes.next().map(|slopes| &mut slopes[..width]).unwrap_or(&mut []);
                terms.bend(&mut scores[..width], slopes, |_| class);
            }
        }
        max.fill(T::neg_infinity());
        best.fill(T::zero());
        for (class, scores) in tile.chunks_exact(PANEL).enumerate() {
            let class = T::narrow(class as f64);
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
            self.cross[k] = terms.cross(first_sample + k, 0..tile.len() / PANEL, |class| tile[class * PANEL + k]);
        }
        for scores in tile.chunks_exact_mut(PANEL) {
            T::exp_in_place(&mut scores[..width]);
        }
        for k in 0..rows {
            let row = self.row(k);
            tile[row.best * PANEL + k] = row.defect();
        }
        let rest = &mut self.rest[..width];
        rest.fill(T::zero());
        for e in tile.chunks_exact(PANEL) {
            rest.iter_mut().zip(e).for_each(|(rest, &e)| *rest += e);
        }
        self.log_rest[..width].copy_from_slice(rest);
        T::ln_1p_in_place(&mut self.log_rest[..width]);
    }

    /// Exponentials, which are 0 at the best class, to G: (8).
    #[inline(always)]
    pub(crate) fn gradient(
        &mut self,
        terms: &Terms<'_, '_, T>,
        tile: &mut [T],
        slopes: &[T],
        first_sample: usize,
        rows: usize,
    ) {
        let width = rows.next_multiple_of(16).min(PANEL);
        let mut row_slopes = [None; PANEL];
        for k in 0..rows {
            let slope = terms.slope(first_sample + k, &self.row(k));
            (row_slopes[k], self.factor[k]) = (Some(slope), slope.factor);
        }
        for g in tile.chunks_exact_mut(PANEL) {
            g[..width].iter_mut().zip(&self.factor).for_each(|(g, &factor)| *g *= factor);
        }
        let classes = 0..tile.len() / PANEL;
        for (k, slope) in row_slopes.iter().flatten().enumerate() {
            let best = self.row(k).best;
            terms.subtract_mass(first_sample + k, best, slope, classes.clone(), tile, |class| class * PANEL + k);
        }
        for (g, slope) in tile.iter_mut().zip(slopes) {
            *g *= *slope;
        }
    }
}
