//! The kernel for many classes, which are in the vector lanes. It computes the scores of a block of rows one group of
//! classes at a time. Each group has its own maximum and sums, so its scores become exponentials while they are in the
//! L2 cache. After all groups the row's maximum and sums are known, and a second loop over the groups computes dW and
//! dX.

mod class_facts;
mod epilogue;
mod facts;
mod features;
mod gradient;
mod hessian;
mod pack;
mod plan;
mod scores;
mod scratch;
mod sparse;
mod two_pass;

use crate::columns::ROWS;
use crate::facts::{FactViews, Wanted};
use crate::kernel::level::FusedElement;
use crate::params::KernelParams;
use crate::rounds::Crew;
use crate::stored::Stored;
use crate::sums::{Sum, write_sums};
use crate::terms::Terms;
pub(crate) use class_facts::{class_facts, label_scores, summarize_classes};
use features::features_gradient;
use gradient::{Held, gradient_block};
pub(crate) use hessian::hessian_product;
use plan::{Block, Plan};
use scores::score_block;
pub(crate) use scratch::Scratch;
use softmax_core::Outputs;
pub(crate) use two_pass::{backward, condense, forward, summarize};

/// Memory, block sizes and threads of a call.
#[derive(Clone, Copy)]
pub(crate) struct Means<'p> {
    pub(crate) memory: usize,
    pub(crate) params: KernelParams,
    pub(crate) crew: Crew<'p>,
}

/// Returns the loss before division by Ω and the number of correct predictions.
pub(crate) fn evaluate<T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, '_, T>,
    problem: &Stored<'_, T>,
    outputs: &mut Outputs<'_, T>,
    Means { memory, params, crew }: Means<'_>,
) -> (f64, usize) {
    let wanted = Wanted::new(outputs);
    let plan = Plan::new(problem, outputs, (terms.has_slopes(), false), memory, crew.threads(), params);
    let n = problem.n_samples();
    scratch.db.clear();
    scratch.db.resize(if outputs.bias_gradient.is_some() { plan.c } else { 0 }, Sum::default());
    let (mut loss, mut correct) = (0.0, 0);
    for first in (0..n).step_by(plan.block) {
        let block = Block { first, rows: plan.block.min(n - first) };
        score_block(scratch, terms, problem, plan, block, wanted, crew);
        for columns in &mut scratch.columns[..block.rows.div_ceil(ROWS)] {
            loss += columns.losses(terms);
            correct += columns.correct();
            for k in 0..columns.rows {
                let i = columns.first_sample + k;
                FactViews::of(outputs).write(i, k, plan.c, columns, scratch.top.of_row(i - first));
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
            gradient_block(scratch, terms, problem, (plan, block, Held::Exponentials), outputs, crew);
        }
        if let Some(dx) = &mut outputs.features_gradient {
            features_gradient(scratch, problem, plan, block, dx, false, crew);
        }
    }
    finish_gradients(scratch, terms, n, plan.c, outputs);
    (loss, correct)
}

/// Completes dW and db after the last block: penalty and conversion from f64.
fn finish_gradients<T: FusedElement>(
    scratch: &Scratch<T>,
    terms: &Terms<'_, '_, T>,
    n: usize,
    c: usize,
    outputs: &mut Outputs<'_, T>,
) {
    if let Some(dw) = &mut outputs.weights_gradient {
        if n == 0 && !outputs.accumulate {
            dw.fill(T::zero());
        }
        if let Some((lambda, weights)) = terms.penalty_gradient() {
            let mut row = vec![T::zero(); c];
            for (k, mut dw) in dw.rows_mut().into_iter().enumerate() {
                weights.copy_row(k, &mut row);
                dw.iter_mut().zip(&row).for_each(|(g, &w)| *g += lambda * w);
            }
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        write_sums(db, &scratch.db, outputs.accumulate);
    }
}
