//! Vectors of 64 bytes, of f32 or f64, on any instruction set, on top of `pulp`: one kernel source for all.
//!
//! 64 bytes are one register of AVX-512, two of AVX2 and four of NEON. All layouts and sums use this unit. So every
//! level does the same operations on the same elements in the same order, and gives the same bits.

use pulp::{Simd, WithSimd};

/// Bytes of a vector.
pub(crate) const VECTOR: usize = 64;

/// Vector operations for elements `T` on one instruction set.
pub(crate) trait Lanes<T>: Copy {
    type V: Copy;
    /// Elements per vector.
    const N: usize = VECTOR / size_of::<T>();
    /// Number of 64-byte vectors that fit the registers.
    const REGISTERS: usize;

    fn splat(self, x: T) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each pair of elements. If one is NaN, either of the two.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, rounded once if the instruction set has fused multiply-add.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of the elements, by halves: adds the second half to the first until one element is left.
    fn sum(self, a: Self::V) -> T;
    /// The largest element. If one is NaN, any element.
    fn largest(self, a: Self::V) -> T;
    /// Loads a slice of at most one vector, followed by zeros.
    fn load_part(self, slice: &[T]) -> Self::V;
    /// Splits a slice into whole vectors and the rest.
    fn split(slice: &[T]) -> (&[Self::V], &[T]);
    fn split_mut(slice: &mut [T]) -> (&mut [Self::V], &mut [T]);
    /// Runs a kernel that is compiled as a function of its own, so that its use of registers does not depend on the
    /// code around the call.
    fn apart<K: Kernel<T>>(self, kernel: K) -> K::Output;
}

/// Work that is compiled once per instruction set.
pub(crate) trait Kernel<T> {
    type Output;
    fn run<L: Lanes<T>>(self, lanes: L) -> Self::Output;
}

/// Lanes of f32 on `S`: `K` registers of `S` make 64 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Single<S, const K: usize>(pub(super) S);

/// Lanes of f64 on `S`: `K` registers of `S` make 64 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Double<S, const K: usize>(pub(super) S);

/// Runs a kernel on lanes of f32, `K` registers each.
pub(super) struct OnSingle<W, const K: usize>(pub(super) W);

/// Runs a kernel on lanes of f64, `K` registers each.
pub(super) struct OnDouble<W, const K: usize>(pub(super) W);

macro_rules! impl_lanes {
    ($Lanes:ident, $On:ident, $T:ty, $V:ident, $LANES:ident, $as_simd:ident, $as_mut_simd:ident,
     $splat:ident, $add:ident, $sub:ident, $mul:ident, $max:ident, $mul_add:ident,
     $sum:ident, $largest:ident, $load_part:ident) => {
        impl<W: Kernel<$T>, const K: usize> WithSimd for $On<W, K> {
            type Output = W::Output;
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) -> W::Output {
                self.0.run($Lanes::<S, K>(simd))
            }
        }

        impl<S: Simd, const K: usize> Lanes<$T> for $Lanes<S, K> {
            type V = [S::$V; K];
            // AVX-512 and NEON have 32 registers, AVX2 has 16.
            const REGISTERS: usize = if K == 2 { 8 } else { 32 / K };

            #[inline(always)]
            fn splat(self, x: $T) -> Self::V {
                [self.0.$splat(x); K]
            }
            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| self.0.$add(a[k], b[k]))
            }
            #[inline(always)]
            fn sub(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| self.0.$sub(a[k], b[k]))
            }
            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| self.0.$mul(a[k], b[k]))
            }
            #[inline(always)]
            fn max(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| self.0.$max(a[k], b[k]))
            }
            #[inline(always)]
            fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                std::array::from_fn(|k| self.0.$mul_add(a[k], b[k], c[k]))
            }
            #[inline(always)]
            fn sum(self, mut a: Self::V) -> $T {
                let mut count = K;
                while count > 1 {
                    count /= 2;
                    (0..count).for_each(|k| a[k] = self.0.$add(a[k], a[k + count]));
                }
                // `pulp` also adds by halves on every instruction set; a test below checks this.
                self.0.$sum(a[0])
            }
            #[inline(always)]
            fn largest(self, a: Self::V) -> $T {
                let first = a[0];
                self.0.$largest(a.into_iter().fold(first, |max, v| self.0.$max(max, v)))
            }
            #[inline(always)]
            fn load_part(self, slice: &[$T]) -> Self::V {
                let lanes = S::$LANES;
                std::array::from_fn(|k| {
                    let from = (k * lanes).min(slice.len());
                    self.0.$load_part(&slice[from..slice.len().min(from + lanes)])
                })
            }
            #[inline(always)]
            fn split(slice: &[$T]) -> (&[Self::V], &[$T]) {
                let (whole, rest) = slice.split_at(slice.len() / Self::N * Self::N);
                (S::$as_simd(whole).0.as_chunks().0, rest)
            }
            #[inline(always)]
            fn split_mut(slice: &mut [$T]) -> (&mut [Self::V], &mut [$T]) {
                let (whole, rest) = slice.split_at_mut(slice.len() / Self::N * Self::N);
                (S::$as_mut_simd(whole).0.as_chunks_mut().0, rest)
            }
            // This function is compiled for no level, so the level's, which it calls, is not inlined into it.
            #[inline(never)]
            fn apart<W: Kernel<$T>>(self, kernel: W) -> W::Output {
                self.0.vectorize($On::<W, K>(kernel))
            }
        }
    };
}

