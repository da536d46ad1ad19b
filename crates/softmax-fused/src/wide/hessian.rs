//! Computes H·V by blocks of rows: the derivative of G along a direction, by the formula in direction.rs, and its
//! products with X.

use super::Means;
use super::epilogue::Place;
use super::gradient::{Held, gradient_block};
use super::plan::{Block, Plan};
use super::scores::{Features, Products, score_block, shares};
use super::scratch::{Facts, Scratch, Spare};
use super::sparse::weights_rows;
use crate::columns::{Columns, ROWS};
use crate::direction::Direction;
use crate::facts::Wanted;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{pairs, pairs_mut};
use crate::orders::CHUNK;
use crate::stored::{Matrix, Samples, Stored};
use crate::sums::{Sum, write_sums};
use crate::terms::Terms;
use softmax_core::Outputs;
use softmax_core::ndarray::{Array2, ArrayView1};

/// Writes H·V to the outputs of dW and db.
///
/// ```text
/// for each block of rows
///     scores of each group to exponentials and sums, as in one pass        scores.rs
///     for each group of classes, for each strip of rows                    a task
///         t from X·V, where the distances were; Σ exp·t of each row; with a softcap s, where the slopes were
///     t̄ of each row, from all groups
///     for each group of classes, for each strip of rows                    a task
///         the derivative of G from the exponentials and t
///     H·V as dW and db                                                     gradient.rs
/// ```
pub(crate) fn hessian_product<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    direction: Direction<'_, T>,
    outputs: &mut Outputs<'_, T>,
    Means { memory, params, crew }: Means<'_>,
) {
    let plan = Plan::new(problem, outputs, (terms.has_slopes(), true), memory, crew.threads(), params);
    let n = problem.n_samples();
    let wanted = Wanted { entropy: false, label: false, rank: false, top: 0 };
    scratch.db.clear();
    scratch.db.resize(if outputs.bias_gradient.is_some() { plan.c } else { 0 }, Sum::default());
    let weights = Matrix::Plain(direction.weights);
    let mut room = Array2::zeros((0, 0));
    for first in (0..n).step_by(plan.block) {
        let block = Block { first, rows: plan.block.min(n - first) };
        score_block(scratch, terms, problem, plan, block, wanted, crew);
        for columns in &mut scratch.columns[..block.rows.div_ceil(ROWS)] {
            columns.losses(terms);
            columns.slopes(terms);
        }
        let features = match &problem.features {
            Samples::Dense(_) => Features::Tiles(&scratch.rows),
            Samples::Csr(features) => Features::Rows(features, weights_rows(&weights, &mut room, block)),
        };
        let products = Products { features, weights, plan, block };
        let spare = &scratch.spare;
        let of_rows = scratch.facts.cross.chunks_mut(plan.strip).zip(scratch.facts.max.chunks(plan.strip));
        let pieces = scratch.regions.chunks_mut(plan.region()).zip(of_rows);
        crew.for_each(pieces, |piece, (region, (sums, max))| {
            let (group, strip) = (piece / plan.strips(), piece % plan.strips());
            let place = Place::new(plan, block, group, strip);
            let bias = direction.bias;
            T::run(crew.level, Changes { products, spare, terms, bias, place, group, region, sums, max });
        });
        let context = Context {
            columns: &scratch.columns[..block.rows.div_ceil(ROWS)],
            means: &mean_changes(&scratch.columns, &scratch.facts, plan, block),
            facts: &scratch.facts,
            terms,
            plan,
            block,
        };
        crew.for_each(scratch.regions.chunks_mut(plan.region()), |piece, region| {
            T::run(crew.level, (&context, piece, region));
        });
        gradient_block(scratch, terms, problem, (plan, block, Held::Gradient), outputs, crew);
    }
    if let Some(product) = &mut outputs.weights_gradient {
        if n == 0 {
            product.fill(T::zero());
        }
        if let Some((lambda, _)) = terms.penalty_gradient() {
            product.scaled_add(lambda, &direction.weights);
        }
    }
    if let Some(product) = &mut outputs.bias_gradient {
        write_sums(product, &scratch.db, false);
    }
}

/// Computes t̄ of the block's rows.
fn mean_changes<T: FusedElement>(
    columns: &[Columns<T>],
    facts: &Facts<T>,
    plan: Plan,
    block: Block,
) -> Vec<T> {
    let mut means = vec![T::zero(); block.rows];
    for (means, columns) in means.chunks_mut(ROWS).zip(columns) {
        let first = columns.first_sample - block.first;
        for group in 0..plan.groups() {
            let at = group * plan.strips() * plan.strip + first;
            let mut share = [T::zero(); ROWS];
            shares(&facts.max[at..at + columns.rows], &columns.max[..columns.rows], &mut share);
            for (k, mean) in means.iter_mut().enumerate() {
                *mean += share[k] * facts.cross[at + k];
            }
        }
        means.iter_mut().zip(&columns.rest).for_each(|(mean, &rest)| *mean /= T::one() + rest);
    }
    means
}

/// Computes t of a strip and a group, and Σ exp·t of its rows.
struct Changes<'t, 'p, 'q, T> {
    products: Products<'t, 'q, T>,
    spare: &'t Spare<T>,
    terms: &'t Terms<'t, 'p, T>,
    bias: Option<ArrayView1<'t, T>>,
    place: Place,
    group: usize,
    region: &'t mut [T],
    sums: &'t mut [T],
    max: &'t [T],
}

