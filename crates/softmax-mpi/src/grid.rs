//! How ranks are arranged, and what of a problem each has.

use crate::ranks::Wire;
use softmax_core::Problem;
use std::ops::Range;

/// How ranks are arranged: `samples`·`classes` of them. A rank has one part of the samples and one of the classes; those with
/// the same samples are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Parts of the samples.
    pub samples: usize,
    /// Parts of the classes.
    pub classes: usize,
}

/// Which samples and classes the parts have.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    pub(crate) samples: Vec<Range<usize>>,
    pub(crate) classes: Vec<Range<usize>>,
}

/// A rank's part of a problem.
pub(crate) fn part_of<'a, T: Wire>(
    problem: &Problem<'a, T>,
    cut: &Cut,
    (samples, classes): (usize, usize),
) -> Problem<'a, T> {
    problem.rows(cut.samples[samples].clone()).shard(cut.classes[classes].clone())
}
