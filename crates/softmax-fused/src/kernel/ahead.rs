//! Software prefetching, for jumps from row to row that the hardware prefetcher does not follow.
#![allow(unsafe_code)]

/// An address to prefetch. It is never read.
#[derive(Clone, Copy)]
pub(crate) struct Ahead(*const u8);

impl Ahead {
    pub(crate) fn of<T>(slice: &[T]) -> Self {
        Ahead(slice.as_ptr().cast())
    }

    /// The address `bytes` bytes further on.
    pub(crate) fn on(self, bytes: usize) -> Self {
        Ahead(self.0.wrapping_add(bytes))
    }

    /// Prefetches the cache line `bytes` bytes further on into the L1 cache.
    #[inline(always)]
    pub(crate) fn prefetch(self, bytes: usize) {
        self.prefetch_into::<1>(bytes);
    }

    /// Prefetches the line into the L2 cache, for data that is needed later: it must not evict what the L1 cache holds
    /// now.
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
            // SAFETY: a prefetch has no effect on the program's memory, at any address. It needs SSE, which every
            // x86-64 processor has.
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
