//! The products of the wide kernel, one tile at a time. The sums of a tile stay in registers from the first product to
//! the last.
//!
//! A tile is [`TILE`] rows by one panel, which is [`PANEL`] vectors wide:
//!
//! ```text
//! for k in 0..steps                        the loops over r and v are unrolled
//!     for r in 0..TILE
//!         for v in 0..PANEL
//!             sums[r][v] += x[k][r] · w[k][v]
//! ```
//!
//! An instruction set with too few registers for all sums computes the tile in parts. Each sum is its own chain of
//! fused multiply-adds over k, so the division into parts changes no bit.
#![allow(unsafe_code)]

use super::ahead::Ahead;
use super::lanes::Lanes;
use softmax_core::Element;

/// Rows of a tile.
pub(crate) const TILE: usize = 12;

/// Vectors of a panel's row.
pub(crate) const PANEL: usize = 2;

/// Bytes prefetched with each step of a product.
const STEP: usize = 4;

/// A row of a panel, as vectors.
pub(crate) type Pair<T, L> = [<L as Lanes<T>>::V; PANEL];

/// The rows of a panel, as vectors.
#[inline(always)]
pub(crate) fn pairs<T, L: Lanes<T>>(rows: &[T]) -> &[Pair<T, L>] {
    L::split(rows).0.as_chunks::<PANEL>().0
}

#[inline(always)]
pub(crate) fn pairs_mut<T, L: Lanes<T>>(rows: &mut [T]) -> &mut [Pair<T, L>] {
    L::split_mut(rows).0.as_chunks_mut::<PANEL>().0
}

/// The sums of the `R` rows from `FIRST` on and the `V` vectors from `at` on.
#[inline(always)]
fn sums<T: Element, L: Lanes<T>, const FIRST: usize, const R: usize, const V: usize>(
    lanes: L,
    x: &[[T; TILE]],
    w: &[Pair<T, L>],
    at: usize,
    ahead: Ahead,
) -> [[L::V; V]; R] {
    let mut sums = [[lanes.splat(T::zero()); V]; R];
    for (k, (x, w)) in x.iter().zip(w).enumerate() {
        ahead.prefetch_later(k * STEP);
        for r in 0..R {
            let x = lanes.splat(x[FIRST + r]);
            for v in 0..V {
                sums[r][v] = lanes.mul_add(x, w[at + v], sums[r][v]);
            }
        }
    }
    sums
}

/// Rows stored in pieces of `length` numbers. A piece holds its part of every row, row after row; the next piece begins
/// `pitch` numbers later. For dW a piece is a square of packed X, for dX a panel of G.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'x, T> {
    pub(crate) numbers: &'x [T],
    pub(crate) length: usize,
    pub(crate) pitch: usize,
}

/// Like [`sums`], for rows in pieces.
#[inline(always)]
fn turned_sums<T: Element, L: Lanes<T>, const FIRST: usize, const R: usize, const V: usize>(
    lanes: L,
    x: Pieces<'_, T>,
    w: &[Pair<T, L>],
    at: usize,
    ahead: Ahead,
) -> [[L::V; V]; R] {
    let mut sums = [[lanes.splat(T::zero()); V]; R];
    let Pieces { numbers, length, pitch } = x;
    for (piece, w) in w.chunks(length).enumerate() {
        let x = &numbers[piece * pitch..];
        assert!(x.len() >= (FIRST + R) * length);
        let next = Ahead::of(x).on(pitch * size_of::<T>());
        for (k, w) in w.iter().enumerate() {
            ahead.prefetch_later((piece * length + k) * STEP);
            // Prefetches the next piece, one line per 48 bytes: the share of one step in f32, half of it in f64.
            for part in 0..size_of::<T>() / 4 {
                next.prefetch((k * (size_of::<T>() / 4) + part) * (TILE * 4));
            }
            for r in 0..R {
                // SAFETY: k < length, so the index is below (FIRST + R)·length, which is within `x`, as asserted above.
                let x = lanes.splat(unsafe { *x.get_unchecked((FIRST + r) * length + k) });
                for v in 0..V {
                    sums[r][v] = lanes.mul_add(x, w[at + v], sums[r][v]);
                }
            }
        }
    }
    sums
}

/// Which rows and vectors of a tile are needed at least, and what to prefetch while the sums are computed.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    pub(crate) rows: usize,
    pub(crate) vectors: usize,
    pub(crate) ahead: Ahead,
}

/// Calls `$part!(first row, rows, vectors, first vector)` for each part of a tile that fits the registers.
macro_rules! parts {
    ($L:ty, $want:expr, $part:ident) => {
        let Want { rows, vectors, .. } = $want;
        if <$L>::REGISTERS >= 32 {
            match (rows, vectors) {
                (0..=2, _) => $part!(0, 2, 2, 0),
                (3..=6, _) => $part!(0, 6, 2, 0),
                (_, 0..=1) => $part!(0, 12, 1, 0),
                _ => $part!(0, 12, 2, 0),
            }
            return;
        }
        $part!(0, 6, 1, 0);
        if vectors > 1 {
            $part!(0, 6, 1, 1);
        }
        if rows > 6 {
            $part!(6, 6, 1, 0);
            if vectors > 1 {
                $part!(6, 6, 1, 1);
            }
        }
    };
}

/// Computes the product and passes the sum of each row and vector to `give`.
#[inline(always)]
pub(crate) fn product<T: Element, L: Lanes<T>>(
    lanes: L,
    x: &[[T; TILE]],
    w: &[Pair<T, L>],
    want: Want,
    mut give: impl FnMut(usize, usize, L::V),
) {
    macro_rules! part {
        ($first:literal, $rows:literal, $vectors:literal, $at:expr) => {{
            let sums = sums::<T, L, $first, $rows, $vectors>(lanes, x, w, $at, want.ahead);
            for (r, sums) in sums.into_iter().enumerate() {
                sums.into_iter().enumerate().for_each(|(v, sum)| give($first + r, $at + v, sum));
            }
        }};
    }
    parts!(L, want, part);
}

/// Like [`product`], for rows in pieces.
#[inline(always)]
pub(crate) fn turned_product<T: Element, L: Lanes<T>>(
    lanes: L,
    x: Pieces<'_, T>,
    w: &[Pair<T, L>],
    want: Want,
    mut give: impl FnMut(usize, usize, L::V),
) {
    macro_rules! part {
        ($first:literal, $rows:literal, $vectors:literal, $at:expr) => {{
            let sums = turned_sums::<T, L, $first, $rows, $vectors>(lanes, x, w, $at, want.ahead);
            for (r, sums) in sums.into_iter().enumerate() {
                sums.into_iter().enumerate().for_each(|(v, sum)| give($first + r, $at + v, sum));
            }
        }};
    }
    parts!(L, want, part);
}
