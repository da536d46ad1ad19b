//! Two passes: the first computes the statistics of each group of classes; the second computes gradients from the
//! merged statistics of all classes.
//!
//! A shard that begins at the start of a group has the same groups as the whole problem, so both give the same bits.

use super::features::features_gradient;
use super::gradient::{Held, gradient_block};
use super::plan::{Block, Plan};
use super::scores::{merge, score_groups};
use super::scratch::{Facts, Scratch};
use super::{Means, finish_gradients};
use crate::columns::{Columns, ROWS};
use crate::facts::Wanted;
use crate::kernel::level::FusedElement;
use crate::stored::Stored;
use crate::sums::Sum;
use crate::terms::Terms;
use softmax_core::ndarray::Array1;
use softmax_core::{GroupStatistics, Outputs, RowStatistics};

/// Computes the statistics of the problem's groups of classes, except those that do not depend on scores.
///
/// ```text
/// for each block of rows
///     scores of each group to exponentials and sums               scores.rs
/// ```
pub(crate) fn forward<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    Means { memory, params, crew }: Means<'_>,
) -> Vec<GroupStatistics<T>> {
    let slopes = (terms.has_slopes(), false);
    let plan = Plan::new(problem, &Outputs::default(), slopes, memory, crew.threads(), params);
    let n = problem.n_samples();
    let wanted = Wanted { entropy: true, label: false, rank: false, top: 0 };
    let mut groups: Vec<_> = (0..plan.groups()).map(|_| empty_group(n)).collect();
    for first in (0..n).step_by(plan.block) {
        let block = Block { first, rows: plan.block.min(n - first) };
        score_groups(scratch, terms, problem, plan, block, wanted, crew);
        let facts = &scratch.facts;
        for (group, statistics) in groups.iter_mut().enumerate() {
            for row in 0..block.rows {
                let (i, at) = (first + row, group * plan.strips() * plan.strip + row);
                statistics.max[i] = facts.max[at];
                statistics.best[i] = terms.first_class() + facts.best[at] as usize;
                statistics.rest[i] = facts.rest[at];
                statistics.mass[i] = facts.mass[at].widen() * terms.unit();
                statistics.cross[i] = -facts.cross[at].widen() * terms.unit();
                statistics.spread[i] = facts.spread[at];
            }
        }
    }
    groups
}

fn empty_group<T: FusedElement>(n: usize) -> GroupStatistics<T> {
    GroupStatistics {
        class_weight: 0.0,
        squared_norm: 0.0,
        max: Array1::zeros(n),
        best: Array1::zeros(n),
        rest: Array1::zeros(n),
        mass: Array1::zeros(n),
        cross: Array1::zeros(n),
        spread: Array1::zeros(n),
    }
}

/// Returns the loss before division by Ω and the number of correct predictions, and writes the requested outputs of
/// each row.
pub(crate) fn summarize<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    statistics: &RowStatistics<T>,
    outputs: &mut Outputs<'_, T>,
) -> (f64, usize) {
    let (mut loss, mut correct) = (0.0, 0);
    let (mut whole, mut columns) = (Facts::default(), Columns::new());
    for first in (0..statistics.n_samples()).step_by(ROWS) {
        let block = Block { first, rows: ROWS.min(statistics.n_samples() - first) };
        merge_whole(&mut whole, terms, statistics, block, &mut columns);
        loss += columns.losses(terms);
        for k in 0..block.rows {
            let (i, best) = (first + k, columns.best(k));
            correct += usize::from(terms.label_of_all(i) == Some(best));
            if let Some(losses) = &mut outputs.sample_losses {
                losses[i] = columns.loss[k];
            }
            if let Some(lse) = &mut outputs.log_sum_exp {
                lse[i] = columns.lse(k);
            }
            if let Some(predicted) = &mut outputs.predicted {
                predicted[i] = best;
            }
            if let Some(entropy) = &mut outputs.entropy {
                entropy[i] = columns.entropy(k);
            }
        }
    }
    (loss, correct)
}

