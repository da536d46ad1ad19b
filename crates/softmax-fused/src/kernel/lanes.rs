//! Vectors of either element type on any instruction set, over `pulp`: one kernel source for all.

use pulp::{Scalar, Simd, WithSimd};
use softmax_core::Element;

/// Vector operations for elements `T` on one instruction set.
pub(crate) trait Lanes<T>: Copy {
    type V: Copy;
    /// Elements per vector.
    const N: usize;

    fn splat(self, x: T) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger ones. Where there is a NaN, either.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, fused where the instruction set can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of the elements, in a fixed order.
    fn sum(self, a: Self::V) -> T;
    /// The largest element. Where there is a NaN, any.
    fn largest(self, a: Self::V) -> T;
    /// A slice no longer than a vector, and zeros.
    fn load_part(self, slice: &[T]) -> Self::V;
    /// A slice as whole vectors, and what is left.
    fn split(slice: &[T]) -> (&[Self::V], &[T]);
    fn split_mut(slice: &mut [T]) -> (&mut [Self::V], &mut [T]);
}

/// Lanes of f32 on `S`.
#[derive(Clone, Copy)]
pub(crate) struct Single<S>(S);

/// Lanes of f64 on `S`.
#[derive(Clone, Copy)]
pub(crate) struct Double<S>(S);

impl<S: Simd> Lanes<f32> for Single<S> {
    type V = S::f32s;
    const N: usize = S::F32_LANES;

    #[inline(always)]
    fn splat(self, x: f32) -> S::f32s {
        self.0.splat_f32s(x)
    }
    #[inline(always)]
    fn add(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.add_f32s(a, b)
    }
    #[inline(always)]
    fn sub(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.sub_f32s(a, b)
    }
    #[inline(always)]
    fn mul(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.mul_f32s(a, b)
    }
    #[inline(always)]
    fn max(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.max_f32s(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        self.0.mul_add_e_f32s(a, b, c)
    }
    #[inline(always)]
    fn sum(self, a: S::f32s) -> f32 {
        self.0.reduce_sum_f32s(a)
    }
    #[inline(always)]
    fn largest(self, a: S::f32s) -> f32 {
        self.0.reduce_max_f32s(a)
    }
    #[inline(always)]
    fn load_part(self, slice: &[f32]) -> S::f32s {
        self.0.partial_load_f32s(slice)
    }
    #[inline(always)]
    fn split(slice: &[f32]) -> (&[S::f32s], &[f32]) {
        S::as_simd_f32s(slice)
    }
    #[inline(always)]
    fn split_mut(slice: &mut [f32]) -> (&mut [S::f32s], &mut [f32]) {
        S::as_mut_simd_f32s(slice)
    }
}

impl<S: Simd> Lanes<f64> for Double<S> {
    type V = S::f64s;
    const N: usize = S::F64_LANES;

    #[inline(always)]
    fn splat(self, x: f64) -> S::f64s {
        self.0.splat_f64s(x)
    }
    #[inline(always)]
    fn add(self, a: S::f64s, b: S::f64s) -> S::f64s {
        self.0.add_f64s(a, b)
    }
    #[inline(always)]
    fn sub(self, a: S::f64s, b: S::f64s) -> S::f64s {
        self.0.sub_f64s(a, b)
    }
    #[inline(always)]
    fn mul(self, a: S::f64s, b: S::f64s) -> S::f64s {
        self.0.mul_f64s(a, b)
    }
    #[inline(always)]
    fn max(self, a: S::f64s, b: S::f64s) -> S::f64s {
        self.0.max_f64s(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        self.0.mul_add_e_f64s(a, b, c)
    }
    #[inline(always)]
    fn sum(self, a: S::f64s) -> f64 {
        self.0.reduce_sum_f64s(a)
    }
    #[inline(always)]
    fn largest(self, a: S::f64s) -> f64 {
        self.0.reduce_max_f64s(a)
    }
    #[inline(always)]
    fn load_part(self, slice: &[f64]) -> S::f64s {
        self.0.partial_load_f64s(slice)
    }
    #[inline(always)]
    fn split(slice: &[f64]) -> (&[S::f64s], &[f64]) {
        S::as_simd_f64s(slice)
    }
    #[inline(always)]
    fn split_mut(slice: &mut [f64]) -> (&mut [S::f64s], &mut [f64]) {
        S::as_mut_simd_f64s(slice)
    }
}

/// Work that is compiled once per instruction set.
pub(crate) trait Kernel<T> {
    type Output;
    fn run<L: Lanes<T>>(self, lanes: L) -> Self::Output;
}

/// An element type that kernels run on.
pub(crate) trait FusedElement: Element {
    /// Elements per vector at this level.
    fn lanes(level: Level) -> usize;

