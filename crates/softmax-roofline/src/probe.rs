//! The measurements. Each keeps the best of several rounds, because noise only makes a round slower.

use pulp::{Arch, Simd, WithSimd};
use std::hint::{black_box, spin_loop};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

const ROUNDS: usize = 5;

/// Independent sums: more than the latency times the throughput of the multiply-add units of any machine.
const CHAINS: usize = 12;

/// Multiply-adds per chain in a round, about 15 ms.
const STEPS: usize = 4_000_000;

/// Bytes that all threads together read in a round: many times the size of any cache.
const BYTES: usize = 512 << 20;

/// An element type whose vector multiply-adds can be measured.
pub(crate) trait Chained: Sized {
    /// Runs the chains and returns the number of operations.
    fn run<S: Simd>(simd: S) -> usize;
}

macro_rules! chained {
    ($element:ty, $splat:ident, $mul_add:ident, $lanes:ident) => {
        impl Chained for $element {
            #[inline(always)]
            fn run<S: Simd>(simd: S) -> usize {
                let (x, y) = (simd.$splat(black_box(0.5)), simd.$splat(black_box(0.25)));
                let mut sums = [y; CHAINS];
                for _ in 0..STEPS {
                    for sum in &mut sums {
                        *sum = simd.$mul_add(*sum, x, y);
                    }
                }
                black_box(sums);
                2 * CHAINS * STEPS * S::$lanes
            }
        }
    };
}

chained!(f32, splat_f32s, mul_add_f32s, F32_LANES);
chained!(f64, splat_f64s, mul_add_f64s, F64_LANES);

struct Chains<T>(PhantomData<T>);

impl<T: Chained> WithSimd for Chains<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        T::run(simd)
    }
}

struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(0.0); CHAINS];
        let (vectors, _) = S::as_simd_f32s(self.0);
        for group in vectors.chunks_exact(CHAINS) {
            for (sum, &vector) in sums.iter_mut().zip(group) {
                *sum = simd.add_f32s(*sum, vector);
            }
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
    }
}

/// Operations per second, over all threads.
pub(crate) fn flops<T: Chained>(threads: usize) -> f64 {
    best_rate(threads, |_| Arch::new().dispatch(Chains::<T>(PhantomData)) as f64)
}

/// Bytes read per second, over all threads. Each thread reads its own part.
pub(crate) fn read_bytes(threads: usize) -> f64 {
    // Not zeros, because the system may map all zero pages to the same memory.
    let data = vec![black_box(1.0f32); BYTES / 4];
    let part = data.len() / threads;
    best_rate(threads, |k| {
        let part = &data[k * part..(k + 1) * part];
        black_box(Arch::new().dispatch(Sum(part)));
        size_of_val(part) as f64
    })
}

/// The highest rate of any round: the work of all threads, which start together, over the time of the slowest thread.
fn best_rate(threads: usize, work: impl Fn(usize) -> f64 + Sync) -> f64 {
    let timed = &|k: usize, ready: &AtomicUsize| {
        // An untimed run, so that the system has given each thread a processor before the timed run.
        work(k);
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            spin_loop();
        }
        let start = Instant::now();
        let work = work(k);
        (work, start.elapsed().as_secs_f64())
    };
    let mut best = 0.0f64;
    for _ in 0..ROUNDS {
        let ready = &AtomicUsize::new(0);
        let results: Vec<(f64, f64)> = thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|k| scope.spawn(move || timed(k, ready))).collect();
            handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
        });
        let longest = results.iter().map(|r| r.1).fold(f64::MIN_POSITIVE, f64::max);
        best = best.max(results.iter().map(|r| r.0).sum::<f64>() / longest);
    }
    best
}