/// Computes dW, dX and db of the problem's classes.
///
/// ```text
/// for each block of rows
///     scores of each group to exponentials                        scores.rs
///     maximum and sums of each row, from the statistics
///     G, dW, db and dX, as in one pass                            gradient.rs, features.rs
/// ```
pub(crate) fn backward<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    statistics: &RowStatistics<T>,
    outputs: &mut Outputs<'_, T>,
    Means { memory, params, crew }: Means<'_>,
) {
    let kept = (terms.has_slopes(), terms.has_entropy());
    let plan = Plan::new(problem, outputs, kept, memory, crew.threads(), params);
    let (n, first_class) = (problem.n_samples(), terms.first_class());
    let wanted = Wanted { entropy: false, label: false, rank: false, top: 0 };
    scratch.db.clear();
    scratch.db.resize(if outputs.bias_gradient.is_some() { plan.c } else { 0 }, Sum::default());
    for first in (0..n).step_by(plan.block) {
        let block = Block { first, rows: plan.block.min(n - first) };
        score_groups(scratch, terms, problem, plan, block, wanted, crew);
        let columns = scratch.columns[..block.rows.div_ceil(ROWS)].iter_mut();
        crew.for_each(columns, |which, columns| {
            let rows = ROWS.min(block.rows - which * ROWS);
            let some = Block { first: block.first + which * ROWS, rows };
            merge_whole(&mut Facts::default(), terms, statistics, some, columns);
            // Counted from the first class of the problem. A best class outside the problem is in none of its groups.
            columns.best.iter_mut().for_each(|best| *best = best.wrapping_sub(first_class as u32));
            columns.losses(terms);
            columns.slopes(terms);
        });
        gradient_block(scratch, terms, problem, (plan, block, Held::Exponentials), outputs, crew);
        if let Some(dx) = &mut outputs.features_gradient {
            features_gradient(scratch, problem, plan, block, dx, first_class > 0, crew);
        }
    }
    finish_gradients(scratch, terms, n, plan.c, outputs);
}

/// Loads the statistics of some rows, group after group.
fn load<T: FusedElement>(
    whole: &mut Facts<T>,
    terms: &Terms<'_, '_, T>,
    statistics: &RowStatistics<T>,
    block: Block,
) {
    whole.resize(statistics.groups().len() * block.rows);
    for (k, group) in statistics.groups().iter().enumerate() {
        for row in 0..block.rows {
            let (i, at) = (block.first + row, k * block.rows + row);
            whole.max[at] = group.max[i];
            // 32 bits suffice: W could not hold more classes.
            whole.best[at] = group.best[i] as u32;
            whole.rest[at] = group.rest[i];
            whole.mass[at] = T::narrow(group.mass[i] / terms.unit());
            whole.cross[at] = T::narrow(-group.cross[i] / terms.unit());
            whole.spread[at] = group.spread[i];
        }
    }
}

/// Maximum and sums over all classes, for as many rows as `columns` holds.
pub(super) fn merge_whole<T: FusedElement>(
    whole: &mut Facts<T>,
    terms: &Terms<'_, '_, T>,
    statistics: &RowStatistics<T>,
    block: Block,
    columns: &mut Columns<T>,
) {
    merge_groups(whole, terms, statistics, block, columns);
    for k in 0..columns.rows {
        let i = columns.first_sample + k;
        let weight = statistics.label_weights()[i];
        columns.total_mass[k] = terms.total_mass(i, columns.total_mass[k], Some(weight));
    }
}

/// Like [`merge_whole`], but the target mass is the sum over the groups.
fn merge_groups<T: FusedElement>(
    whole: &mut Facts<T>,
    terms: &Terms<'_, '_, T>,
    statistics: &RowStatistics<T>,
    block: Block,
    columns: &mut Columns<T>,
) {
    load(whole, terms, statistics, block);
    columns.begin_labels(terms, block.first, block.rows);
    merge(whole, statistics.groups().len(), 0, block.rows, columns);
}

/// Merges the sums of all groups into one group. Merging that single group multiplies by exp(0) and adds to 0, which is
/// exact.
pub(crate) fn condense<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    statistics: &RowStatistics<T>,
) -> GroupStatistics<T> {
    let n = statistics.n_samples();
    let (mut whole, mut columns) = (Facts::default(), Columns::new());
    let mut group = GroupStatistics {
        class_weight: statistics.groups().iter().map(|group| group.class_weight).sum(),
        squared_norm: statistics.groups().iter().map(|group| group.squared_norm).sum(),
        ..empty_group(n)
    };
    for first in (0..n).step_by(ROWS) {
        let block = Block { first, rows: ROWS.min(n - first) };
        merge_groups(&mut whole, terms, statistics, block, &mut columns);
        for k in 0..block.rows {
            let i = first + k;
            group.max[i] = columns.max[k];
            group.best[i] = columns.best(k);
            group.rest[i] = columns.rest[k];
            group.mass[i] = columns.total_mass[k].widen() * terms.unit();
            group.cross[i] = -columns.cross[k].widen() * terms.unit();
            group.spread[i] = columns.spread[k];
        }
    }
    group
}
