//! Computes a block's scores group by group, and the state of each group: maximum, exponentials, sums.

use super::epilogue::{Asked, Place, bend, exponentials};
use super::facts::{TopClasses, label_scores};
use super::pack::{PackedRows, ahead, pack_panels, pack_rows};
use super::plan::{Block, Plan};
use super::scratch::{Facts, Scratch, Spare};
use super::sparse::{self, weights_rows};
use crate::columns::{Columns, ROWS};
use crate::facts::Wanted;
use crate::kernel::ahead::Ahead;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{Destination, TILE, Want, product};
use crate::orders::CHUNK;
use crate::rounds::Crew;
use crate::stored::{Matrix, Samples, Stored, with_numbers};
use crate::terms::Terms;
use softmax_core::Csr;
use softmax_core::ndarray::{ArrayView2, Axis};
use std::ops::Range;

/// Computes the scores of a block of rows, turns them into exponentials, and finds the maximum and sums of each row.
///
/// ```text
/// for each group of classes, for each strip of rows                        a task, or all strips of a group
///     for each chunk of features
///         pack the chunk's part of W's group                              once for all strips of a task
///         for each tile of rows, for each panel
///             scores[panel][tile] += X[tile][chunk] · W[chunk][panel]      kernel/tile.rs
///     maximum, exponentials and sums of each row's part of the group       epilogue.rs
/// for each row                                                            merge
///     maximum and sums over the groups
/// ```
pub(super) fn score_block<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    plan: Plan,
    block: Block,
    wanted: Wanted,
    crew: Crew<'_>,
) {
    score_groups(scratch, terms, problem, plan, block, wanted, crew);
    let (facts, pitch) = (&scratch.facts, plan.strips() * plan.strip);
    let label_scores = &*scratch.label_scores;
    let columns = scratch.columns[..block.rows.div_ceil(ROWS)].iter_mut();
    crew.for_each(columns, |which, columns| {
        let first = which * ROWS;
        columns.begin_labels(terms, block.first + first, ROWS.min(block.rows - first));
        merge(facts, plan.groups(), first, pitch, columns);
        for k in 0..columns.rows {
            columns.total_mass[k] = terms.total_mass(columns.first_sample + k, columns.total_mass[k], None);
        }
        if wanted.label {
            columns.label_score[..columns.rows].copy_from_slice(&label_scores[first..first + columns.rows]);
        }
    });
}

/// Like [`score_block`], without merging the groups.
pub(super) fn score_groups<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    plan: Plan,
    block: Block,
    wanted: Wanted,
    crew: Crew<'_>,
) {
    let (strips, pieces) = (plan.strips(), plan.groups() * plan.strips());
    scratch.regions.resize(if plan.stores { pieces * plan.region() } else { 0 });
    scratch.facts.resize(pieces * plan.strip);
    scratch.top.begin(wanted.top, block.rows);
    scratch.columns.resize_with(plan.block.div_ceil(ROWS), Columns::new);

    let spare = &scratch.spare;
    let features = match &problem.features {
        Samples::Dense(features) => {
            pack_rows(features, &mut scratch.rows, plan, block, crew);
            Features::Tiles(&scratch.rows)
        }
        Samples::Csr(features) => {
            Features::Rows(features, weights_rows(&problem.weights, &mut scratch.weights, block))
        }
    };
    if wanted.label {
        let packed = &scratch.rows;
        label_scores(packed, &mut scratch.label_scores, terms, problem, (plan, block), crew);
    }
    // A task that packs W handles all strips of its group, if there are enough groups: W is then packed once.
    let packs = matches!(features, Features::Tiles(_));
    let by_groups = packs && plan.has_groups_for(crew.threads()) && plan.keeps_weights();
    let together = if by_groups { strips } else { 1 };
    let (label_scores, top) = (&*scratch.label_scores, &scratch.top);
    let products = Products { features, weights: problem.weights, plan, block };
    let context = Context { products, spare, terms, plan, block, wanted, label_scores, top };
    let mut regions = scratch.regions.chunks_mut(together * plan.region());
    let facts = scratch.facts.pieces(together * plan.strip);
    crew.for_each(facts.map(|facts| (facts, regions.next())), |task, (facts, regions)| {
        let (group, first) = (task * together / strips, task * together % strips);
        T::run(crew.level, (context, Strips { group, strips: first..first + together, regions, facts }));
    });
}

/// State of a group's rows in a strip.
pub(super) struct Piece<'f, T> {
    pub(super) max: &'f mut [T],
    pub(super) best: &'f mut [u32],
    pub(super) rest: &'f mut [T],
    pub(super) cross: &'f mut [T],
    pub(super) mass: &'f mut [T],
    pub(super) spread: &'f mut [T],
    pub(super) above: &'f mut [u32],
}

impl<T> Piece<'_, T> {
    fn part(&mut self, rows: Range<usize>) -> Piece<'_, T> {
        Piece {
            max: &mut self.max[rows.clone()],
            best: &mut self.best[rows.clone()],
            rest: &mut self.rest[rows.clone()],
            cross: &mut self.cross[rows.clone()],
            mass: &mut self.mass[rows.clone()],
            spread: &mut self.spread[rows.clone()],
            above: &mut self.above[rows],
        }
    }
}

