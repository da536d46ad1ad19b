//! Row facts of a block: the label's score, computed before the other scores so that those above it can be counted; and
//! the best classes, which the groups of classes contribute.

use super::epilogue::Place;
use super::pack::PackedRows;
use super::plan::{Block, Plan};
use crate::buffer::Buffer;
use crate::facts::Best;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::level::FusedElement;
use crate::kernel::tile::TILE;
use crate::orders::CHUNK;
use crate::rounds::Crew;
use crate::stored::{Number, Samples, Stored, with_numbers};
use crate::terms::{NONE, Terms};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Rows per task.
const ROWS: usize = 8 * TILE;

/// The score of each row's label; NaN if it has none. Adds the products in the order of the wide kernel.
pub(super) fn label_scores<T: FusedElement>(
    packed: &[T],
    scores: &mut Buffer<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    (plan, block): (Plan, Block),
    crew: Crew<'_>,
) {
    scores.resize(block.rows);
    crew.for_each(scores.chunks_mut(ROWS), |task, scores| {
        let first = task * ROWS;
        T::run(crew.level, LabelScores { packed, scores, terms, problem, plan, block, first });
    });
}

struct LabelScores<'t, 'p, 'q, T> {
    packed: &'t [T],
    scores: &'t mut [T],
    terms: &'t Terms<'t, 'p, T>,
    problem: &'t Stored<'q, T>,
    plan: Plan,
    block: Block,
    first: usize,
}

impl<T: FusedElement> Kernel<T> for LabelScores<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let LabelScores { packed, scores, terms, problem, plan, block, first } = self;
        let layout = PackedRows::new(plan, block);
        for (tile, scores) in scores.chunks_mut(TILE).enumerate() {
            let row = first + tile * TILE;
            let mut labels = [NONE; TILE];
            for (k, label) in labels.iter_mut().enumerate().take(scores.len()) {
                *label = terms.labelled_class(block.first + row + k);
            }
            let mut sums = [lanes.splat(T::zero()); TILE];
            // The product is one lane of a tile's. Computing a whole vector gives the same bits at every level.
            match &problem.features {
                Samples::Dense(_) => {
                    for first in (0..plan.d).step_by(CHUNK) {
                        let x = packed[layout.at(first, row / TILE)..].as_chunks::<TILE>().0;
                        let mut parts = [lanes.splat(T::zero()); TILE];
                        with_numbers!(problem.weights, weights => {
                            let rows = weights.rows().into_iter().skip(first).take(CHUNK);
                            for (x, w) in x.iter().zip(rows) {
                                for k in 0..TILE {
                                    let w = w.get(labels[k]).map_or(T::zero(), |w| (*w).widened());
                                    parts[k] = lanes.mul_add(lanes.splat(x[k]), lanes.splat(w), parts[k]);
                                }
                            }
                        });
                        for k in 0..TILE {
                            sums[k] = if first == 0 { parts[k] } else { lanes.add(sums[k], parts[k]) };
                        }
                    }
                }
                Samples::Csr(csr) => {
                    for k in 0..scores.len() {
                        let (features, values) = csr.row(block.first + row + k);
                        for (features, values) in
                            features.chunks(super::sparse::CHUNK).zip(values.chunks(super::sparse::CHUNK))
                        {
                            let mut part = lanes.splat(T::zero());
                            with_numbers!(problem.weights, weights => {
                                for (&feature, &x) in features.iter().zip(values) {
                                    let w = weights.get([feature as usize, labels[k]]);
                                    let w = w.map_or(T::zero(), |w| (*w).widened());
                                    part = lanes.mul_add(lanes.splat(x), lanes.splat(w), part);
                                }
                            });
                            sums[k] = lanes.add(sums[k], part);
                        }
                    }
                }
            }
            for ((score, &label), sum) in scores.iter_mut().zip(&labels).zip(sums) {
                let mut slope = [T::zero()];
                // All lanes hold the same sum.
                let mut one = [lanes.largest(sum)];
                if label != NONE && !terms.is_bare() {
                    terms.bend(&mut one, &mut slope, |_| label);
                }
                *score = if label == NONE { T::nan() } else { one[0] };
            }
        }
    }
}

/// The best classes of a block's rows. Groups contribute in any order.
#[derive(Debug, Default)]
pub(super) struct TopClasses<T> {
    best: Vec<Mutex<Best<T>>>,
    /// The score that a further class must exceed, per row, as an integer that rises with the score. Thanks to it most
    /// groups need no lock.
    least: Vec<AtomicU64>,
}

impl<T> Clone for TopClasses<T> {
    /// Empty: the contents mean nothing from block to block.
    fn clone(&self) -> Self {
        TopClasses { best: Vec::new(), least: Vec::new() }
    }
}

impl<T: FusedElement> TopClasses<T> {
    /// Starts a block of `rows` rows.
    pub(super) fn begin(&mut self, k: usize, rows: usize) {
        let rows = if k > 0 { rows } else { 0 };
        self.best.resize_with(rows, Mutex::default);
        self.best.iter_mut().for_each(|best| of(best).begin(k));
        self.least.clear();
        self.least.resize_with(rows, || AtomicU64::new(0));
    }

    /// Whether a group with this maximum may hold one of the row's best classes. The answer may miss what another
    /// thread has just added; `offer` decides under the lock.
    #[inline(always)]
    pub(super) fn may_have(&self, row: usize, max: T) -> bool {
        rising(max) >= self.least[row].load(Ordering::Relaxed)
    }

    /// Offers the classes of a group to a row.
    #[inline(always)]
    pub(super) fn offer(&self, place: Place, row_of_strip: usize, first_row: usize, scores: &[T]) {
        let row = first_row + row_of_strip;
        let mut best = self.best[row].lock().unwrap_or_else(PoisonError::into_inner);
        for (at, class, classes) in place.panels() {
            let scores = &scores[at + row_of_strip * place.width..][..classes];
            let least = best.least().unwrap_or(T::neg_infinity());
            if scores.iter().fold(false, |any, &score| any | (score >= least)) {
                for (class, &score) in (place.first_class + class..).zip(scores) {
                    best.offer(class, score);
                }
            }
        }
        if let Some(least) = best.least() {
            self.least[row].store(rising(least), Ordering::Relaxed);
        }
    }

    /// The best classes of a row, after all groups.
    pub(super) fn of_row(&mut self, row: usize) -> Option<&Best<T>> {
        self.best.get_mut(row).map(|best| &*of(best))
    }
}

/// The contents of a mutex that only this thread can access.
fn of<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// Maps a score to an integer that rises with it. Zeros of both signs are equal; NaN is below all.
fn rising<T: FusedElement>(score: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    let score = score.widen();
    if score.is_nan() {
        return 0;
    }
    let bits = (score + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}
