//! The formulas for a strip of a group's scores between the products: (2) to (4), and (8) except for the parts that
//! need every class. The classes are in the vector lanes.

use super::facts::TopClasses;
use super::plan::{Block, MOST_WIDTH, Plan};
use super::scores::Piece;
use crate::columns::{Columns, ROWS};
use crate::kernel::lanes::Lanes;
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{PANEL, pairs, pairs_mut};
use crate::terms::{NONE, Terms};

/// Layout of a group's strip of scores: panel by panel, `pitch` numbers apart; a panel has a row of `width` numbers per
/// sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) first_sample: usize,
    pub(super) rows: usize,
    pub(super) first_class: usize,
    pub(super) classes: usize,
    pub(super) width: usize,
    pub(super) pitch: usize,
}

impl Place {
    /// The layout of one group and one strip of a block.
    pub(super) fn new(plan: Plan, block: Block, group: usize, strip: usize) -> Self {
        let (first_class, classes) = plan.group_classes(group);
        Place {
            first_sample: block.first + strip * plan.strip,
            rows: block.rows_of(plan, strip),
            first_class,
            classes,
            width: plan.width,
            pitch: plan.tile(),
        }
    }

    /// The panels: start, first class and number of classes of each.
    pub(super) fn panels(self) -> impl Iterator<Item = (usize, usize, usize)> {
        let count = self.classes.div_ceil(self.width);
        (0..count)
            .map(move |p| (p * self.pitch, p * self.width, self.width.min(self.classes - p * self.width)))
    }

    /// The index of a class, counted from the group's first, in a row.
    fn at(self, class: usize, row: usize) -> usize {
        class / self.width * self.pitch + row * self.width + class % self.width
    }
}

/// Turns products into scores, with −∞ in the places beyond the last class. `slopes` receive the slopes of the softcap.
#[inline(always)]
pub(super) fn bend<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    place: Place,
    scores: &mut [T],
    slopes: &mut [T],
) {
    let width = place.width;
    for (at, class, classes) in place.panels() {
        let panel = &mut scores[at..at + place.rows * width];
        if !terms.is_bare() {
            let mut slopes =
                slopes.get_mut(at..at + place.rows * width).unwrap_or(&mut []).chunks_exact_mut(width);
            for row in panel.chunks_exact_mut(width) {
                let slopes = slopes.next().unwrap_or(&mut []);
                slopes.iter_mut().skip(classes).for_each(|slope| *slope = T::zero());
                terms.bend(&mut row[..classes], slopes, |k| place.first_class + class + k);
            }
        }
        if classes < width {
            panel.chunks_exact_mut(width).for_each(|row| row[classes..].fill(T::neg_infinity()));
        }
    }
}

/// Row facts that are requested of a group's scores.
#[derive(Clone, Copy)]
pub(super) struct Asked<'t, T> {
    pub(super) entropy: bool,
    /// The scores of the strip's labels, if the scores above them are to be counted.
    pub(super) label_scores: Option<&'t [T]>,
    /// Collects the best classes, with the index of the strip's first row.
    pub(super) top: Option<&'t TopClasses<T>>,
    pub(super) first_row: usize,
}

/// Turns scores s into exp(s − m), where m is the row's largest score in the group. `distances` receive m − s, if they
/// are needed later.
#[inline(always)]
pub(super) fn exponentials<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    terms: &Terms<'_, '_, T>,
    place: Place,
    (scores, distances): (&mut [T], &mut [T]),
    asked: Asked<'_, T>,
    mut facts: Piece<'_, T>,
) {
    // A few rows at a time, so that they stay in the L1 cache.
    for first in (0..place.rows).step_by(ROWS) {
        let rows = first..place.rows.min(first + ROWS);
        maxima(lanes, place, scores, rows.clone(), &mut facts);
        if let Some(label_scores) = asked.label_scores {
            count_above(place, scores, rows.clone(), label_scores, &mut facts);
        }
        if let Some(top) = asked.top {
            for row in rows.clone() {
                if top.may_have(asked.first_row + row, facts.max[row]) {
                    top.offer(place, row, asked.first_row, scores);
                }
            }
        }
        if asked.entropy {
            exponentiate::<T, L, true>(lanes, terms, place, (scores, distances), rows, &mut facts);
        } else {
            exponentiate::<T, L, false>(lanes, terms, place, (scores, distances), rows, &mut facts);
        }
    }
}

