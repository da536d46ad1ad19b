//! Measures this machine's peak rates of arithmetic and of memory reads, and derives from them the shortest time in
//! which the softmax loss can be computed: the roofline of Williams, Waterman and Patterson (2009).
//!
//! ```
//! use softmax_core::Dtype;
//! use softmax_roofline::{Roofline, Work};
//!
//! let roofline = Roofline { threads: 2, f32_flops: 194e9, f64_flops: 97e9, read_bytes: 35.7e9 };
//! let work = Work { samples: 60_000, features: 784, classes: 10, dtype: Dtype::F32, dx: false };
//! assert!((roofline.floor_s(work) - 0.0097).abs() < 1e-4);
//! ```

#![forbid(unsafe_code)]

mod probe;

use softmax_core::Dtype;

/// The peak rates of this machine with a given number of threads.
#[derive(Clone, Copy, Debug)]
pub struct Roofline {
    /// The number of threads that ran at once.
    pub threads: usize,
    /// Multiplications and additions per second in f32, with fused multiply-add instructions on registers.
    pub f32_flops: f64,
    /// Multiplications and additions per second in f64.
    pub f64_flops: f64,
    /// Bytes read from memory per second.
    pub read_bytes: f64,
}

/// The size of one evaluation of the loss and dW.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// N.
    pub samples: usize,
    /// D.
    pub features: usize,
    /// C.
    pub classes: usize,
    /// The element type of all arrays.
    pub dtype: Dtype,
    /// Whether dX is also computed.
    pub dx: bool,
}

impl Work {
    /// The number of operations: 4·N·D·C for the scores and dW, 6·N·D·C with dX.
    pub fn operations(self) -> f64 {
        let products = if self.dx { 6.0 } else { 4.0 };
        products * self.samples as f64 * self.features as f64 * self.classes as f64
    }

    /// The size of X in bytes. X must be read at least once.
    pub fn read_bytes(self) -> f64 {
        let size = match self.dtype {
            Dtype::F32 => 4.0,
            Dtype::F64 => 8.0,
        };
        size * self.samples as f64 * self.features as f64
    }
}

impl Roofline {
    /// Measures with `threads` threads at once. Each rate is the best of three measurements of about a tenth of a
    /// second, because a system sometimes runs two threads on one processor for a whole measurement.
    pub fn measure(threads: usize) -> Self {
        const TIMES: usize = 3;
        let threads = threads.max(1);
        let best = |probe: fn(usize) -> f64| (0..TIMES).map(|_| probe(threads)).fold(0.0, f64::max);
        Roofline {
            threads,
            f32_flops: best(probe::flops::<f32>),
            f64_flops: best(probe::flops::<f64>),
            read_bytes: best(probe::read_bytes),
        }
    }

    /// The shortest time in seconds that the work can take: the time for its operations or for its reads, whichever is
    /// longer.
    pub fn floor_s(&self, work: Work) -> f64 {
        let flops = match work.dtype {
            Dtype::F32 => self.f32_flops,
            Dtype::F64 => self.f64_flops,
        };
        (work.operations() / flops).max(work.read_bytes() / self.read_bytes)
    }
}
