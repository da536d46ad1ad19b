//! Prefetching: the hardware's own follows no jump from row to row.
#![allow(unsafe_code)]

/// The address of what is wanted next. It is prefetched and never read.
#[derive(Clone, Copy)]
pub(crate) struct Ahead(*const u8);

impl Ahead {
    pub(crate) fn of<T>(slice: &[T]) -> Self {
        Ahead(slice.as_ptr().cast())
    }

    /// So many bytes on.
    pub(crate) fn on(self, bytes: usize) -> Self {
        Ahead(self.0.wrapping_add(bytes))
    }

    /// Prefetches the line so many bytes on into the L1 cache.
    #[inline(always)]
    pub(crate) fn prefetch(self, bytes: usize) {
        self.prefetch_into::<1>(bytes);
    }

    /// Prefetches it into the L2 cache: what is wanted later must not push out what is wanted now.
    #[inline(always)]
    pub(crate) fn prefetch_later(self, bytes: usize) {
        self.prefetch_into::<2>(bytes);
    }

    #[inline(always)]
    fn prefetch_into<const CACHE: usize>(self, bytes: usize) {
        let address = self.on(bytes).0;
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
            // SAFETY: a prefetch reads nothing that the program sees, whatever the address; SSE, which it needs, is
            // part of every x86-64.
            unsafe {
                match CACHE {
                    1 => _mm_prefetch::<_MM_HINT_T0>(address.cast()),
                    _ => _mm_prefetch::<_MM_HINT_T1>(address.cast()),
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }
}
