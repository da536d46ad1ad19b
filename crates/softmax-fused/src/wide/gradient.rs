//! Computes G, dW and db of a block of rows.

use super::epilogue::{Entropy, Place, finish};
use super::pack::{PackedRows, ahead, clear_ignored, load_panels, store_panels};
use super::plan::{Block, MOST_WIDTH, Plan};
use super::scores::shares;
use super::scratch::{Facts, Scratch, Spare};
use super::sparse::{self, Turned, turn_rows};
use crate::columns::{Columns, ROWS};
use crate::kernel::ahead::Ahead;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{Destination, PANEL, Squares, TILE, Want, pairs, product};
use crate::orders::{GROUP, SUMMED};
use crate::rounds::Crew;
use crate::stored::{Samples, Stored};
use crate::sums::Sum;
use crate::terms::Terms;
use softmax_core::Outputs;
use softmax_core::ndarray::{ArrayView2, ArrayViewMut2, Axis};

/// db is summed in this many chains, every eighth row in each; the chains are then added by halves.
const CHAINS: usize = 8;

/// Contents of the regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Exponentials, not yet turned into G.
    Exponentials,
    /// G.
    Gradient,
}

/// Turns exponentials into G, and multiplies G for dW and db.
///
/// ```text
/// for each group of classes                                                a task, or a task for each strip and part
///     G from the exponentials, for each strip of rows                      epilogue.rs
///     db
///     for each part of the features
///         for each 192 rows, for each panel, for each tile of features
///             dW[tile][panel] += X[192][tile] · G[192][panel]              kernel/tile.rs
/// ```
pub(super) fn gradient_block<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    (plan, block, held): (Plan, Block, Held),
    outputs: &mut Outputs<'_, T>,
    crew: Crew<'_>,
) {
    // The first block overwrites dW, unless the caller asked to accumulate.
    let overwrites = block.first == 0 && !outputs.accumulate;
    let mut dw = Vec::new();
    if let Some(whole) = &mut outputs.weights_gradient {
        match &problem.features {
            Samples::Dense(_) => clear_ignored(terms, &mut scratch.rows, plan, block),
            Samples::Csr(x) => turn_rows(terms, x, &mut scratch.turned, plan, block, crew),
        }
        let groups = whole.axis_chunks_iter_mut(Axis(1), GROUP * plan.width);
        dw.extend(groups.map(|group| cut(group, plan.features)));
    } else {
        dw.resize_with(plan.groups(), Vec::new);
    }
    let context = Context {
        columns: &scratch.columns[..block.rows.div_ceil(ROWS)],
        facts: &scratch.facts,
        features: match problem.features {
            Samples::Dense(_) => Features::Tiles(&scratch.rows),
            Samples::Csr(_) => Features::Turned(&scratch.turned),
        },
        spare: &scratch.spare,
        terms,
        plan,
        block,
        overwrites,
    };
    let (strips, of_group) = (plan.strips(), plan.strips() * plan.region());
    let mut db = scratch.db.chunks_mut(GROUP * plan.width);
    if held == Held::Exponentials && plan.has_groups_for(crew.threads()) {
        let groups = scratch.regions.chunks_mut(of_group).zip(&mut dw);
        let tasks = groups.enumerate().map(|(group, (regions, dw))| Task {
            group,
            regions: Regions::Exponentials { first: 0, regions },
            db: db.next(),
            first_part: 0,
            dw,
        });
        crew.for_each(tasks, |_, task| T::run(crew.level, (&context, task)));
        return;
    }
    if held == Held::Exponentials {
        let pieces = scratch.regions.chunks_mut(plan.region()).enumerate().map(|(piece, regions)| {
            let regions = Regions::Exponentials { first: piece % strips, regions };
            Task { group: piece / strips, regions, db: None, first_part: 0, dw: &mut [] }
        });
        crew.for_each(pieces, |_, task| T::run(crew.level, (&context, task)));
    }
    let groups = scratch.regions.chunks(of_group).zip(&mut dw).enumerate();
    let tasks = groups.flat_map(|(group, (regions, dw))| {
        let of =
            move |db, first_part, dw| Task { group, regions: Regions::Gradient(regions), db, first_part, dw };
        let of_bias = db.next().map(|db| of(Some(db), 0, &mut []));
        let of_weights = dw.chunks_mut(1).enumerate().map(move |(part, dw)| of(None, part, dw));
        of_bias.into_iter().chain(of_weights)
    });
    crew.for_each(tasks, |_, task| T::run(crew.level, (&context, task)));
}

