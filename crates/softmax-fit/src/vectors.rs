//! Operations on long vectors. A sum is taken over chunks of a fixed length, then over the chunks in order, so its
//! bits do not depend on the number of threads.

use rayon::prelude::*;
use softmax::Element;

/// The number of elements in a chunk. A vector of at most one chunk is processed on the calling thread.
const CHUNK: usize = 1 << 14;
/// The number of interleaved sums within a chunk, enough to fill vector registers.
const LANES: usize = 16;

/// Σ a·b in f64.
pub(crate) fn dot<A: Element, B: Element>(a: &[A], b: &[B]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    if a.len() <= CHUNK {
        return dot_of_chunk(a, b);
    }
    let parts: Vec<f64> =
        a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(|(a, b)| dot_of_chunk(a, b)).collect();
    parts.iter().sum()
}

fn dot_of_chunk<A: Element, B: Element>(a: &[A], b: &[B]) -> f64 {
    let mut sums = [0.0; LANES];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in a.by_ref().zip(b.by_ref()) {
        for lane in 0..LANES {
            sums[lane] += a[lane].widen() * b[lane].widen();
        }
    }
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a.widen() * b.widen()).sum();
    sums.iter().sum::<f64>() + rest
}

/// to += factor·from.
pub(crate) fn add_scaled<A: Element, B: Element>(to: &mut [A], factor: f64, from: &[B]) {
    combine(to, from, |to, from| A::narrow(to.widen() + factor * from.widen()));
}

/// to = f(to, from), entry by entry.
pub(crate) fn combine<A: Element, B: Element>(to: &mut [A], from: &[B], f: impl Fn(A, B) -> A + Sync) {
    debug_assert_eq!(to.len(), from.len());
    let of_chunk =
        |to: &mut [A], from: &[B]| to.iter_mut().zip(from).for_each(|(to, &from)| *to = f(*to, from));
    if to.len() <= CHUNK {
        return of_chunk(to, from);
    }
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| of_chunk(to, from));
}

/// The largest |a|; NaN if any entry is NaN.
pub(crate) fn largest<A: Element>(a: &[A]) -> f64 {
    if a.len() <= CHUNK {
        return largest_of_chunk(a);
    }
    let parts: Vec<f64> = a.par_chunks(CHUNK).map(largest_of_chunk).collect();
    largest_of_chunk(&parts)
}

fn largest_of_chunk<A: Element>(a: &[A]) -> f64 {
    a.iter().fold(0.0, |most: f64, x| {
        let x = x.widen().abs();
        // A NaN stays, because no comparison with it is true.
        if x > most || x.is_nan() { x } else { most }
    })
}
