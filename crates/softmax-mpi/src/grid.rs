//! The arrangement of ranks in a grid, and each rank's part of a problem.

use crate::ranks::Wire;
use softmax_core::Problem;
use std::ops::Range;

/// A grid of `samples`·`classes` ranks. Each rank has one part of the samples and one part of the classes. Ranks with
/// the same samples are consecutive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The number of parts of the samples.
    pub samples: usize,
    /// The number of parts of the classes.
    pub classes: usize,
}

/// The ranges of samples and of classes of the parts.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    pub(crate) samples: Vec<Range<usize>>,
    pub(crate) classes: Vec<Range<usize>>,
}

/// The part of a problem with the given indices of samples and classes.
pub(crate) fn part_of<'a, T: Wire>(
    problem: &Problem<'a, T>,
    cut: &Cut,
    (samples, classes): (usize, usize),
) -> Problem<'a, T> {
    problem.rows(cut.samples[samples].clone()).shard(cut.classes[classes].clone())
}
