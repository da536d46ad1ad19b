//! Block sizes, from the size of the caches.

use crate::kernel::lanes::VECTOR;
use crate::kernel::tile::{PANEL, TILE};
use crate::orders::{CHUNK, GROUP, SUMMED};

/// Block sizes of the wide kernel, from the size of the L2 cache. The tile follows the [`Level`](crate::Level): 12 rows
/// × 2 vectors of 64 bytes on AVX-512, which has 32 registers of 64 bytes, and 6 × 1 elsewhere.
///
/// Block sizes change no bit of a result: the orders of summation are constants of their own. The default suits the
/// machine; other values are for experiments (`cargo bench -p softmax-benches --bench fused`). Values are rounded to
/// the multiples below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelParams {
    /// Rows whose scores for one group of classes are computed together. They and their part of the group's weights
    /// stay in the L2 cache. A multiple of 192.
    pub strip: usize,
    /// Maximum rows of a block, unless more are needed to give each thread a strip. dW is read and written once per
    /// block. [`Fused::memory`](crate::Fused::memory) may allow fewer. A multiple of 192.
    pub block: usize,
    /// Maximum features of dW in one task of a group. Their part of dW, the group's part of 192 rows of G, and these
    /// rows' part of X stay in the L2 cache. A multiple of 12.
    pub features: usize,
    /// Maximum elements of W that a thread keeps packed for all rows of a block.
    pub kept: usize,
    /// Tasks per thread in a round. More tasks balance the load better.
    pub tasks: usize,
}

/// Assumed size of the L2 cache in bytes, if the machine does not report one.
const L2_CACHE: usize = 1 << 20;

/// Bytes of one row of scores in a group.
const ROW: usize = GROUP * PANEL * VECTOR;

/// Maximum rows of a strip: with more, too few strips are left for the threads.
const MOST_ROWS: usize = 4 * SUMMED;

/// Minimum features of dW in a task: with fewer, the group's part of G is read too often.
pub(crate) const LEAST_FEATURES: usize = 4 * TILE;

/// Maximum features of dW in a task: more were not faster.
const MOST_FEATURES: usize = 16 * TILE;

impl KernelParams {
    /// Block sizes for an L2 cache of `bytes` bytes.
    pub fn for_cache(bytes: usize) -> Self {
        let most = bytes / 3 * 2;
        // A group's scores and its part of W fit into two thirds of the cache; the rest is for X.
        let rows = most.saturating_sub(CHUNK * ROW) / ROW;
        // G fits into two thirds of the cache, with a row of dW and a column of X in f64 for each feature.
        let features = most.saturating_sub(SUMMED * ROW) / (ROW + SUMMED * size_of::<f64>());
        let features = features.clamp(LEAST_FEATURES, MOST_FEATURES);
        KernelParams { strip: rows, block: 6 * SUMMED, features, kept: 1 << 20, tasks: 4 }.rounded()
    }

    /// Rounds each value to the multiple that the kernel needs.
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
    /// Block sizes for this machine's L2 cache.
    fn default() -> Self {
        Self::for_cache(l2_cache().unwrap_or(L2_CACHE))
    }
}

/// Size of the L2 cache in bytes.
#[cfg(target_arch = "x86_64")]
fn l2_cache() -> Option<usize> {
    let cpuid = raw_cpuid::CpuId::new();
    // Intel reports the size in leaf 4, AMD in leaf 0x8000_0006.
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

    #[test]
    fn tasks_of_dw_grow_with_the_cache_up_to_192_features() {
        let features = |bytes: usize| KernelParams::for_cache(bytes).features;
        assert_eq!([0, 256 << 10, 512 << 10, 1 << 20, 1 << 40].map(features), [48, 48, 48, 192, 192]);
    }
}
