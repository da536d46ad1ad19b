//! The products' inner loops. Each keeps its sums in registers; the shapes are for sixteen of them (AVX2).
//!
//! The only unsafe code of the project's computing crates: loads without bounds checks, in loops that would
//! spend as much time on the checks as on the products. Each function asserts what makes them sound first.
#![allow(unsafe_code)]

use super::lanes::Lanes;
use softmax_core::Element;

/// Asks for the cache line of an element that will be read soon: the hardware's own prefetching follows no jump
/// from row to row.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees, whatever the address; SSE, which it needs, is
        // part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(slice.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, at);
}

/// `R` rows of X by `K` of the rows of `stride` in `w`, along the features, in vectors: adds x_r · w_k to
/// `sums[r·across + k]`. What a row has beyond whole vectors counts as a vector with zeros, in `w` too. `ahead` is
/// what will be wanted next, asked for at the pace of the work.
#[inline(always)]
pub(crate) fn dots<T: Element, L: Lanes<T>, const R: usize, const K: usize>(
    lanes: L,
    x: [&[T]; R],
    w: &[T],
    stride: usize,
    sums: &mut [L::V],
    across: usize,
    ahead: &[T],
) {
    let length = x[0].len();
    let whole = length / L::N;
    let mut tile = [[lanes.splat(T::zero()); K]; R];
    for r in 0..R {
        tile[r].copy_from_slice(&sums[r * across..][..K]);
    }
    let tails = x.map(|x| L::split(x).1);
    let xs = x.map(|x| L::split(x).0);
    let mut ws = w.chunks(stride);
    let ws: [&[L::V]; K] = std::array::from_fn(|_| L::split(ws.next().unwrap_or(&[])).0);
    assert!(xs.iter().all(|x| x.len() == whole) && ws.iter().all(|w| w.len() >= length.div_ceil(L::N)));
    for v in 0..whole {
        prefetch(ahead, v * L::N);
        // SAFETY: v < whole, and every row has that many vectors, as was asserted.
        let x = xs.map(|x| unsafe { *x.get_unchecked(v) });
        for k in 0..K {
            // SAFETY: as above.
            let w = unsafe { *ws[k].get_unchecked(v) };
            for r in 0..R {
                tile[r][k] = lanes.mul_add(x[r], w, tile[r][k]);
            }
        }
    }
    if whole * L::N < length {
        let x = tails.map(|x| lanes.load_part(x));
        for k in 0..K {
            for r in 0..R {
                tile[r][k] = lanes.mul_add(x[r], ws[k][whole], tile[r][k]);
            }
        }
    }
    for r in 0..R {
        sums[r * across..][..K].copy_from_slice(&tile[r]);
    }
}

/// Rows of one length, and a number for each of them and each row of the result: what [`Outer::add`] multiplies.
/// The number for row i and result k is `g[i·ALONG + k·ACROSS]`.
#[derive(Clone, Copy)]
pub(crate) struct Outer<'a, T, const ALONG: usize, const ACROSS: usize> {
    x: &'a [&'a [T]],
    g: &'a [T],
    /// Rows of the result.
    count: usize,
    length: usize,
}