/// Counts, for each row, the classes whose score exceeds the label's.
#[inline(always)]
fn count_above<T: FusedElement>(
    place: Place,
    scores: &[T],
    rows: std::ops::Range<usize>,
    label_scores: &[T],
    facts: &mut Piece<'_, T>,
) {
    for row in rows {
        let label = label_scores[row];
        let mut above = [0; MOST_WIDTH];
        for (at, _, _) in place.panels() {
            let scores = &scores[at + row * place.width..][..place.width];
            above.iter_mut().zip(scores).for_each(|(above, &score)| *above += u32::from(score > label));
        }
        facts.above[row] = above.iter().sum();
    }
}

/// Finds the largest score of each row and its lowest index.
#[inline(always)]
fn maxima<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    place: Place,
    scores: &[T],
    rows: std::ops::Range<usize>,
    facts: &mut Piece<'_, T>,
) {
    let (width, place_of_last) = (place.width, place.classes - 1);
    for row in rows {
        let mut largest = lanes.splat(T::neg_infinity());
        for (at, _, _) in place.panels() {
            for &v in &pairs::<T, L>(&scores[at + row * width..][..width])[0] {
                largest = lanes.max(largest, v);
            }
        }
        let max = lanes.largest(largest);
        facts.max[row] = max;
        // Defaults to the first class: all scores may be NaN, or none may equal the maximum.
        facts.best[row] = place.first_class as u32;
        for (at, class, _) in place.panels() {
            let panel = &scores[at + row * width..][..width];
            if panel.iter().fold(false, |any, &s| any | (s == max)) {
                let place = panel.iter().position(|&s| s == max).unwrap_or(0);
                // With a NaN the maximum may be −∞, which the places beyond the last class hold too.
                facts.best[row] += (class + place).min(place_of_last) as u32;
                break;
            }
        }
    }
}

/// Computes the exponentials of some rows and their sums, without the best class, whose exponential is 1. If the
/// entropy is needed, also sums the products of exponentials and distances.
#[inline(always)]
fn exponentiate<T: FusedElement, L: Lanes<T>, const ENTROPY: bool>(
    lanes: L,
    terms: &Terms<'_, '_, T>,
    place: Place,
    (scores, distances): (&mut [T], &mut [T]),
    rows: std::ops::Range<usize>,
    facts: &mut Piece<'_, T>,
) {
    // A class this far away has exponential 0. Limiting the distance avoids 0·∞, which would be NaN.
    let farthest = lanes.splat(T::narrow(FARTHEST));
    let (width, zero) = (place.width, lanes.splat(T::zero()));
    // If all classes of a group are masked, its maximum is −∞ and its exponentials are 0.
    let shift = |max: T| if max == T::neg_infinity() { T::zero() } else { max };
    facts.cross[rows.clone()].fill(T::zero());
    facts.mass[rows.clone()].fill(T::zero());
    if terms.is_point() {
        for row in rows.clone() {
            let label = terms.label(place.first_sample + row);
            if let Some(class) = label.checked_sub(place.first_class).filter(|&class| class < place.classes) {
                let shifted = scores[place.at(class, row)] - shift(facts.max[row]);
                (facts.cross[row], facts.mass[row]) = terms.point_cross(label, shifted);
            }
        }
    }
    let mut sums = [[zero; PANEL]; ROWS];
    let mut spreads = [[zero; PANEL]; ROWS];
    for (at, class, classes) in place.panels() {
        let panel = &mut scores[at + rows.start * width..at + rows.end * width];
        for (pair, &max) in pairs_mut::<T, L>(panel).iter_mut().zip(&facts.max[rows.clone()]) {
            let max = lanes.splat(shift(max));
            *pair = pair.map(|s| lanes.sub(s, max));
        }
        if !terms.is_point() {
            for (row, shifted) in rows.clone().zip(panel.chunks_exact(width)) {
                let (first, i) = (place.first_class + class, place.first_sample + row);
                facts.cross[row] += terms.cross(i, NONE, first, classes, |j| shifted[j]);
                facts.mass[row] += terms.mass_of(i, first, classes);
            }
        }
        if let Some(kept) = distances.get_mut(at + rows.start * width..at + rows.end * width) {
            for (kept, pair) in pairs_mut::<T, L>(kept).iter_mut().zip(pairs::<T, L>(panel)) {
                *kept = pair.map(|s| lanes.sub(zero, lanes.max(farthest, s)));
            }
        }
        if ENTROPY {
            for (row, spread) in panel.chunks_exact_mut(width).zip(&mut spreads) {
                let distances = pairs::<T, L>(row)[0].map(|s| lanes.max(farthest, s));
                T::exp_in_place(row);
                let exps = pairs::<T, L>(row)[0];
                for v in 0..PANEL {
                    spread[v] = lanes.mul_add(exps[v], lanes.sub(zero, distances[v]), spread[v]);
                }
            }
        } else {
            T::exp_in_place(panel);
        }
        for (row, exps) in rows.clone().zip(panel.chunks_exact_mut(width)) {
            let best = (facts.best[row] as usize - place.first_class).wrapping_sub(class);
            if best < width {
                // NaN if the maximum is not finite. It is −∞ if the group is masked or holds NaN.
                let max = facts.max[row];
                exps[best] = T::zero() * if max == T::neg_infinity() { exps[best] } else { max };
            }
        }
        for (sums, pair) in sums.iter_mut().zip(pairs::<T, L>(panel)) {
            *sums = [lanes.add(sums[0], pair[0]), lanes.add(sums[1], pair[1])];
        }
    }
    if ENTROPY {
        for (row, spread) in rows.clone().zip(spreads) {
            facts.spread[row] = lanes.sum(lanes.add(spread[0], spread[1]));
        }
    }
    for (row, sums) in rows.zip(sums) {
        facts.rest[row] = lanes.sum(lanes.add(sums[0], sums[1]));
        if facts.max[row] > T::neg_infinity() {
            scores[place.at(facts.best[row] as usize - place.first_class, row)] = T::one();
        }
    }
}

