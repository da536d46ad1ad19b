//! Block sizes that follow the machine.

use crate::kernel::lanes::VECTOR;
use crate::kernel::tile::{PANEL, TILE};
use crate::orders::{CHUNK, GROUP, SUMMED};

/// Block sizes of the kernel for many classes, which follow the L2 cache. The tile itself follows the [`Level`](crate::Level): 12 rows × 2
/// vectors of 64 bytes where there are 32 registers of 64 bytes, 6 × 1 elsewhere.
///
/// They change no bit of a result: the orders of sums are constants of their own. The default suits the machine; other values
/// are for experiments (`cargo bench -p softmax-benches --bench fused`). Values are rounded to the multiples given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelParams {
    /// Rows that go through a group's scores together: with their part of the group's weights they stay in the L2 cache.
    /// A multiple of 192.
    pub strip: usize,
    /// Rows of a block at most, unless it takes more to give each thread a strip: dW is read and written once for each block.
    /// [`Fused::memory`](crate::Fused::memory) may allow fewer. A multiple of 192.
    pub block: usize,
    /// Features of dW that a group's rows meet together, a multiple of 12.
    pub features: usize,
    /// Numbers of W that a thread keeps packed for all rows of a block.
    pub kept: usize,
    /// Tasks of a round for each thread, so that none waits long for the others.
    pub tasks: usize,
}

/// Bytes of the L2 cache where the machine does not report them.
const L2_CACHE: usize = 1 << 20;

/// Bytes of a group's row.
const ROW: usize = GROUP * PANEL * VECTOR;

/// Rows of a strip at most: with more, too few strips are left for the threads.
const MOST_ROWS: usize = 4 * SUMMED;

impl KernelParams {
    /// For an L2 cache of so many bytes.
    pub fn for_cache(bytes: usize) -> Self {
        // Two thirds of it for a group's scores and its part of W: the rest is for X.
        let rows = (bytes / 3 * 2).saturating_sub(CHUNK * ROW) / ROW;
        KernelParams { strip: rows, block: 6 * SUMMED, features: 16 * TILE, kept: 1 << 20, tasks: 4 }
            .rounded()
    }

    /// To multiples of what a kernel takes together.
    pub(crate) fn rounded(self) -> Self {
        KernelParams {
            strip: (self.strip / SUMMED * SUMMED).clamp(SUMMED, MOST_ROWS),
            block: (self.block / SUMMED * SUMMED).max(SUMMED),
            features: (self.features / TILE * TILE).max(TILE),
            kept: self.kept,
            tasks: self.tasks.max(1),
        }
    }
}

impl Default for KernelParams {
    /// For this machine's L2 cache.
    fn default() -> Self {
        Self::for_cache(l2_cache().unwrap_or(L2_CACHE))
    }
}

/// Bytes of the L2 cache.
#[cfg(target_arch = "x86_64")]
fn l2_cache() -> Option<usize> {
    let cpuid = raw_cpuid::CpuId::new();
    // Intel's leaf, and AMD's.
    let of_leaf_4 = cpuid.get_cache_parameters().and_then(|mut caches| {
        let second = caches.find(|cache| cache.level() == 2)?;
        let lines = second.sets() * second.associativity() * second.physical_line_partitions();
        Some(lines * second.coherency_line_size())
    });
    of_leaf_4.or_else(|| Some(usize::from(cpuid.get_l2_l3_cache_and_tlb_info()?.l2cache_size()) << 10))
}

#[cfg(not(target_arch = "x86_64"))]
fn l2_cache() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_grow_with_the_cache_and_stay_multiples() {
        let strip = |bytes: usize| KernelParams::for_cache(bytes).strip;
        assert_eq!([0, 256 << 10, 1 << 20, 2 << 20, 1 << 40].map(strip), [192, 192, 384, 768, 768]);
    }
}
