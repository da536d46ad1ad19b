//! Instruction sets, and the functions that are compiled for each.

use super::interleave::{interleave_f32, interleave_f64};
use super::lanes::{Kernel, OnDouble, OnSingle, Portable, VECTOR};
use pulp::{Simd, WithSimd};
use softmax_core::Element;
use softmax_core::half::slice::HalfFloatSliceExt;
use softmax_core::half::{bf16, f16};
use std::fmt;
use std::str::FromStr;

/// An element type that the kernels support: f32 or f64.
pub(crate) trait FusedElement: Element {
    /// Elements per vector.
    const LANES: usize = VECTOR / size_of::<Self>();

    /// Runs a kernel, compiled for the level.
    fn run<K: Kernel<Self>>(level: Level, kernel: K) -> K::Output;

    /// Writes `[a[k], b[k], c[k], d[k]]` to `to[k * pitch..]` for each k.
    fn interleave(rows: [&[Self]; 4], to: &mut [Self], pitch: usize);

    /// Widens f16. The result is exact.
    fn widen_f16(from: &[f16], to: &mut [Self]);
    fn widen_bf16(from: &[bf16], to: &mut [Self]);

    /// Replaces every element by e^x, with an error of at most 2 ulp. Gives exactly 0 for −∞ and wherever the result is
    /// below the subnormals, +∞ on overflow, NaN for NaN.
    fn exp_in_place(values: &mut [Self]);

    /// Replaces every element, none of them negative, by ln(1 + x), with an error of at most 2 ulp. Gives +∞ for +∞ and
    /// NaN for NaN.
    fn ln_1p_in_place(values: &mut [Self]);
}

/// An instruction set that this machine supports.
#[derive(Clone, Copy, Debug)]
pub struct Level(Inner);

#[derive(Clone, Copy, Debug)]
enum Inner {
    /// Portable code. On a processor with fused multiply-add it is compiled with the instructions of AVX2's level, for
    /// that instruction and not for the vectors.
    #[cfg(target_arch = "x86_64")]
    Portable(Option<pulp::x86::V3>),
    #[cfg(not(target_arch = "x86_64"))]
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
}

impl Level {
    /// The widest level that this machine supports.
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::portable())
    }

    /// Portable code: no vector instructions except those that the compiler generates.
    pub fn portable() -> Self {
        #[cfg(target_arch = "x86_64")]
        return Level(Inner::Portable(pulp::x86::V3::try_new()));
        #[cfg(not(target_arch = "x86_64"))]
        Level(Inner::Portable)
    }

    /// All levels that this machine supports, narrowest first.
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut, reason = "not every architecture adds to it")]
        let mut levels = vec![Level::portable()];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(pulp::x86::V3::try_new().map(|simd| Level(Inner::Avx2(simd))));
            levels.extend(pulp::x86::V4::try_new().map(|simd| Level(Inner::Avx512(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        levels.extend(pulp::aarch64::Neon::try_new().map(|simd| Level(Inner::Neon(simd))));
        levels
    }

    /// The level's name: `portable`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Inner::Portable { .. } => "portable",
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(_) => "neon",
        }
    }
}

/// The error of parsing a [`Level`]: the name is not a level, or this machine does not support it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchLevel {
    found: String,
}

impl fmt::Display for NoSuchLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
        write!(f, "expected a level that this machine has, {}, found {}", names.join(" or "), self.found)
    }
}

impl std::error::Error for NoSuchLevel {}

impl FromStr for Level {
    type Err = NoSuchLevel;

    fn from_str(name: &str) -> Result<Self, NoSuchLevel> {
        let level = Level::available().into_iter().find(|level| level.name() == name);
        level.ok_or_else(|| NoSuchLevel { found: name.to_owned() })
    }
}

macro_rules! impl_element {
    ($T:ty, $On:ident, $widen:ident, $interleave:path, $exp:path, $ln_1p:path) => {
        impl FusedElement for $T {
            fn run<K: Kernel<$T>>(level: Level, kernel: K) -> K::Output {
                #[cfg(target_arch = "x86_64")]
                struct Fused<K>(K);
                #[cfg(target_arch = "x86_64")]
                impl<K: Kernel<$T>> WithSimd for Fused<K> {
                    type Output = K::Output;
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, _: S) -> K::Output {
                        self.0.run(Portable::<true>)
                    }
                }
                match level.0 {
                    #[cfg(target_arch = "x86_64")]
                    Inner::Portable(None) => kernel.run(Portable::<false>),
                    #[cfg(target_arch = "x86_64")]
                    Inner::Portable(Some(simd)) => Simd::vectorize(simd, Fused(kernel)),
                    #[cfg(not(target_arch = "x86_64"))]
                    Inner::Portable => kernel.run(Portable::<{ cfg!(target_arch = "aarch64") }>),
                    #[cfg(target_arch = "x86_64")]
                    Inner::Avx2(simd) => Simd::vectorize(simd, $On::<_, 2>(kernel)),
                    #[cfg(target_arch = "x86_64")]
                    Inner::Avx512(simd) => Simd::vectorize(simd, $On::<_, 1>(kernel)),
                    #[cfg(target_arch = "aarch64")]
                    Inner::Neon(simd) => Simd::vectorize(simd, $On::<_, 4>(kernel)),
                }
            }

            #[inline(always)]
            fn interleave(rows: [&[$T]; 4], to: &mut [$T], pitch: usize) {
                $interleave(rows, to, pitch);
            }

            #[inline]
            fn widen_f16(from: &[f16], to: &mut [$T]) {
                from.$widen(to);
            }

            #[inline(always)]
            fn widen_bf16(from: &[bf16], to: &mut [$T]) {
                // A bf16 is the upper half of an f32. As a loop the compiler vectorises it for the level.
                let widened = |from: bf16| f32::from_bits(u32::from(from.to_bits()) << 16);
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = <$T>::from(widened(from)));
            }

            #[inline(always)]
            fn exp_in_place(values: &mut [$T]) {
                $exp(values);
            }

            #[inline(always)]
            fn ln_1p_in_place(values: &mut [$T]) {
                $ln_1p(values);
            }
        }
    };
}

impl_element!(f32, OnSingle, convert_to_f32_slice, interleave_f32, super::exp::exp_f32, super::ln::ln_1p_f32);
impl_element!(f64, OnDouble, convert_to_f64_slice, interleave_f64, super::exp::exp_f64, super::ln::ln_1p_f64);
