//! The products' inner loops. Each keeps its sums in registers; the shapes are for sixteen of them (AVX2).
//!
//! The only unsafe code of the project's computing crates: loads without bounds checks, in loops that would
//! spend as much time on the checks as on the products. Each function asserts what makes them sound first.
#![allow(unsafe_code)]

use super::lanes::Lanes;
use softmax_core::Element;

/// Asks for a slice that will be read soon: the hardware's own prefetching follows no jump from row to row.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in slice.chunks(64 / std::mem::size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees, and the address is a slice's; SSE, which it
        // needs, is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slice;
}

/// `R` rows of X by `K` rows of Wᵀ, along the features: out[r][k] += x_r · w_k.
#[inline(always)]
pub(crate) fn dots<T: Element, L: Lanes<T>, const R: usize, const K: usize>(
    lanes: L,
    x: [&[T]; R],
    w: [&[T]; K],
) -> [[T; K]; R] {
    let length = x[0].len();
    let whole = length / L::N;
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; K]; R];
    let xs = x.map(|x| L::split(x).0);
    let ws = w.map(|w| L::split(w).0);
    assert!(xs.iter().chain(&ws).all(|row| row.len() >= whole));
    for v in 0..whole {
        // SAFETY: v < whole, and every row has that many vectors, as was asserted.
        let x = xs.map(|x| unsafe { *x.get_unchecked(v) });
        for k in 0..K {
            // SAFETY: as above.
            let w = unsafe { *ws[k].get_unchecked(v) };
            for r in 0..R {
                sums[r][k] = lanes.mul_add(x[r], w, sums[r][k]);
            }
        }
    }
    let mut out = [[T::zero(); K]; R];
    for r in 0..R {
        for k in 0..K {
            let mut sum = lanes.sum(sums[r][k]);
            for d in whole * L::N..length {
                sum += x[r][d] * w[k][d];
            }
            out[r][k] = sum;
        }
    }
    out
}

/// Rows of X of one length, and as many rows of G: what [`Outer::add`] multiplies.
#[derive(Clone, Copy)]
pub(crate) struct Outer<'a, T> {
    x: &'a [&'a [T]],
    g: &'a [T],
    stride: usize,
    length: usize,
}

impl<'a, T: Element> Outer<'a, T> {
    /// G has rows of `stride`.
    ///
    /// # Panics
    /// If the rows of X differ in length, or G has fewer.
    pub(crate) fn new(x: &'a [&'a [T]], g: &'a [T], stride: usize) -> Self {
        let length = x.first().map_or(0, |x| x.len());
        assert!(x.iter().all(|x| x.len() == length) && g.len() >= x.len() * stride);
        Outer { x, g, stride, length }
    }

    /// Adds Σ_i g_i,first+k · x_i, of the `V` vectors of features from vector `v` on, to each of `K` rows of dWᵀ.
    #[inline(always)]
    pub(crate) fn add<L: Lanes<T>, const K: usize, const V: usize>(
        &self,
        lanes: L,
        first: usize,
        v: usize,
        dw: [&mut [T]; K],
    ) {
        let zero = lanes.splat(T::zero());
        let mut sums = [[zero; V]; K];
        let columns = v * L::N..(v + V) * L::N;
        assert!(columns.end <= self.length && first + K <= self.stride);
        for (i, x) in self.x.iter().enumerate() {
            // SAFETY: columns.end ≤ length, the length of every row of X since `new`.
            let x: [L::V; V] = vectors(L::split(unsafe { x.get_unchecked(columns.clone()) }).0);
            for k in 0..K {
                // SAFETY: i < x.len() and first + k < stride, and G has x.len()·stride entries since `new`.
                let g = lanes.splat(unsafe { *self.g.get_unchecked(i * self.stride + first + k) });
                for (sum, x) in sums[k].iter_mut().zip(x) {
                    *sum = lanes.mul_add(g, x, *sum);
                }
            }
        }
        for (dw, sums) in dw.into_iter().zip(sums) {
            for (dw, sum) in L::split_mut(&mut dw[columns.clone()]).0.iter_mut().zip(sums) {
                *dw = lanes.add(*dw, sum);
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