impl<'a, T: Element, const ALONG: usize, const ACROSS: usize> Outer<'a, T, ALONG, ACROSS> {
    /// # Panics
    /// If the rows differ in length, or G has fewer numbers.
    pub(crate) fn new(x: &'a [&'a [T]], g: &'a [T], count: usize) -> Self {
        let length = x.first().map_or(0, |x| x.len());
        assert!(x.iter().all(|x| x.len() == length));
        assert!(x.is_empty() || count == 0 || (x.len() - 1) * ALONG + (count - 1) * ACROSS < g.len());
        Outer { x, g, count, length }
    }

    /// Adds Σ_i g·x_i to `K` rows of the result from row `first` on, and to `V` vectors of each: those of the x_i
    /// from element `column` on, and those of `out`, whose rows are `stride` apart, from its beginning. Without
    /// `WHOLE` the only vector is what the x_i have left, and zeros.
    #[inline(always)]
    pub(crate) fn add<L: Lanes<T>, const K: usize, const V: usize, const WHOLE: bool>(
        &self,
        lanes: L,
        first: usize,
        column: usize,
        out: &mut [T],
        stride: usize,
    ) {
        let mut sums = [[lanes.splat(T::zero()); V]; K];
        let width = if WHOLE { V * L::N } else { self.length - column };
        assert!(column + width <= self.length && first + K <= self.count);
        for (i, x) in self.x.iter().enumerate() {
            // SAFETY: column + width ≤ length, the length of every row since `new`.
            let x = unsafe { x.get_unchecked(column..column + width) };
            let x: [L::V; V] = if WHOLE { vectors(L::split(x).0) } else { [lanes.load_part(x); V] };
            for k in 0..K {
                // SAFETY: i < x.len() and first + k < count, and G has the number of the last of both since `new`.
                let g = lanes.splat(unsafe { *self.g.get_unchecked(i * ALONG + (first + k) * ACROSS) });
                for (sum, x) in sums[k].iter_mut().zip(x) {
                    *sum = lanes.mul_add(g, x, *sum);
                }
            }
        }
        for (out, sums) in out.chunks_mut(stride).zip(sums) {
            for (out, sum) in L::split_mut(&mut out[..V * L::N]).0.iter_mut().zip(sums) {
                *out = lanes.add(*out, sum);
            }
        }
    }
}

#[inline(always)]
fn vectors<V: Copy, const COUNT: usize>(slice: &[V]) -> [V; COUNT] {
    std::array::from_fn(|k| slice[k])
}

/// A tile of scores, or of dW: adds Σ x·p to `R` rows of two vectors each. For the scores `x` has `R` rows of X
/// together, feature by feature, and `panel` a row of W for each feature; for dW it has `R` features together,
/// row by row, and `panel` a row of G for each row.
#[inline(always)]
pub(crate) fn panel_tile<T: Element, L: Lanes<T>, const R: usize>(
    lanes: L,
    x: &[T],
    panel: &[T],
    out: &mut [T],
) {
    let (out, _) = L::split_mut(out);
    let (out, _) = out.as_chunks_mut::<2>();
    for (out, sums) in out.iter_mut().zip(sum_of_outer::<T, L, R>(lanes, x, panel)) {
        out[0] = lanes.add(out[0], sums[0]);
        out[1] = lanes.add(out[1], sums[1]);
    }
}

/// Σ of outer products: `K` numbers each by two vectors each.
#[inline(always)]
fn sum_of_outer<T: Element, L: Lanes<T>, const K: usize>(
    lanes: L,
    numbers: &[T],
    vectors: &[T],
) -> [[L::V; 2]; K] {
    let (numbers, _) = numbers.as_chunks::<K>();
    let (vectors, _) = L::split(vectors);
    let (vectors, _) = vectors.as_chunks::<2>();
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; 2]; K];
    for (numbers, [a, b]) in numbers.iter().zip(vectors) {
        for k in 0..K {
            let x = lanes.splat(numbers[k]);
            sums[k][0] = lanes.mul_add(x, *a, sums[k][0]);
            sums[k][1] = lanes.mul_add(x, *b, sums[k][1]);
        }
    }
    sums
}

/// `R` rows of dX by `K` features, over a chunk of classes: Σ over panels of g · w. `gradient` and `w` begin at
/// the first row and the first feature of the first panel; each panel is `g_step` or `w_step` further on, and
/// rows have two vectors.
#[inline(always)]
pub(crate) fn panel_dots<T: Element, L: Lanes<T>, const R: usize, const K: usize>(
    lanes: L,
    gradient: &[T],
    g_step: usize,
    w: &[T],
    w_step: usize,
) -> [[T; K]; R] {
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; K]; R];
    for (g, w) in gradient.chunks(g_step).zip(w.chunks(w_step)) {
        let (g, _) = L::split(g);
        let (w, _) = L::split(w);
        let (g, w) = (&g[..2 * R], &w[..2 * K]);
        for half in 0..2 {
            for k in 0..K {
                for r in 0..R {
                    sums[r][k] = lanes.mul_add(g[2 * r + half], w[2 * k + half], sums[r][k]);
                }
            }
        }
    }
    sums.map(|row| row.map(|sum| lanes.sum(sum)))
}