    /// Runs a kernel compiled for this level.
    fn run<K: Kernel<Self>>(level: Level, kernel: K) -> K::Output;

    /// e^x of every element: at most 2 ulp off; exactly 0 at −∞ and wherever the result is below the
    /// subnormals, +∞ past the largest number, NaN for NaN.
    fn exp_in_place(values: &mut [Self]);

    /// ln(1 + x) of every element, none of them negative: at most 2 ulp off; +∞ for +∞, NaN for NaN.
    fn ln_1p_in_place(values: &mut [Self]);
}

struct OnSingle<K>(K);

impl<K: Kernel<f32>> WithSimd for OnSingle<K> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> K::Output {
        self.0.run(Single(simd))
    }
}

struct OnDouble<K>(K);

impl<K: Kernel<f64>> WithSimd for OnDouble<K> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> K::Output {
        self.0.run(Double(simd))
    }
}

impl FusedElement for f32 {
    fn lanes(level: Level) -> usize {
        (level.0.bytes() / 4).max(1)
    }

    fn run<K: Kernel<f32>>(level: Level, kernel: K) -> K::Output {
        level.vectorize(OnSingle(kernel))
    }

    #[inline(always)]
    fn exp_in_place(values: &mut [f32]) {
        super::exp::exp_f32(values);
    }

    #[inline(always)]
    fn ln_1p_in_place(values: &mut [f32]) {
        super::ln::ln_1p_f32(values);
    }
}

impl FusedElement for f64 {
    fn lanes(level: Level) -> usize {
        (level.0.bytes() / 8).max(1)
    }

    fn run<K: Kernel<f64>>(level: Level, kernel: K) -> K::Output {
        level.vectorize(OnDouble(kernel))
    }

    #[inline(always)]
    fn exp_in_place(values: &mut [f64]) {
        super::exp::exp_f64(values);
    }

    #[inline(always)]
    fn ln_1p_in_place(values: &mut [f64]) {
        super::ln::ln_1p_f64(values);
    }
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug)]
pub struct Level(Inner);

#[derive(Clone, Copy, Debug)]
enum Inner {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
}

impl Inner {
    /// Bytes per vector; one element for the scalar level.
    fn bytes(self) -> usize {
        match self {
            Inner::Scalar => 0,
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(_) => 32,
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(_) => 64,
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(_) => 16,
        }
    }
}

impl Level {
    /// The widest that this machine has.
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::scalar())
    }

    /// No vector instructions.
    pub fn scalar() -> Self {
        Level(Inner::Scalar)
    }

    /// All that this machine has, the narrowest first.
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut, reason = "not every architecture adds to it")]
        let mut levels = vec![Level::scalar()];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(pulp::x86::V3::try_new().map(|simd| Level(Inner::Avx2(simd))));
            levels.extend(pulp::x86::V4::try_new().map(|simd| Level(Inner::Avx512(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        levels.extend(pulp::aarch64::Neon::try_new().map(|simd| Level(Inner::Neon(simd))));
        levels
    }

    /// `scalar`, `avx2+fma`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Inner::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(_) => "avx2+fma",
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(_) => "neon",
        }
    }

    fn vectorize<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self.0 {
            Inner::Scalar => Simd::vectorize(Scalar, op),
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(simd) => Simd::vectorize(simd, op),
        }
    }
}