impl_lanes!(
    Single,
    OnSingle,
    f32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    max_f32s,
    mul_add_e_f32s,
    reduce_sum_f32s,
    reduce_max_f32s,
    partial_load_f32s
);
impl_lanes!(
    Double,
    OnDouble,
    f64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    max_f64s,
    mul_add_e_f64s,
    reduce_sum_f64s,
    reduce_max_f64s,
    partial_load_f64s
);

/// Lanes without explicit vector instructions; the compiler may vectorise them. `FUSED`: whether a·b + c is rounded
/// once.
#[derive(Clone, Copy)]
pub(crate) struct Portable<const FUSED: bool>;

macro_rules! impl_portable {
    ($($T:ty),*) => {$(
        impl<const FUSED: bool> Lanes<$T> for Portable<FUSED> {
            type V = [$T; VECTOR / size_of::<$T>()];
            // SSE2's 16 of 16 bytes.
            const REGISTERS: usize = 4;

            #[inline(always)]
            fn splat(self, x: $T) -> Self::V {
                [x; VECTOR / size_of::<$T>()]
            }
            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| a[k] + b[k])
            }
            #[inline(always)]
            fn sub(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| a[k] - b[k])
            }
            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| a[k] * b[k])
            }
            #[inline(always)]
            fn max(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| if a[k] > b[k] { a[k] } else { b[k] })
            }
            #[inline(always)]
            fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                std::array::from_fn(|k| if FUSED { a[k].mul_add(b[k], c[k]) } else { a[k] * b[k] + c[k] })
            }
            #[inline(always)]
            fn sum(self, mut a: Self::V) -> $T {
                let mut count = a.len();
                while count > 1 {
                    count /= 2;
                    (0..count).for_each(|k| a[k] += a[k + count]);
                }
                a[0]
            }
            #[inline(always)]
            fn largest(self, mut a: Self::V) -> $T {
                let mut count = a.len();
                while count > 1 {
                    count /= 2;
                    (0..count).for_each(|k| a[k] = if a[k] > a[k + count] { a[k] } else { a[k + count] });
                }
                a[0]
            }
            #[inline(always)]
            fn load_part(self, slice: &[$T]) -> Self::V {
                let mut whole = [0.0; VECTOR / size_of::<$T>()];
                whole.iter_mut().zip(slice).for_each(|(to, &from)| *to = from);
                whole
            }
            #[inline(always)]
            fn split(slice: &[$T]) -> (&[Self::V], &[$T]) {
                slice.as_chunks()
            }
            #[inline(always)]
            fn split_mut(slice: &mut [$T]) -> (&mut [Self::V], &mut [$T]) {
                slice.as_chunks_mut()
            }
            // Inlined, since nothing here says for which instructions the caller is compiled.
            #[inline(always)]
            fn apart<K: Kernel<$T>>(self, kernel: K) -> K::Output {
                kernel.run(self)
            }
        }
    )*};
}

impl_portable!(f32, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::level::{FusedElement, Level};

    /// Collects the bits of every operation, for numbers of all sizes.
    struct Everything<'n, T>(&'n [T]);

    impl<T: FusedElement> Kernel<T> for Everything<'_, T> {
        type Output = Vec<u64>;

        #[inline(always)]
        fn run<L: Lanes<T>>(self, lanes: L) -> Vec<u64> {
            let (vectors, rest) = L::split(self.0);
            let mut found = vec![lanes.load_part(rest)];
            for abc in vectors.windows(3) {
                let [a, b, c] = [abc[0], abc[1], abc[2]];
                found.extend([lanes.add(a, b), lanes.sub(a, b), lanes.mul(a, b), lanes.max(a, b)]);
                found.extend([
                    lanes.mul_add(a, b, c),
                    lanes.splat(lanes.sum(a)),
                    lanes.splat(lanes.largest(a)),
                ]);
            }
            let mut flat = vec![T::zero(); found.len() * L::N];
            L::split_mut(&mut flat).0.copy_from_slice(&found);
            flat.iter().map(|x| x.widen().to_bits()).collect()
        }
    }

    fn numbers<T: FusedElement>() -> Vec<T> {
        let number = |k: i32| f64::from(k * 7919 % 1009 - 504) / 100.0 * 2f64.powi(k % 40 - 20);
        (0..16 * 20 + 5).map(|k| T::narrow(number(k))).collect()
    }

    fn every_level_agrees<T: FusedElement>() {
        let numbers = numbers::<T>();
        let portable = T::run(Level::portable(), Everything(&numbers));
        for level in Level::available() {
            assert!(T::run(level, Everything(&numbers)) == portable, "{}", level.name());
        }
    }

    /// Needs a processor with fused multiply-add: without it the portable level rounds twice.
    #[test]
    fn every_level_gives_the_same_bits() {
        every_level_agrees::<f32>();
        every_level_agrees::<f64>();
    }
}