impl<T: FusedElement> Kernel<T> for Changes<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Changes { products, spare, terms, bias, place, group, region, sums, max } = self;
        if place.rows == 0 {
            return;
        }
        let (exponentials, scores, changes) = products.plan.parts(region);
        let cap = terms.softcap();
        if cap.is_some() {
            scores_of_distances(place, max, changes, scores);
        }
        let mut packed = spare.take(products.room(group, CHUNK));
        products.of_strip(lanes, place, (&mut packed, CHUNK, true), changes);
        sums.fill(T::zero());
        let per_temperature = lanes.splat(T::narrow(1.0 / terms.temperature()));
        for (at, class, classes) in place.panels() {
            let part = at..at + place.rows * place.width;
            if let Some(bias) = bias {
                for row in changes[part.clone()].chunks_exact_mut(place.width) {
                    let first = place.first_class + class;
                    row[..classes].iter_mut().zip(first..).for_each(|(t, c)| *t += bias[c]);
                }
            }
            for changes in pairs_mut::<T, L>(&mut changes[part.clone()]) {
                *changes = changes.map(|t| lanes.mul(t, per_temperature));
            }
            if let Some(cap) = cap {
                let scores = &scores[part.clone()];
                changes[part.clone()].iter_mut().zip(scores).for_each(|(t, &s)| *t *= slope(s, cap));
            }
            let of_rows = pairs::<T, L>(&changes[part.clone()]).iter();
            for ((changes, e), sum) in of_rows.zip(pairs::<T, L>(&exponentials[part])).zip(&mut *sums) {
                let products = lanes.mul_add(e[0], changes[0], lanes.mul(e[1], changes[1]));
                *sum += lanes.sum(products);
            }
        }
    }
}

/// Computes s from m − s, with 0 in the places beyond the last class.
fn scores_of_distances<T: FusedElement>(place: Place, max: &[T], distances: &[T], scores: &mut [T]) {
    for (at, _, classes) in place.panels() {
        for (row, &max) in max.iter().enumerate().take(place.rows) {
            let at = at + row * place.width;
            let (scores, distances) = (&mut scores[at..at + place.width], &distances[at..]);
            scores.iter_mut().zip(distances).for_each(|(s, &distance)| *s = max - distance);
            scores[classes..].fill(T::zero());
        }
    }
}

/// ∂s/∂raw, from a score under a softcap.
fn slope<T: FusedElement>(s: T, cap: T) -> T {
    T::one() - (s / cap) * (s / cap)
}

/// Data shared by all tasks of a block.
struct Context<'t, 'p, T> {
    columns: &'t [Columns<T>],
    means: &'t [T],
    facts: &'t Facts<T>,
    terms: &'t Terms<'t, 'p, T>,
    plan: Plan,
    block: Block,
}

impl<T: FusedElement> Kernel<T> for (&Context<'_, '_, T>, usize, &mut [T]) {
    type Output = ();

    /// Turns the exponentials of a strip and a group into the derivative of G.
    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let (context, piece, region) = self;
        let Context { plan, block, terms, .. } = *context;
        let (group, strip) = (piece / plan.strips(), piece % plan.strips());
        let (place, first_row) = (Place::new(plan, block, group, strip), strip * plan.strip);
        let (exponentials, scores, changes) = plan.parts(region);
        let twice_z = terms.z_loss() + terms.z_loss();
        for first in (0..place.rows).step_by(ROWS) {
            let row = first_row + first;
            let columns = &context.columns[row / ROWS];
            let at = group * plan.strips() * plan.strip + row;
            let mut share = [T::zero(); ROWS];
            shares(&context.facts.max[at..at + columns.rows], &columns.max[..columns.rows], &mut share);
            for k in 0..columns.rows {
                let mean = context.means[row + k];
                let swing = share[k] * columns.factor[k];
                let bend = share[k] * columns.scale[k] * twice_z * mean / (T::one() + columns.rest[k]);
                let sample = columns.first_sample + k;
                for (at, class, classes) in place.panels() {
                    let at = at + (first + k) * place.width;
                    let e = &mut exponentials[at..at + place.width];
                    if terms.is_ignored(sample) {
                        e.fill(T::zero());
                        continue;
                    }
                    if let Some(cap) = terms.softcap() {
                        let two = T::one() + T::one();
                        for j in 0..classes {
                            let (s, t) = (scores[at + j], changes[at + j]);
                            let mass = columns.scale[k] * terms.mass(sample, place.first_class + class + j);
                            let unbent = e[j] * (swing * (t - mean) + bend) * slope(s, cap);
                            e[j] = unbent - (e[j] * swing - mass) * two * (s / cap) * (t / cap);
                        }
                        continue;
                    }
                    let (swing, mean, bend) = (lanes.splat(swing), lanes.splat(mean), lanes.splat(bend));
                    let t = &pairs::<T, L>(&changes[at..at + place.width])[0];
                    for (e, &t) in pairs_mut::<T, L>(e)[0].iter_mut().zip(t) {
                        *e = lanes.mul(*e, lanes.mul_add(swing, lanes.sub(t, mean), bend));
                    }
                }
            }
        }
    }
}
