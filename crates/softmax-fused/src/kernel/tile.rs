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
use super::lanes::{Kernel, Lanes};
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

/// Rows of the left factor of a tile's product, of which each step takes one number.
pub(crate) trait Rows<T>: Copy {
    /// The sums of the `R` rows from `FIRST` on and the `V` vectors from `at` on. The first part of a tile prefetches for
    /// all of them.
    fn sums<L: Lanes<T>, const FIRST: usize, const R: usize, const V: usize>(
        self,
        lanes: L,
        w: &[Pair<T, L>],
        at: usize,
        ahead: Ahead,
    ) -> [[L::V; V]; R];
}

/// Rows stored number by number: those of one step are together.
impl<T: Element> Rows<T> for &[[T; TILE]] {
    #[inline(always)]
    fn sums<L: Lanes<T>, const FIRST: usize, const R: usize, const V: usize>(
        self,
        lanes: L,
        w: &[Pair<T, L>],
        at: usize,
        ahead: Ahead,
    ) -> [[L::V; V]; R] {
        let mut sums = [[lanes.splat(T::zero()); V]; R];
        for (k, (x, w)) in self.iter().zip(w).enumerate() {
            if FIRST + at == 0 {
                ahead.prefetch_later(k * STEP);
            }
            for r in 0..R {
                let x = lanes.splat(x[FIRST + r]);
                for v in 0..V {
                    sums[r][v] = lanes.mul_add(x, w[at + v], sums[r][v]);
                }
            }
        }
        sums
    }
}

/// Rows stored by squares: [`TILE`] numbers of each row, row after row, then the next square `pitch` numbers later. So dW
/// reads packed X.
#[derive(Clone, Copy)]
pub(crate) struct Squares<'x, T> {
    pub(crate) numbers: &'x [T],
    pub(crate) pitch: usize,
}

/// Rows stored by panels: [`PANEL`] vectors of each row, row after row, then the next panel `pitch` numbers later. So dX
/// reads G.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'x, T> {
    pub(crate) numbers: &'x [T],
    pub(crate) pitch: usize,
}

macro_rules! impl_rows {
    ($Rows:ident, $length:expr) => {
        impl<T: Element> Rows<T> for $Rows<'_, T> {
            #[inline(always)]
            fn sums<L: Lanes<T>, const FIRST: usize, const R: usize, const V: usize>(
                self,
                lanes: L,
                w: &[Pair<T, L>],
                at: usize,
                ahead: Ahead,
            ) -> [[L::V; V]; R] {
                // A constant, so that the distances between the rows are part of the instructions.
                let length = $length;
                let mut sums = [[lanes.splat(T::zero()); V]; R];
                for (piece, w) in w.chunks(length).enumerate() {
                    let x = &self.numbers[piece * self.pitch..];
                    assert!(x.len() >= (FIRST + R) * length);
                    let next = Ahead::of(x).on(self.pitch * size_of::<T>());
                    for (k, w) in w.iter().enumerate() {
                        if FIRST + at == 0 {
                            ahead.prefetch_later((piece * length + k) * STEP);
                            // Prefetches the next piece, one line per 48 bytes: the share of one step in f32, half of it
                            // in f64.
                            for part in 0..size_of::<T>() / 4 {
                                next.prefetch((k * (size_of::<T>() / 4) + part) * (TILE * 4));
                            }
                        }
                        for r in 0..R {
                            // SAFETY: k < length, so the index is below (FIRST + R)·length, which is within `x`, as asserted
                            // above.
                            let x = lanes.splat(unsafe { *x.get_unchecked((FIRST + r) * length + k) });
                            for v in 0..V {
                                sums[r][v] = lanes.mul_add(x, w[at + v], sums[r][v]);
                            }
                        }
                    }
                }
                sums
            }
        }
    };
}

impl_rows!(Squares, TILE);
impl_rows!(Panels, PANEL * L::N);

/// Which rows and vectors of a tile are needed at least, and what to prefetch while the sums are computed.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    pub(crate) rows: usize,
    pub(crate) vectors: usize,
    pub(crate) ahead: Ahead,
}

/// Where the sums of a tile go, row after row, and whether they are added to what is there.
pub(crate) struct Destination<'o, T> {
    pub(crate) out: &'o mut [T],
    pub(crate) adds: bool,
}

/// The product of a tile.
struct Product<'t, X, T> {
    x: X,
    w: &'t [T],
    want: Want,
    to: Destination<'t, T>,
}

impl<X: Rows<T>, T: Element> Kernel<T> for Product<'_, X, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Product { x, w, want: Want { rows, vectors, ahead }, to: Destination { out, adds } } = self;
        let (w, out) = (pairs::<T, L>(w), pairs_mut::<T, L>(out));
        // A part of the tile that fits the registers: its first row, rows, vectors and first vector.
        macro_rules! part {
            ($first:literal, $rows:literal, $vectors:literal, $at:literal) => {{
                let sums = x.sums::<L, $first, $rows, $vectors>(lanes, w, $at, ahead);
                for (out, sums) in out[$first..].iter_mut().zip(sums) {
                    for (out, sum) in out[$at..].iter_mut().zip(sums) {
                        *out = if adds { lanes.add(*out, sum) } else { sum };
                    }
                }
            }};
        }
        if L::REGISTERS >= 32 {
            match (rows, vectors) {
                (0..=2, _) => part!(0, 2, 2, 0),
                (3..=6, _) => part!(0, 6, 2, 0),
                (_, 0..=1) => part!(0, 12, 1, 0),
                _ => part!(0, 12, 2, 0),
            }
            return;
        }
        part!(0, 6, 1, 0);
        if vectors > 1 {
            part!(0, 6, 1, 1);
        }
        if rows > 6 {
            part!(6, 6, 1, 0);
            if vectors > 1 {
                part!(6, 6, 1, 1);
            }
        }
    }
}

/// Computes the product of a tile: `x` has its rows, and `w` is the panel, with as many rows as there are steps.
#[inline(always)]
pub(crate) fn product<T: Element, L: Lanes<T>>(
    lanes: L,
    x: impl Rows<T>,
    w: &[T],
    want: Want,
    to: Destination<'_, T>,
) {
    lanes.apart(Product { x, w, want, to });
}
