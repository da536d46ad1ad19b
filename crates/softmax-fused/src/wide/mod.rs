//! Many classes. W is packed once into panels of two vectors of classes; a block of rows goes through scores,
//! maxima, exponentials and G in an array of panels of its own; each panel of dW belongs to one task, so that no sum
//! depends on how many threads there are.

mod features;
mod gradient;
mod layout;
mod pack;
mod scores;
mod scratch;

use crate::columns::ROWS;
use crate::dense::DenseProblem;
use crate::kernel::lanes::FusedElement;
use crate::rounds::Crew;
use crate::sums::write_sums;
use crate::terms::Terms;
use features::features_gradient;
use gradient::gradient_block;
use layout::{Block, Layout};
use pack::pack_weights;
use scores::score_block;
pub(crate) use scratch::Scratch;
use softmax_core::Outputs;

/// The loss before division by Ω, and the number correct.
pub(crate) fn evaluate<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &DenseProblem<'_, T>,
    outputs: &mut Outputs<'_, T>,
    memory: usize,
    crew: Crew<'_>,
) -> (f64, usize) {
    let layout = Layout::new(crew.level, problem, memory, terms.has_slopes());
    let n = problem.n_samples();
    pack_weights(problem, &mut scratch.weights, layout, crew);
    scratch.db.clear();
    scratch.db.resize(if outputs.bias_gradient.is_some() { layout.c } else { 0 }, 0.0);
    let (mut loss, mut correct) = (0.0, 0);
    for first in (0..n).step_by(layout.block) {
        let block = Block { first, rows: layout.block.min(n - first) };
        score_block(scratch, terms, problem, layout, block, crew);
        for columns in &mut scratch.columns[..block.rows.div_ceil(ROWS)] {
            loss += columns.losses(terms);
            correct += columns.correct();
            for k in 0..columns.rows {
                let i = columns.first_sample + k;
                if let Some(losses) = &mut outputs.sample_losses {
                    losses[i] = columns.loss[k];
                }
                if let Some(lse) = &mut outputs.log_sum_exp {
                    lse[i] = columns.lse(k);
                }
                if let Some(predicted) = &mut outputs.predicted {
                    predicted[i] = columns.best(k);
                }
            }
            if outputs.wants_gradient() {
                columns.slopes(terms);
            }
        }
        if outputs.wants_gradient() {
            gradient_block(scratch, terms, problem, layout, block, outputs, crew);
        }
        if let Some(dx) = &mut outputs.features_gradient {
            features_gradient(scratch, layout, block, dx, crew);
        }
    }
    if let Some(dw) = &mut outputs.weights_gradient {
        if n == 0 && !outputs.accumulate {
            dw.fill(T::zero());
        }
        if let Some((lambda, weights)) = terms.penalty_gradient() {
            dw.zip_mut_with(&weights, |g, &w| *g += lambda * w);
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        write_sums(db, &scratch.db, outputs.accumulate);
    }
    (loss, correct)
}
