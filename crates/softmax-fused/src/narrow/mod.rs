//! Few classes. Both products have the features in the vector lanes; a panel of rows of X is read from memory
//! once, for the scores, and from cache again, for dW. Rows are shared out in fixed tasks, each with a dWᵀ of its
//! own; these are added in a fixed order.

mod epilogue;
mod layout;
mod panels;
mod task;
mod weights;

use crate::buffer::Buffer;
use crate::dense::DenseProblem;
use crate::kernel::lanes::FusedElement;
use crate::rounds::{Crew, Round};
use crate::sums::write_sums;
use crate::terms::Terms;
pub(crate) use layout::MOST_CLASSES;
use layout::{BLOCK, Layout, TASKS, Tiles};
use panels::Panels;
use softmax_core::Outputs;
use softmax_core::ndarray::Axis;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use task::Task;

/// Multiply-adds that are not worth waking another thread.
const ALONE: usize = 100_000;

/// Memory that is kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// Wᵀ, packed.
    weights: Buffer<T>,
    /// Each task's dWᵀ, packed, and db.
    partial_dw: Buffer<T>,
    partial_db: Vec<f64>,
    /// In place of rows that do not count.
    zeros: Vec<T>,
    tiles: Buffer<T>,
}

/// The loss before division by Ω, and the number correct.
pub(crate) fn evaluate<'p, T: FusedElement>(
    scratch: &mut Scratch<T>,
    terms: &Terms<'_, 'p, T>,
    problem: &DenseProblem<'p, T>,
    outputs: &mut Outputs<'_, T>,
    memory: usize,
    crew: Crew<'_>,
) -> (f64, usize) {
    let layout = Layout::new(crew.level, problem);
    let (n, c, size) = (problem.n_samples(), layout.c, layout.packed().max(1));
    let wants_dw = outputs.weights_gradient.is_some();
    let wants_db = outputs.bias_gradient.is_some();
    let tiles = Tiles::new(problem, layout, terms.has_slopes(), outputs.features_gradient.is_some());
    // As if everything were asked for, so that no bit depends on what is.
    let task_size = Tiles::new(problem, layout, terms.has_slopes(), true).total() + size + c;
    let (count, rows) = layout::tasks(n, memory / size_of::<T>() / task_size);
    let layout = layout.with_even_panels(rows);

    scratch.weights.resize(layout.packed());
    scratch.partial_dw.resize(if wants_dw { count * size } else { 0 });
    scratch.partial_db.resize(if wants_db { count * c } else { 0 }, 0.0);
    scratch.zeros.resize(if terms.ignores() { layout.d } else { 0 }, T::zero());
    scratch.tiles.resize(count * tiles.total());

    let mut dw = scratch.partial_dw.chunks_mut(size);
    let mut db = scratch.partial_db.chunks_mut(c);
    let mut spaces = scratch.tiles.chunks_mut(tiles.total());
    let mut dx = outputs.features_gradient.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut losses = outputs.sample_losses.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut lse = outputs.log_sum_exp.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let mut predicted = outputs.predicted.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), rows));
    let tasks: [RwLock<Option<Task<'_, '_, T>>>; TASKS] = std::array::from_fn(|k| {
        let first_sample = k * rows;
        RwLock::new((first_sample < n).then(|| Task {
            first_sample,
            rows: rows.min(n - first_sample),
            dw: dw.next(),
            db: db.next(),
            dx: dx.as_mut().and_then(Iterator::next),
            losses: losses.as_mut().and_then(Iterator::next),
            lse: lse.as_mut().and_then(Iterator::next),
            predicted: predicted.as_mut().and_then(Iterator::next),
            scratch: spaces.next().unwrap_or(&mut []),
            loss: 0.0,
            correct: 0,
        }))
    });
    let weights = RwLock::new(&mut *scratch.weights);

    // dW in as many parts, of whole blocks of features.
    let part = layout.d.div_ceil(TASKS).next_multiple_of(BLOCK).max(1);
    let mut dw = outputs.weights_gradient.as_mut().map(|a| a.axis_chunks_iter_mut(Axis(0), part));
    let dw_parts: [_; TASKS] = std::array::from_fn(|_| RwLock::new(dw.as_mut().and_then(Iterator::next)));
    let (penalty, accumulate) = (terms.penalty_gradient(), outputs.accumulate);
    let zeros = &*scratch.zeros;

    let pack = |_| weights::pack(problem, &mut write(&weights), layout);
    let work = |k: usize| {
        let weights = read(&weights);
        if let Some(task) = &mut *write(&tasks[k]) {
            T::run(crew.level, Panels { task, terms, problem, weights: &weights, zeros, layout, tiles });
        }
    };
    let unpack = |k: usize| {
        let tasks: [_; TASKS] = std::array::from_fn(|k| read(&tasks[k]));
        let parts = tasks[..count].iter().filter_map(|task| task.as_ref()?.dw.as_deref());
        if let Some(dw) = &mut *write(&dw_parts[k]) {
            weights::unpack_gradient(parts, layout, k * part, penalty, accumulate, dw);
        }
    };
    let unpacks = if wants_dw { layout.d.div_ceil(part) } else { 0 };
    let rounds = [Round::new(1, &pack), Round::new(count, &work), Round::new(unpacks, &unpack)];
    crew.in_rounds(&rounds, if n * layout.d * c <= ALONE { 1 } else { count });

    let (mut loss, mut correct) = (0.0, 0);
    let mut db_sums = vec![0.0; if wants_db { c } else { 0 }];
    for task in &tasks[..count] {
        let Some(task) = &*read(task) else { continue };
        loss += task.loss;
        correct += task.correct;
        if let Some(part) = &task.db {
            db_sums.iter_mut().zip(part.iter()).for_each(|(sum, &part)| *sum += part);
        }
    }
    if let Some(db) = &mut outputs.bias_gradient {
        write_sums(db, &db_sums, accumulate);
    }
    (loss, correct)
}

// What a panic leaves behind is not looked at: the scope passes it on.
fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
