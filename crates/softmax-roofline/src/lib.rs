//! Measures this machine's peak rates of arithmetic and of memory reads, and derives from them the shortest time in which
//! the softmax loss can be computed: the roofline of Williams, Waterman and Patterson (2009).
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

/// The limits of a number of threads of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Roofline {
    /// How many threads ran at once.
    pub threads: usize,
    /// Multiplications and additions per second in f32, by fused instructions on values in registers.
    pub f32_flops: f64,
    /// The same in f64.
    pub f64_flops: f64,
    /// Bytes per second read from memory.
    pub read_bytes: f64,
}

/// One evaluation of loss and dW, whose floor is requested.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// N.
    pub samples: usize,
    /// D.
    pub features: usize,
    /// C.
    pub classes: usize,
    /// The type of everything.
    pub dtype: Dtype,
    /// Whether dX is requested too.
    pub dx: bool,
}

impl Work {
    /// 4·N·D·C operations for the scores and dW, 6·N·D·C with dX.
    pub fn operations(self) -> f64 {
        let products = if self.dx { 6.0 } else { 4.0 };
        products * self.samples as f64 * self.features as f64 * self.classes as f64
    }

    /// Bytes of X, which must be read once.
    pub fn read_bytes(self) -> f64 {
        let size = match self.dtype {
            Dtype::F32 => 4.0,
            Dtype::F64 => 8.0,
        };
        size * self.samples as f64 * self.features as f64
    }
}

impl Roofline {
    /// Measures with so many threads at once, three times about a tenth of a second per figure, and keeps the best: now
    /// and then a system runs two threads on one processor for as long as a measurement takes.
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

    /// The least time in seconds that the work can take: that of its operations or that of its reads, whichever is
    /// longer.
    pub fn floor_s(&self, work: Work) -> f64 {
        let flops = match work.dtype {
            Dtype::F32 => self.f32_flops,
            Dtype::F64 => self.f64_flops,
        };
        (work.operations() / flops).max(work.read_bytes() / self.read_bytes)
    }
}
