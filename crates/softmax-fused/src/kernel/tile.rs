//! The wide kernel's products, a tile at a time: sums of products that stay in registers from the first to the last.
//!
//! A tile has [`TILE`] rows of a panel, which is [`PANEL`] vectors wide:
//!
//! ```text
//! for k in 0..steps                        all of it unrolled but the loop over k
//!     for r in 0..TILE
//!         for v in 0..PANEL
//!             sums[r][v] += x[k][r] · w[k][v]
//! ```
//!
//! An instruction set with too few registers for all sums takes some rows and vectors after the other. Each sum is its own
//! chain of fused multiply-adds over k, so that no bit depends on how.
#![allow(unsafe_code)]

use super::ahead::Ahead;
use super::lanes::Lanes;
use softmax_core::Element;

/// Rows of a tile.
pub(crate) const TILE: usize = 12;

/// Vectors of a panel.
pub(crate) const PANEL: usize = 2;

/// Bytes that are prefetched with each step of a product.
const STEP: usize = 4;

/// A panel's row.
pub(crate) type Pair<T, L> = [<L as Lanes<T>>::V; PANEL];

/// A panel's rows.
#[inline(always)]
pub(crate) fn pairs<T, L: Lanes<T>>(rows: &[T]) -> &[Pair<T, L>] {
    L::split(rows).0.as_chunks::<PANEL>().0
}

#[inline(always)]
pub(crate) fn pairs_mut<T, L: Lanes<T>>(rows: &mut [T]) -> &mut [Pair<T, L>] {
    L::split_mut(rows).0.as_chunks_mut::<PANEL>().0
}

/// The sums of `R` rows from `FIRST` on and of `V` vectors from `at` on.
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

/// Gives the sum of each row, at least of the first `rows`, and of each vector to `give`. `ahead` is
/// prefetched meanwhile: memory answers while the sums are made.
#[inline(always)]
pub(crate) fn product<T: Element, L: Lanes<T>>(
    lanes: L,
    x: &[[T; TILE]],
    w: &[Pair<T, L>],
    rows: usize,
    ahead: Ahead,
    mut give: impl FnMut(usize, usize, L::V),
) {
    macro_rules! part {
        ($first:literal, $rows:literal, $vectors:literal, $at:expr) => {
            let sums = sums::<T, L, $first, $rows, $vectors>(lanes, x, w, $at, ahead);
            for (r, sums) in sums.into_iter().enumerate() {
                sums.into_iter().enumerate().for_each(|(v, sum)| give($first + r, $at + v, sum));
            }
        };
    }
    if L::REGISTERS >= 32 {
        match rows {
            0..=2 => {
                part!(0, 2, 2, 0);
            }
            3..=6 => {
                part!(0, 6, 2, 0);
            }
            _ => {
                part!(0, 12, 2, 0);
            }
        }
        return;
    }
    part!(0, 6, 1, 0);
    part!(0, 6, 1, 1);
    if rows > 6 {
        part!(6, 6, 1, 0);
        part!(6, 6, 1, 1);
    }
}

/// For dX: rows of G where they lie, `TILE` of a panel of classes after the other. `g` gives the numbers of a panel from the
/// tile's first row on, `w` has a pair for each class.
#[inline(always)]
fn turned_sums<'g, T: Element, L: Lanes<T>, const FIRST: usize, const R: usize, const V: usize>(
    lanes: L,
    panels: usize,
    g: impl Fn(usize) -> &'g [T],
    w: &[Pair<T, L>],
    at: usize,
) -> [[L::V; V]; R] {
    let width = PANEL * L::N;
    let mut sums = [[lanes.splat(T::zero()); V]; R];
    for (p, w) in (0..panels).zip(w.chunks(width)) {
        let g = g(p);
        assert!(g.len() >= (FIRST + R) * width);
        for (j, w) in w.iter().enumerate() {
            for r in 0..R {
                // SAFETY: j < width, so that the place is below (FIRST + R)·width, which is within `g`, as was asserted.
                let g = lanes.splat(unsafe { *g.get_unchecked((FIRST + r) * width + j) });
                for v in 0..V {
                    sums[r][v] = lanes.mul_add(g, w[at + v], sums[r][v]);
                }
            }
        }
    }
    sums
}

/// As [`product`], of G and turned W.
#[inline(always)]
pub(crate) fn turned_product<'g, T: Element, L: Lanes<T>>(
    lanes: L,
    panels: usize,
    g: impl Fn(usize) -> &'g [T] + Copy,
    w: &[Pair<T, L>],
    mut give: impl FnMut(usize, usize, L::V),
) {
    macro_rules! part {
        ($first:literal, $rows:literal, $vectors:literal, $at:expr) => {
            let sums = turned_sums::<T, L, $first, $rows, $vectors>(lanes, panels, g, w, $at);
            for (r, sums) in sums.into_iter().enumerate() {
                sums.into_iter().enumerate().for_each(|(v, sum)| give($first + r, $at + v, sum));
            }
        };
    }
    if L::REGISTERS >= 32 {
        part!(0, 12, 2, 0);
        return;
    }
    part!(0, 6, 1, 0);
    part!(0, 6, 1, 1);
    part!(6, 6, 1, 0);
    part!(6, 6, 1, 1);
}
