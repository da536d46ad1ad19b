//! Facts about single classes in two passes: the score of the label, from the shard that holds it; then each shard's
//! part of the rank, and its best classes.

use super::Means;
use super::facts::label_scores as scores_of_labels;
use super::pack::pack_rows;
use super::plan::{Block, Plan};
use super::scores::score_groups;
use super::scratch::{Facts, Scratch};
use super::two_pass::merge_whole;
use crate::columns::{Columns, ROWS};
use crate::facts::Wanted;
use crate::kernel::level::FusedElement;
use crate::stored::{Samples, Stored};
use crate::terms::Terms;
use softmax_core::ndarray::{Array1, Array2, ArrayView1};
use softmax_core::{ClassFacts, Outputs, RowStatistics};

/// The score of each sample's label; NaN if this shard does not hold it.
pub(crate) fn label_scores<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    Means { memory, params, crew }: Means<'_>,
) -> Array1<T> {
    let plan = Plan::new(problem, &Outputs::default(), (false, false), memory, crew.threads(), params);
    let n = problem.n_samples();
    let mut scores = Vec::with_capacity(n);
    for first in (0..n).step_by(plan.block) {
        let block = Block { first, rows: plan.block.min(n - first) };
        if let Samples::Dense(features) = &problem.features {
            pack_rows(features, &mut scratch.rows, plan, block, crew);
        }
        let (packed, of_block) = (&scratch.rows, &mut scratch.label_scores);
        scores_of_labels(packed, of_block, terms, problem, (plan, block), crew);
        scores.extend_from_slice(&scratch.label_scores[..block.rows]);
    }
    Array1::from_vec(scores)
}

/// Counts the shard's classes whose score exceeds the label's, and collects its best classes.
///
/// ```text
/// for each block of rows
///     scores of each group: count those above the label's, keep the best                         scores.rs
/// ```
pub(crate) fn class_facts<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    label_scores: ArrayView1<'_, T>,
    top: usize,
    Means { memory, params, crew }: Means<'_>,
) -> ClassFacts<T> {
    let slopes = (terms.has_slopes(), false);
    let plan = Plan::new(problem, &Outputs::default(), slopes, memory, crew.threads(), params);
    let n = problem.n_samples();
    let wanted = Wanted { entropy: false, label: false, rank: true, top };
    let mut facts = ClassFacts {
        label_scores: label_scores.to_owned(),
        above: Array1::zeros(n),
        top_classes: Array2::zeros((n, top)),
        top_scores: Array2::zeros((n, top)),
    };
    for first in (0..n).step_by(plan.block) {
        let block = Block { first, rows: plan.block.min(n - first) };
        scratch.label_scores.resize(block.rows);
        let given = label_scores.iter().skip(first);
        scratch.label_scores.iter_mut().zip(given).for_each(|(to, &score)| *to = score);
        score_groups(scratch, terms, problem, plan, block, wanted, crew);
        for row in 0..block.rows {
            let i = first + row;
            let of_group = |group: usize| scratch.facts.above[group * plan.strips() * plan.strip + row];
            facts.above[i] = (0..plan.groups()).map(|group| of_group(group) as usize).sum();
            let best = scratch.top.of_row(row).into_iter().flat_map(|best| best.filled());
            for (place, (class, score)) in best.enumerate() {
                facts.top_classes[[i, place]] = terms.first_class() + class;
                facts.top_scores[[i, place]] = score;
            }
        }
    }
    facts
}

/// Writes the log-probabilities of the label and of the best classes, and the label's rank.
pub(crate) fn summarize_classes<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    statistics: &RowStatistics<T>,
    facts: &ClassFacts<T>,
    total_classes: usize,
    outputs: &mut Outputs<'_, T>,
) {
    let (mut whole, mut columns) = (Facts::default(), Columns::new());
    for first in (0..statistics.n_samples()).step_by(ROWS) {
        let block = Block { first, rows: ROWS.min(statistics.n_samples() - first) };
        merge_whole(&mut whole, terms, statistics, block, &mut columns);
        columns.losses(terms);
        for k in 0..block.rows {
            let (i, label_score) = (first + k, facts.label_scores[first + k]);
            if let Some(log_prob) = &mut outputs.label_log_prob {
                log_prob[i] = columns.log_prob(k, label_score);
            }
            if let Some(rank) = &mut outputs.label_rank {
                rank[i] = if label_score.is_nan() { total_classes } else { facts.above[i] };
            }
            if let Some(classes) = &mut outputs.top_classes {
                classes.row_mut(i).assign(&facts.top_classes.row(i));
            }
            if let Some(log_prob) = &mut outputs.top_log_prob {
                let scores = facts.top_scores.row(i);
                log_prob.row_mut(i).assign(&scores.mapv(|score| columns.log_prob(k, score)));
            }
        }
    }
}
