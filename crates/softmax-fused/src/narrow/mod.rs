//! The kernel for few classes. Both products have the features in the vector lanes. A panel of rows of X is read from
//! memory once, for the scores, and again from the cache, for dW. The rows are divided into a fixed number of tasks,
//! each with its own dWᵀ; these are added in a fixed order.

mod epilogue;
mod hessian;
mod layout;
mod panels;
mod task;
mod weights;

use crate::buffer::Buffer;
use crate::direction::Direction;
use crate::facts::{FactViews, Wanted};
use crate::kernel::level::FusedElement;
use crate::rounds::{Crew, Round};
use crate::stored::{Dense, Matrix};
use crate::sums::{Sum, write_sums};
use crate::terms::Terms;
pub(crate) use layout::MOST_CLASSES;
use layout::{BLOCK, Layout, TASKS, Tiles};
use panels::Panels;
use softmax_core::Outputs;
use softmax_core::ndarray::Axis;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use task::Task;

/// With fewer multiply-adds than this, waking another thread does not pay.
const ALONE: usize = 100_000;

/// Working memory, kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// Packed Wᵀ; for H·V followed by Vᵀ.
    weights: Buffer<T>,
    /// Packed dWᵀ of each task, and its db.
    partial_dw: Buffer<T>,
    partial_db: Vec<Sum>,
    /// The sum of the tasks' dWᵀ so far, if memory does not allow all tasks at once.
    total_dw: Buffer<T>,
    /// Zeros, in place of the rows of ignored samples.
    zeros: Vec<T>,
    tiles: Buffer<T>,
}