impl<T: FusedElement> Facts<T> {
    pub(super) fn resize(&mut self, length: usize) {
        self.max.resize(length);
        self.best.resize(length, 0);
        self.rest.resize(length);
        self.cross.resize(length);
        self.mass.resize(length);
        self.spread.resize(length);
        self.above.resize(length, 0);
    }

    fn pieces(&mut self, rows: usize) -> impl Iterator<Item = Piece<'_, T>> {
        let max = self.max.chunks_mut(rows);
        let best = self.best.chunks_mut(rows);
        let rest = self.rest.chunks_mut(rows);
        let cross = self.cross.chunks_mut(rows);
        let mass = self.mass.chunks_mut(rows);
        let spread = self.spread.chunks_mut(rows);
        let above = self.above.chunks_mut(rows);
        let all = max.zip(best).zip(rest).zip(cross).zip(mass).zip(spread).zip(above);
        all.map(|((((((max, best), rest), cross), mass), spread), above)| Piece {
            max,
            best,
            rest,
            cross,
            mass,
            spread,
            above,
        })
    }
}

/// Maximum and sums over all classes, for the rows of `columns`, which begin at row `first` of the block. Merges the
/// groups in the order of the classes.
pub(super) fn merge<T: FusedElement>(
    facts: &Facts<T>,
    groups: usize,
    first: usize,
    pitch: usize,
    columns: &mut Columns<T>,
) {
    let rows = columns.rows;
    let at = |group: usize| group * pitch + first..group * pitch + first + rows;
    let mut best_group = [0; ROWS];
    columns.max[..rows].copy_from_slice(&facts.max[at(0)]);
    columns.best[..rows].copy_from_slice(&facts.best[at(0)]);
    for group in 1..groups {
        let (max, best) = (&facts.max[at(group)], &facts.best[at(group)]);
        for k in 0..rows {
            let better = max[k] > columns.max[k];
            columns.max[k] = if better { max[k] } else { columns.max[k] };
            columns.best[k] = if better { best[k] } else { columns.best[k] };
            best_group[k] = if better { group } else { best_group[k] };
        }
    }
    columns.rest[..rows].fill(T::zero());
    columns.cross[..rows].fill(T::zero());
    columns.total_mass[..rows].fill(T::zero());
    columns.spread[..rows].fill(T::zero());
    columns.above[..rows].fill(0);
    for group in 0..groups {
        let (spread, above) = (&facts.spread[at(group)], &facts.above[at(group)]);
        let (rest, cross, mass) = (&facts.rest[at(group)], &facts.cross[at(group)], &facts.mass[at(group)]);
        let mut share = [T::zero(); ROWS];
        shares(&facts.max[at(group)], &columns.max[..rows], &mut share);
        for k in 0..rows {
            let whole = (T::one() + rest[k]) * share[k];
            columns.rest[k] += if best_group[k] == group { rest[k] } else { whole };
            let shift = facts.max[group * pitch + first + k] - columns.max[k];
            // If all classes of a group are masked, its share is 0 and its distance ∞; 0·∞ would be NaN.
            let of_group = share[k] * (spread[k] - (T::one() + rest[k]) * shift);
            columns.spread[k] += if share[k] == T::zero() { T::zero() } else { of_group };
            columns.above[k] += above[k];
            columns.total_mass[k] += mass[k];
            // A group without target mass may be masked; 0·∞ would be NaN.
            columns.cross[k] += if mass[k] == T::zero() { cross[k] } else { cross[k] + mass[k] * shift };
        }
    }
}

/// Computes exp(max of the group − max of all) for each row.
pub(super) fn shares<T: FusedElement>(group: &[T], all: &[T], shares: &mut [T; ROWS]) {
    shares.iter_mut().zip(group.iter().zip(all)).for_each(|(share, (&group, &all))| *share = group - all);
    T::exp_in_place(shares);
}

/// X as the products read it.
#[derive(Clone, Copy)]
pub(super) enum Features<'t, T> {
    /// Packed by `pack_rows`.
    Tiles(&'t [T]),
    /// Sparse features, with the rows of W.
    Rows(&'t Csr<'t, T>, ArrayView2<'t, T>),
}

/// Data shared by all tasks of a block.
#[derive(Clone, Copy)]
struct Context<'t, 'p, 'q, T> {
    products: Products<'t, 'q, T>,
    spare: &'t Spare<T>,
    terms: &'t Terms<'t, 'p, T>,
    plan: Plan,
    block: Block,
    wanted: Wanted,
    label_scores: &'t [T],
    top: &'t TopClasses<T>,
}

/// One strip of a group, or all strips of the block.
struct Strips<'t, T> {
    group: usize,
    strips: Range<usize>,
    /// Where the scores stay for the gradients. `None` without gradients; the strips then share a buffer.
    regions: Option<&'t mut [T]>,
    facts: Piece<'t, T>,
}

