//! The products of the narrow kernel. Their sums stay in registers, along the features ([`dots`]) or down the rows
//! ([`down`]).
//!
//! Elements are read without bounds checks, which would cost as much time as the products. Each function first asserts
//! what makes that sound.
#![allow(unsafe_code)]

use super::ahead::Ahead;
use super::lanes::Lanes;
use crate::columns::ROWS;
use softmax_core::Element;

/// Unrolled steps of a loop. Unrolling leaves fewer instructions beside the multiply-adds, which matters on a core
/// shared by two threads.
const UNROLL: usize = 4;

/// Products of `R` rows of X with `K` rows of `w`, which are `stride` apart, along the features: adds x_r · w_k to
/// `tile[r][k]`, in vectors. `tails` are the parts of the rows beyond whole vectors, padded with zeros, as they are in
/// `w`. With each vector, prefetches `pace` bytes of the rows in `ahead`.
#[inline(always)]
pub(crate) fn dots<T: Element, L: Lanes<T>, const R: usize, const K: usize, const A: usize>(
    lanes: L,
    (x, tails): ([&[T]; R], [L::V; R]),
    w: &[T],
    stride: usize,
    tile: [[L::V; K]; R],
    (ahead, pace): ([Ahead; A], usize),
) -> [[L::V; K]; R] {
    let length = x[0].len();
    let whole = length / L::N;
    let xs = x.map(|x| L::split(x).0);
    let mut ws = w.chunks(stride);
    let ws: [&[L::V]; K] = std::array::from_fn(|_| L::split(ws.next().unwrap_or(&[])).0);
    assert!(xs.iter().all(|x| x.len() == whole) && ws.iter().all(|w| w.len() >= length.div_ceil(L::N)));
    let mut sums = tile;
    // A macro, since a closure that is not inlined would not be compiled for the level.
    macro_rules! step {
        ($v:expr) => {
            let v = $v;
            // SAFETY: v < whole, and every row has `whole` vectors, as asserted above.
            let x = xs.map(|x| unsafe { *x.get_unchecked(v) });
            for k in 0..K {
                // SAFETY: v < whole, as above.
                let w = unsafe { *ws[k].get_unchecked(v) };
                for r in 0..R {
                    sums[r][k] = lanes.mul_add(x[r], w, sums[r][k]);
                }
            }
        };
    }
    for v in (0..whole / UNROLL).map(|k| k * UNROLL) {
        for u in 0..UNROLL {
            // One vector is one cache line. Prefetching a line that is already cached costs little.
            ahead.iter().for_each(|row| row.prefetch((v + u) * pace));
            step!(v + u);
        }
    }
    for v in whole / UNROLL * UNROLL..whole {
        step!(v);
    }
    if whole * L::N < length {
        for k in 0..K {
            for r in 0..R {
                sums[r][k] = lanes.mul_add(tails[r], ws[k][whole], sums[r][k]);
            }
        }
    }
    sums
}

/// Rows of equal length, as whole vectors.
pub(crate) struct VectorRows<'x, V> {
    rows: [&'x [V]; ROWS],
    count: usize,
    whole: usize,
}

impl<'x, V> VectorRows<'x, V> {
    /// Collects `count` rows, at most `ROWS`.
    pub(crate) fn new(count: usize, row: impl Fn(usize) -> &'x [V]) -> Self {
        let rows: [&[V]; ROWS] = std::array::from_fn(|r| if r < count { row(r) } else { &[] });
        let whole = rows[0].len();
        assert!(count <= ROWS && rows[..count].iter().all(|row| row.len() == whole));
        VectorRows { rows, count, whole }
    }

    /// Number of whole vectors in each row.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }
}

/// Factors of the rows, one per result: the factor of row r for result k is `numbers[k * result + r * row]`.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'g, T> {
    pub(crate) numbers: &'g [T],
    pub(crate) result: usize,
    pub(crate) row: usize,
}

impl<T> Factors<'_, T> {
    /// The factors of the results from `first` on.
    pub(crate) fn from(self, first: usize) -> Self {
        Factors { numbers: &self.numbers[first * self.result..], ..self }
    }
}

/// Computes Σ_r g_rk · x_r for `K` results and the `V` vectors of features from `v` on. The sums over all rows stay in
/// registers.
#[inline(always)]
pub(crate) fn down<T: Element, L: Lanes<T>, const V: usize, const K: usize>(
    lanes: L,
    x: &VectorRows<'_, L::V>,
    v: usize,
    g: Factors<'_, T>,
) -> [[L::V; V]; K] {
    assert!(v + V <= x.whole && x.count > 0);
    assert!(g.numbers.len() > (K - 1) * g.result + (x.count - 1) * g.row);
    let mut sums = [[lanes.splat(T::zero()); V]; K];
    for r in 0..x.count {
        // SAFETY: r < count ≤ ROWS, and each of these rows has `whole` vectors, as `new` asserted; v + V ≤ whole, as
        // asserted above.
        let x: [L::V; V] = std::array::from_fn(|k| unsafe { *x.rows.get_unchecked(r).get_unchecked(v + k) });
        for (k, sums) in sums.iter_mut().enumerate() {
            // SAFETY: k ≤ K − 1 and r ≤ count − 1, so the index is within the asserted length.
            let g = lanes.splat(unsafe { *g.numbers.get_unchecked(k * g.result + r * g.row) });
            for (sum, &x) in sums.iter_mut().zip(&x) {
                *sum = lanes.mul_add(g, x, *sum);
            }
        }
    }
    sums
}
