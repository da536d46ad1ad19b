//! Shapes for the benchmarks.

#![forbid(unsafe_code)]

/// N, D, C of a benchmark.
pub type Shape = (usize, usize, usize);

/// From a small data set to a thousand classes.
pub const SHAPES: [Shape; 3] = [(1797, 64, 10), (500, 3073, 10), (256, 512, 1000)];