/// A class at this s − m counts as masked.
const FARTHEST: f64 = -2000.0;

/// The inputs of a gradient that depends on entropies, for the rows of `columns`. `distances` are m − s from the
/// group's maximum, `shifts` the difference to the row's maximum, `factors` the factors of exp(s − m)·(m − s).
pub(super) struct Entropy<'t, T> {
    pub(super) distances: &'t [T],
    pub(super) shifts: [T; ROWS],
    pub(super) factors: [T; ROWS],
}

/// Turns the exponentials of some rows into G, by (8) or (11). `factors` are the factors of the exponentials; `rows`
/// are the strip's rows that `columns` holds.
#[inline(always)]
pub(super) fn finish<T: FusedElement, L: Lanes<T>>(
    lanes: L,
    terms: &Terms<'_, '_, T>,
    place: Place,
    (scores, slopes): (&mut [T], &[T]),
    (first, columns): (usize, &Columns<T>),
    factors: &[T; ROWS],
    entropy: Option<&Entropy<'_, T>>,
) {
    let (width, rows) = (place.width, columns.rows);
    for (at, class, classes) in place.panels() {
        let from = at + first * width;
        let panel = &mut scores[from..from + rows * width];
        if let Some(Entropy { distances, shifts, factors: of_distance }) = entropy {
            let distances = pairs::<T, L>(&distances[from..from + rows * width]);
            for (k, (pair, distances)) in pairs_mut::<T, L>(panel).iter_mut().zip(distances).enumerate() {
                let [factor, of_distance, shift] =
                    [factors[k], of_distance[k], shifts[k]].map(|x| lanes.splat(x));
                for (e, &distance) in pair.iter_mut().zip(distances) {
                    *e = lanes.mul(*e, lanes.mul_add(of_distance, lanes.add(distance, shift), factor));
                }
            }
        } else {
            for (pair, &factor) in pairs_mut::<T, L>(panel).iter_mut().zip(factors) {
                let factor = lanes.splat(factor);
                *pair = pair.map(|e| lanes.mul(e, factor));
            }
        }
        if !terms.is_point() || terms.ignores() {
            for k in 0..rows {
                let row = &mut panel[k * width..][..classes];
                columns.subtract_masses(terms, k, place.first_class + class, row);
            }
        }
        if classes < width {
            // The product for dX multiplies the places beyond the last class by zeros. They are cleared, since their
            // factors may be infinite.
            panel.chunks_exact_mut(width).for_each(|row| row[classes..].fill(T::zero()));
        }
    }
    for k in 0..rows {
        let of_group =
            |class: usize| class.checked_sub(place.first_class).filter(|&class| class < place.classes);
        if terms.is_point()
            && let Some(label) = of_group(columns.label[k])
        {
            scores[place.at(label, first + k)] -= columns.at_label[k];
        }
        if let Some(best) = of_group(columns.best(k)).filter(|_| !terms.is_ignored(columns.first_sample + k))
        {
            scores[place.at(best, first + k)] = columns.at_best[k];
        }
    }
    if slopes.is_empty() {
        return;
    }
    for (at, _, _) in place.panels() {
        let part = at + first * width..at + (first + rows) * width;
        scores[part.clone()].iter_mut().zip(&slopes[part.clone()]).for_each(|(g, &slope)| *g *= slope);
        if terms.ignores() {
            // The slope of an ignored sample may be NaN.
            for (k, row) in scores[part].chunks_exact_mut(width).enumerate() {
                if terms.is_ignored(columns.first_sample + k) {
                    row.fill(T::zero());
                }
            }
        }
    }
}