impl<T: FusedElement> Kernel<T> for (Context<'_, '_, '_, T>, Strips<'_, T>) {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let (context, Strips { group, strips, mut regions, mut facts }) = self;
        let Context { plan, block, .. } = context;
        // W that is packed for the first strip is reused for the others.
        let kept = if strips.len() > 1 { plan.d } else { CHUNK };
        let of_weights = context.products.room(group, kept);
        let of_scores = if regions.is_some() { 0 } else { plan.region() };
        let mut buffer = context.spare.take(of_weights + of_scores);
        let (packed, room) = buffer.split_at_mut(of_weights);
        for (k, strip) in strips.enumerate() {
            let place = Place::new(plan, block, group, strip);
            if place.rows == 0 {
                break;
            }
            let region = match &mut regions {
                Some(regions) => &mut regions[k * plan.region()..][..plan.region()],
                None => &mut room[..],
            };
            let (scores, slopes, distances) = plan.parts(region);
            context.products.of_strip(lanes, place, (&mut *packed, kept, k == 0), scores);
            bend(context.terms, place, scores, slopes);
            let facts = facts.part(k * plan.strip..(k + 1) * plan.strip);
            exponentials(lanes, context.terms, place, (scores, distances), context.asked(place), facts);
        }
    }
}

impl<T: FusedElement> Context<'_, '_, '_, T> {
    /// The facts that are requested of a strip.
    fn asked(&self, place: Place) -> Asked<'_, T> {
        let first_row = place.first_sample - self.block.first;
        let label_scores = self.wanted.rank.then(|| &self.label_scores[first_row..first_row + place.rows]);
        let top = (self.wanted.top > 0).then_some(self.top);
        Asked { entropy: self.wanted.entropy, label_scores, top, first_row }
    }
}

/// Computes X·W for one group of classes and one strip of rows at a time.
#[derive(Clone, Copy)]
pub(super) struct Products<'t, 'q, T> {
    pub(super) features: Features<'t, T>,
    pub(super) weights: Matrix<'q, T>,
    pub(super) plan: Plan,
    pub(super) block: Block,
}

impl<T: FusedElement> Products<'_, '_, T> {
    /// Length of a group's packed part of W, for `kept` features at a time.
    pub(super) fn room(&self, group: usize, kept: usize) -> usize {
        match self.features {
            Features::Tiles(_) => kept * self.plan.panels_of(group) * self.plan.width,
            Features::Rows(..) => 0,
        }
    }

    /// Computes X·W of a strip and a group. `packed` has room for the group's part of W, for `kept` features at a time;
    /// the flag says whether it must still be packed.
    #[inline(always)]
    pub(super) fn of_strip<L: Lanes<T>>(
        &self,
        lanes: L,
        place: Place,
        packing: (&mut [T], usize, bool),
        scores: &mut [T],
    ) {
        match self.features {
            Features::Tiles(x) => self.of_tiles(lanes, x, place, packing, scores),
            Features::Rows(x, weights) => sparse::scores(lanes, x, &weights, place, scores),
        }
    }

    /// Computes the products of dense features.
    #[inline(always)]
    fn of_tiles<L: Lanes<T>>(
        &self,
        lanes: L,
        x: &[T],
        place: Place,
        (packed, kept, packs): (&mut [T], usize, bool),
        scores: &mut [T],
    ) {
        let Products { plan, block, .. } = *self;
        let Place { rows, width, .. } = place;
        let (panels, tiles) = (place.classes.div_ceil(width), rows.div_ceil(TILE));
        let (layout, first_tile) = (PackedRows::new(plan, block), (place.first_sample - block.first) / TILE);
        let classes = place.first_class..place.first_class + place.classes;
        if plan.d == 0 {
            scores.fill(T::zero());
        }
        for first in (0..plan.d).step_by(CHUNK) {
            let length = CHUNK.min(plan.d - first);
            let at = if kept == plan.d { first } else { 0 };
            let packed = &mut packed[at * panels * width..][..length * panels * width];
            if packs {
                with_numbers!(self.weights, weights => {
                    pack_panels(lanes, &weights, first..first + length, classes.clone(), width, packed);
                });
            }
            let next = plan.d.min(first + CHUNK)..plan.d.min(first + 2 * CHUNK);
            let x = &x[layout.at(first, first_tile)..];
            for (tile, x) in x.chunks(layout.pitch(first)).take(tiles).enumerate() {
                let (x, left) = (x[..length * TILE].as_chunks::<TILE>().0, rows - tile * TILE);
                for (p, w) in packed.chunks_exact(length * width).enumerate() {
                    let mut soon = Ahead::of(w);
                    if packs {
                        with_numbers!(self.weights, weights => {
                            let next = weights.slice_axis(Axis(0), next.clone().into());
                            let next = next.slice_axis(Axis(1), classes.clone().into());
                            soon = ahead(&next, tile * panels + p, soon);
                        });
                    }
                    let out = &mut scores[p * place.pitch + tile * TILE * width..][..TILE * width];
                    let vectors = plan.vectors(place.classes - p * width);
                    let want = Want { rows: left, vectors, ahead: soon };
                    product(lanes, x, w, want, Destination { out, adds: first > 0 });
                }
            }
        }
    }
}
