use crate::kernel::level::FusedElement;
use std::ops::{Deref, DerefMut};

/// Size of a cache line in bytes.
const ALIGNMENT: usize = 64;

/// Scratch memory, aligned to a cache line and kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer<T> {
    storage: Vec<T>,
    offset: usize,
    length: usize,
}

impl<T> Buffer<T> {
    pub(crate) fn empty() -> Self {
        Buffer { storage: Vec::new(), offset: 0, length: 0 }
    }
}

impl<T: FusedElement> Buffer<T> {
    /// Sets the length. Old contents stay where they fit; the rest is arbitrary or zero.
    pub(crate) fn resize(&mut self, length: usize) {
        let line = ALIGNMENT / std::mem::size_of::<T>();
        if self.storage.len() < length + line {
            self.storage.resize(length + line, T::zero());
            // Allocates exactly the new length: growing in place could leave capacity for twice that.
            self.storage.shrink_to_fit();
        }
        self.offset = self.storage.as_ptr().align_offset(ALIGNMENT).min(line);
        self.length = length;
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.offset..self.offset + self.length]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.offset..self.offset + self.length]
    }
}
