use super::facts::TopClasses;
use super::sparse::Turned;
use crate::buffer::Buffer;
use crate::columns::Columns;
use crate::kernel::level::FusedElement;
use crate::sums::Sum;
use softmax_core::ndarray::Array2;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Memory that is kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// A block's scores: by groups of panels, by strips of rows, by panels, each a row of a panel's width per sample; their
    /// slopes after them, where there is a softcap. They become exponentials, and then ∂loss/∂scores.
    pub(super) regions: Buffer<T>,
    /// A block of X, packed: pack.rs says how.
    pub(super) rows: Buffer<T>,
    /// W in rows, and a block's entries by features, where X is sparse.
    pub(super) weights: Array2<T>,
    pub(super) turned: Vec<Turned<T>>,
    /// What is known of each group and row.
    pub(super) facts: Facts<T>,
    /// The score of each row's label, and each row's best classes, where they are wanted.
    pub(super) label_scores: Buffer<T>,
    pub(super) top: TopClasses<T>,
    /// A block of dX: by panels of features, by rows.
    pub(super) dx: Buffer<T>,
    /// db, of all blocks so far.
    pub(super) db: Vec<Sum>,
    pub(super) columns: Vec<Columns<T>>,
    pub(super) spare: Spare<T>,
}

/// Of each group of classes and row of the block, group after group.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts<T> {
    /// The largest score.
    pub(super) max: Buffer<T>,
    /// Where it is, the first of equals.
    pub(super) best: Vec<u32>,
    /// Σ exp(s − max) over the group's classes other than that.
    pub(super) rest: Buffer<T>,
    /// Σ a·(s − max) and Σ a over the group's classes.
    pub(super) cross: Buffer<T>,
    pub(super) mass: Buffer<T>,
    /// Σ exp(s − max)·(max − s) over the group's classes, and how many have a score above the label's: where that is wanted.
    pub(super) spread: Buffer<T>,
    pub(super) above: Vec<u32>,
}

/// Buffers for whoever has a task: as many as there are threads at work.
#[derive(Debug)]
pub(super) struct Spare<T>(Mutex<Vec<Buffer<T>>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare(Mutex::new(Vec::new()))
    }
}

impl<T> Clone for Spare<T> {
    /// None: what they hold is of no meaning.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T: FusedElement> Spare<T> {
    /// A buffer of a length, which holds anything. It comes back when it is dropped.
    pub(super) fn take(&self, length: usize) -> Taken<'_, T> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = taken.unwrap_or_else(Buffer::empty);
        buffer.resize(length);
        Taken { buffer, owner: self }
    }
}

/// A buffer of a [`Spare`]'s, which takes it back. (A closure that is given the buffer would not be compiled for the level of
/// whoever calls it.)
pub(super) struct Taken<'s, T> {
    buffer: Buffer<T>,
    owner: &'s Spare<T>,
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let buffer = std::mem::replace(&mut self.buffer, Buffer::empty());
        self.owner.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer
    }
}