/// Returns the loss before division by Ω and the number of correct predictions. With a `direction`, dW and db are H·V
/// in place of the gradient.
///
/// ```text
/// pack W
/// for each wave of tasks, as many as the memory allows           usually one
///     for each task                                              panels.rs
///         for each panel of its rows: scores, formulas, products
///     for each part of the features
///         dW += the tasks' parts, in order
/// ```
pub(crate) fn evaluate<'p, T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, 'p, T>,
    problem: &Dense<'p, T>,
    direction: Option<Direction<'_, T>>,
    outputs: &mut Outputs<'_, T>,
    (memory, crew): (usize, Crew<'_>),
) -> (f64, usize) {
    let (layout, wanted) = (Layout::new(problem), Wanted::new(outputs));
    let (n, c, size) = (problem.features.dim().0, layout.c, layout.packed().max(1));
    let wants_dw = outputs.weights_gradient.is_some();
    let wants_db = outputs.bias_gradient.is_some();
    let wants = (outputs.features_gradient.is_some(), direction.is_some());
    let tiles = Tiles::new(problem, layout, terms.has_slopes(), wants);
    let (count, rows) = layout::tasks(n);
    let affordable = memory / size_of::<T>() / (tiles.total() + size + c);
    let wave = count.min(affordable).max(1);
    let layout = layout.with_even_panels(rows);

    let packed = layout.packed();
    scratch.weights.resize(if direction.is_some() { 2 * packed } else { packed });
    scratch.partial_dw.resize(if wants_dw { wave * size } else { 0 });
    scratch.total_dw.resize(if wants_dw && wave < count { size } else { 0 });
    scratch.total_dw.fill(T::zero());
    scratch.partial_db.resize(if wants_db { wave * c } else { 0 }, Sum::default());
    scratch.zeros.resize(if terms.ignores() { layout.d } else { 0 }, T::zero());
    scratch.tiles.resize(wave * tiles.total());

    let mut dx = outputs.features_gradient.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut losses = outputs.sample_losses.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut lse = outputs.log_sum_exp.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut predicted = outputs.predicted.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut facts = Some(FactViews {
        entropy: outputs.entropy.as_mut().map(|a| a.view_mut()),
        label_log_prob: outputs.label_log_prob.as_mut().map(|a| a.view_mut()),
        label_rank: outputs.label_rank.as_mut().map(|a| a.view_mut()),
        top_classes: outputs.top_classes.as_mut().map(|a| a.view_mut()),
        top_log_prob: outputs.top_log_prob.as_mut().map(|a| a.view_mut()),
    });
    let mut facts_of = |rows: usize| {
        let (first, rest) = facts.take()?.split_at(rows);
        facts = Some(rest);
        Some(first)
    };

    // dW is divided into tasks of whole blocks of features.
    let part = layout.d.div_ceil(TASKS).next_multiple_of(BLOCK).max(1);
    let mut dw_rows = outputs.weights_gradient.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), part));
    let dw_parts: [_; TASKS] =
        std::array::from_fn(|_| RwLock::new(dw_rows.as_mut().and_then(Iterator::next)));
    let penalty = terms.penalty_gradient().filter(|_| direction.is_none());
    let accumulate = outputs.accumulate;
    let zeros = &*scratch.zeros;

    let (mut loss, mut correct) = (0.0, 0);
    let mut db_sums = vec![Sum::default(); if wants_db { c } else { 0 }];
    // One wave even without samples, so that dW becomes zero.
    for first_task in (0..count.max(1)).step_by(wave) {
        let mut dw = scratch.partial_dw.chunks_mut(size);
        let mut db = scratch.partial_db.chunks_mut(c);
        let mut spaces = scratch.tiles.chunks_mut(tiles.total());
        let in_wave = wave.min(count - first_task);
        let tasks: [RwLock<Option<Task<'_, '_, T>>>; TASKS] = std::array::from_fn(|k| {
            let first_sample = (first_task + k) * rows;
            RwLock::new((k < in_wave && first_sample < n).then(|| Task {
                first_sample,
                rows: rows.min(n - first_sample),
                dw: dw.next(),
                db: db.next(),
                dx: dx.as_mut().and_then(Iterator::next),
                losses: losses.as_mut().and_then(Iterator::next),
                lse: lse.as_mut().and_then(Iterator::next),
                predicted: predicted.as_mut().and_then(Iterator::next),
                facts: facts_of(rows.min(n - first_sample)),
                scratch: spaces.next().unwrap_or(&mut []),
                loss: 0.0,
                correct: 0,
            }))
        });
        let (is_first, is_last) = (first_task == 0, first_task + in_wave == count);
        let weights = RwLock::new(&mut *scratch.weights);
        let total = RwLock::new(&mut *scratch.total_dw);

        let pack = |_| {
            let mut to = write(&weights);
            weights::pack(problem.weights, &mut to[..packed], layout);
            if let Some(direction) = direction {
                weights::pack(Matrix::Plain(direction.weights), &mut to[packed..], layout);
            }
        };
        let work = |k: usize| {
            let weights = read(&weights);
            if let Some(task) = &mut *write(&tasks[k]) {
                let (weights, of_direction) = weights.split_at(packed);
                let direction = direction
                    .map(|direction| hessian::Direction { weights: of_direction, bias: direction.bias });
                T::run(
                    crew.level,
                    Panels { task, terms, problem, weights, direction, zeros, layout, tiles, wanted },
                );
            }
        };
        let keep = |_| {
            let mut total = write(&total);
            for task in &tasks[..in_wave] {
                let task = read(task);
                let part = task.as_ref().and_then(|task| task.dw.as_deref()).unwrap_or(&[]);
                total.iter_mut().zip(part).for_each(|(sum, &part)| *sum += part);
            }
        };
        let unpack = |k: usize| {
            let tasks: [_; TASKS] = std::array::from_fn(|k| read(&tasks[k]));
            let total = read(&total);
            let kept = Some(&**total).filter(|total| !total.is_empty());
            let parts = tasks[..in_wave].iter().filter_map(|task| task.as_ref()?.dw.as_deref());
            if let Some(dw) = &mut *write(&dw_parts[k]) {
                let parts = kept.into_iter().chain(parts);
                weights::unpack_gradient(parts, layout, k * part, penalty, accumulate, dw);
            }
        };
        let unpacks = if wants_dw && is_last { layout.d.div_ceil(part) } else { 0 };
        let rounds = [
            Round::new(usize::from(is_first), &pack),
            Round::new(in_wave, &work),
            Round::new(usize::from(wants_dw && !is_last), &keep),
            Round::new(unpacks, &unpack),
        ];
        crew.in_rounds(&rounds, if n * layout.d * c <= ALONE { 1 } else { in_wave });

        for task in &tasks[..in_wave] {
            let Some(task) = &*read(task) else { continue };
            loss += task.loss;
            correct += task.correct;
            if let Some(part) = &task.db {
                db_sums.iter_mut().zip(part.iter()).for_each(|(sum, part)| sum.add(part.value()));
            }
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        write_sums(db, &db_sums, accumulate);
    }
    if let (Some(product), Some(direction)) = (&mut outputs.weights_gradient, direction)
        && let Some((lambda, _)) = terms.penalty_gradient()
    {
        product.scaled_add(lambda, &direction.weights);
    }
    (loss, correct)
}

// Poisoning can be ignored: if a task panics, the scope passes the panic on and nobody reads the data.
fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
