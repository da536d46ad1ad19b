use crate::kernel::level::FusedElement;
use std::ops::{Deref, DerefMut};

/// A cache line.
const ALIGNMENT: usize = 64;

/// Scratch memory that begins at a cache line, and is kept from call to call.
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
    /// Makes it `length` long. What it holds is what it held, or zeros.
    pub(crate) fn resize(&mut self, length: usize) {
        let line = ALIGNMENT / std::mem::size_of::<T>();
        if self.storage.len() < length + line {
            self.storage.resize(length + line, T::zero());
            // Once more from the start, so that growth leaves no slack of twice the size.
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
