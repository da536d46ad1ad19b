//! Shapes of the benchmarks' problems.

#![forbid(unsafe_code)]

/// N, D and C of a problem.
pub type Shape = (usize, usize, usize);

/// From a small data set to a thousand classes.
pub const SHAPES: [Shape; 3] = [(1797, 64, 10), (500, 3073, 10), (256, 512, 1000)];

/// Few classes, with data sets that fit in cache and that do not, and vocabularies.
pub const FUSED_SHAPES: [Shape; 7] = [
    (500, 3073, 10),
    (60_000, 784, 10),
    (50_000, 3073, 10),
    (1797, 64, 10),
    (1024, 2048, 1000),
    (1024, 1024, 32_768),
    (4096, 512, 65_536),
];

/// Few classes and a vocabulary, for the cost of row facts.
pub const FACTS_SHAPES: [Shape; 2] = [(60_000, 784, 10), (1024, 1024, 32_768)];

/// A classifier's head and a vocabulary, for the cost of two passes.
pub const PASSES_SHAPES: [Shape; 2] = [(1024, 2048, 1000), (1024, 1024, 32_768)];

/// Few classes and a classifier's head, for the cost of H·V.
pub const HESSIAN_SHAPES: [Shape; 3] = [(1797, 64, 10), (20_000, 784, 10), (1024, 2048, 1000)];