/// Cuts a matrix into pieces of `rows` rows.
fn cut<T>(mut rest: ArrayViewMut2<'_, T>, rows: usize) -> Vec<ArrayViewMut2<'_, T>> {
    let mut parts = Vec::with_capacity(rest.nrows().div_ceil(rows));
    while rest.nrows() > rows {
        let (part, others) = rest.split_at(Axis(0), rows);
        parts.push(part);
        rest = others;
    }
    parts.push(rest);
    parts
}

/// X as the products read it: packed by `pack_rows`, or sparse and transposed.
#[derive(Clone, Copy)]
enum Features<'t, T> {
    Tiles(&'t [T]),
    Turned(&'t [Turned<T>]),
}

/// Data shared by all tasks of a block.
struct Context<'t, 'p, T> {
    columns: &'t [Columns<T>],
    facts: &'t Facts<T>,
    features: Features<'t, T>,
    spare: &'t Spare<T>,
    terms: &'t Terms<'t, 'p, T>,
    plan: Plan,
    block: Block,
    overwrites: bool,
}

/// Turns strips of a group into G, then computes the group's db and parts of dW.
struct Task<'t, 'o, T> {
    group: usize,
    regions: Regions<'t, T>,
    db: Option<&'t mut [Sum]>,
    first_part: usize,
    dw: &'t mut [ArrayViewMut2<'o, T>],
}

enum Regions<'t, T> {
    /// Exponentials of the strips from `first` on, not yet turned into G.
    Exponentials { first: usize, regions: &'t mut [T] },
    /// G of the group.
    Gradient(&'t [T]),
}

impl<T: FusedElement> Kernel<T> for (&Context<'_, '_, T>, Task<'_, '_, T>) {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let (context, Task { group, regions, db, first_part, dw }) = self;
        let regions = match regions {
            Regions::Gradient(regions) => regions,
            Regions::Exponentials { first, regions } => {
                for (k, region) in regions.chunks_mut(context.plan.region()).enumerate() {
                    context.finish(lanes, group, first + k, region);
                }
                regions
            }
        };
        if let Some(db) = db {
            context.bias_gradient(lanes, group, regions, db);
        }
        let mut rest = dw;
        let mut part = first_part;
        while let Some((dw, others)) = rest.split_first_mut() {
            context.weights_gradient(lanes, group, part, regions, dw, others.first().map(|dw| dw.view()));
            (part, rest) = (part + 1, others);
        }
    }
}

impl<T: FusedElement> Context<'_, '_, T> {
    /// Turns the exponentials of a strip into G.
    #[inline(always)]
    fn finish<L: Lanes<T>>(&self, lanes: L, group: usize, strip: usize, region: &mut [T]) {
        let Context { plan, block, .. } = *self;
        let (scores, slopes, distances) = plan.parts(region);
        let (place, first_row) = (Place::new(plan, block, group, strip), strip * plan.strip);
        for first in (0..place.rows).step_by(ROWS) {
            let row = first_row + first;
            let columns = &self.columns[row / ROWS];
            let at = group * plan.strips() * plan.strip + row;
            let mut factors = [T::zero(); ROWS];
            shares(&self.facts.max[at..at + columns.rows], &columns.max[..columns.rows], &mut factors);
            let entropy = plan.distances.then(|| {
                let mut entropy = Entropy { distances, shifts: [T::zero(); ROWS], factors };
                for k in 0..columns.rows {
                    entropy.factors[k] *= columns.of_distance[k];
                    // If all classes of a group are masked, its share is 0 and its distance ∞; 0·∞ would be NaN.
                    if factors[k] != T::zero() {
                        entropy.shifts[k] = columns.max[k] - self.facts.max[at + k];
                    }
                }
                entropy
            });
            factors.iter_mut().zip(&columns.factor).for_each(|(share, &factor)| *share *= factor);
            let entropy = entropy.as_ref();
            finish(lanes, self.terms, place, (scores, slopes), (first, columns), &factors, entropy);
        }
    }

    /// Sums the columns of G, a few rows at a time.
    #[inline(always)]
    fn bias_gradient<L: Lanes<T>>(&self, lanes: L, group: usize, regions: &[T], db: &mut [Sum]) {
        let Context { plan, block, .. } = *self;
        for (strip, region) in regions.chunks(plan.region()).enumerate() {
            let rows = block.rows_of(plan, strip);
            for (p, db) in db.chunks_mut(plan.width).enumerate().take(plan.panels_of(group)) {
                let panel = &region[p * plan.tile()..][..rows * plan.width];
                for rows in panel.chunks(SUMMED * plan.width) {
                    let mut chains = [[lanes.splat(T::zero()); PANEL]; CHAINS];
                    for rows in pairs::<T, L>(rows).chunks(CHAINS) {
                        for (chain, row) in chains.iter_mut().zip(rows) {
                            *chain = [lanes.add(chain[0], row[0]), lanes.add(chain[1], row[1])];
                        }
                    }
                    for half in [4, 2, 1] {
                        for k in 0..half {
                            let (low, high) = (chains[k], chains[k + half]);
                            chains[k] = [lanes.add(low[0], high[0]), lanes.add(low[1], high[1])];
                        }
                    }
                    let mut flat = [T::zero(); MOST_WIDTH];
                    L::split_mut(&mut flat[..plan.width]).0.copy_from_slice(&chains[0]);
                    db.iter_mut().zip(flat).for_each(|(db, sum)| db.add(sum.widen()));
                }
            }
        }
    }

    /// Computes dW for the classes of a group and a part of the features. Prefetches `next`, the data of the following
    /// part.
    #[inline(always)]
    fn weights_gradient<L: Lanes<T>>(
        &self,
        lanes: L,
        group: usize,
        part: usize,
        regions: &[T],
        dw: &mut ArrayViewMut2<'_, T>,
        next: Option<ArrayView2<'_, T>>,
    ) {
        let Context { plan, block, .. } = *self;
        let (width, panels) = (plan.width, plan.panels_of(group));
        let tiles = dw.nrows().div_ceil(TILE);
        if tiles == 0 {
            return;
        }
        let features = match self.features {
            Features::Tiles(features) => features,
            Features::Turned(turned) => {
                sparse::weights_gradient(lanes, plan, &turned[part], regions, self.overwrites, dw);
                return;
            }
        };
        let (layout, of_tile) = (PackedRows::new(plan, block), TILE * width);
        let mut sums = self.spare.take(panels * tiles * of_tile);
        if !self.overwrites {
            load_panels(lanes, dw, width, tiles * of_tile, &mut sums);
        } else if block.rows == 0 {
            sums.fill(T::zero());
        }
        for (strip, region) in regions.chunks(plan.region()).enumerate() {
            let rows = block.rows_of(plan, strip);
            for first in (0..rows).step_by(SUMMED) {
                let count = SUMMED.min(rows - first);
                let first_row = strip * plan.strip + first;
                let adds = first_row > 0 || !self.overwrites;
                for (p, sums) in sums.chunks_exact_mut(tiles * of_tile).enumerate() {
                    let g = &region[p * plan.tile() + first * width..][..count * width];
                    let vectors = plan.vectors(dw.ncols() - p * width);
                    for (tile, out) in sums.chunks_exact_mut(of_tile).enumerate() {
                        let feature = part * plan.features + tile * TILE;
                        let numbers = &features[layout.at(feature, first_row / TILE)..];
                        let x = Squares { numbers, pitch: layout.pitch(feature) };
                        let run = (first_row / SUMMED * panels + p) * tiles + tile;
                        let here = Ahead::of(numbers);
                        let ahead = next.as_ref().map_or(here, |next| ahead(next, run, here));
                        let want = Want { rows: dw.nrows() - tile * TILE, vectors, ahead };
                        product(lanes, x, g, want, Destination { out, adds });
                    }
                }
            }
        }
        store_panels(lanes, &sums, width, tiles * of_tile, dw);
    }
}
