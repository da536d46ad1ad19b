use super::facts::TopClasses;
use super::sparse::Turned;
use crate::buffer::Buffer;
use crate::columns::Columns;
use crate::kernel::level::FusedElement;
use crate::sums::Sum;
use softmax_core::ndarray::Array2;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Working memory, kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// A block's scores, by group of panels, strip of rows and panel; a panel has a row of its width per sample. The
    /// slopes of a softcap follow. The scores become exponentials and then ∂loss/∂scores. Empty without gradients.
    pub(super) regions: Buffer<T>,
    /// A packed block of X; the layout is in pack.rs.
    pub(super) rows: Buffer<T>,
    /// For sparse X: W in contiguous rows, and the block's entries by feature.
    pub(super) weights: Array2<T>,
    pub(super) turned: Vec<Turned<T>>,
    /// State of each group and row.
    pub(super) facts: Facts<T>,
    /// The score of each row's label and each row's best classes, if requested.
    pub(super) label_scores: Buffer<T>,
    pub(super) top: TopClasses<T>,
    /// A block of dX, by panel of features, then by row.
    pub(super) dx: Buffer<T>,
    /// db, summed over all blocks so far.
    pub(super) db: Vec<Sum>,
    pub(super) columns: Vec<Columns<T>>,
    pub(super) spare: Spare<T>,
}

/// State of each group of classes and each row of the block, group after group.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts<T> {
    /// The largest score.
    pub(super) max: Buffer<T>,
    /// Its class, the lowest index on ties.
    pub(super) best: Vec<u32>,
    /// Σ exp(s − max) over the group's other classes.
    pub(super) rest: Buffer<T>,
    /// Σ a·(s − max) and Σ a over the group's classes.
    pub(super) cross: Buffer<T>,
    pub(super) mass: Buffer<T>,
    /// Σ exp(s − max)·(max − s) over the group's classes, and the number of scores above the label's. Only set if
    /// requested.
    pub(super) spread: Buffer<T>,
    pub(super) above: Vec<u32>,
}

/// A pool of buffers for tasks: at most one per running thread.
#[derive(Debug)]
pub(super) struct Spare<T>(Mutex<Vec<Buffer<T>>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare(Mutex::new(Vec::new()))
    }
}

impl<T> Clone for Spare<T> {
    /// Empty: the contents mean nothing between calls.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T: FusedElement> Spare<T> {
    /// Takes a buffer of this length with arbitrary contents. Dropping it returns it to the pool.
    pub(super) fn take(&self, length: usize) -> Taken<'_, T> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = taken.unwrap_or_else(Buffer::empty);
        buffer.resize(length);
        Taken { buffer, owner: self }
    }
}

/// A buffer taken from a [`Spare`], which it returns to on drop. (A closure that borrows the buffer would not be
/// compiled for the caller's level.)
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
