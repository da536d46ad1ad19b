//! A problem whose features and weights are arrays of the element type: what the kernels compute with.

use softmax_core::ndarray::ArrayView2;
use softmax_core::{Element, Problem, Result};

#[derive(Clone, Copy)]
pub(crate) struct DenseProblem<'p, T> {
    features: ArrayView2<'p, T>,
    weights: ArrayView2<'p, T>,
}

impl<'p, T: Element> DenseProblem<'p, T> {
    /// # Errors
    /// [`Error::Unsupported`](softmax_core::Error::Unsupported) where features or weights are stored otherwise.
    pub(crate) fn new(problem: &Problem<'p, T>) -> Result<Self> {
        Ok(DenseProblem {
            features: problem.features().dense("fused")?,
            weights: problem.weights().dense("fused")?,
        })
    }

    /// X (N×D).
    pub(crate) fn features(&self) -> ArrayView2<'p, T> {
        self.features
    }

    /// W (D×C).
    pub(crate) fn weights(&self) -> ArrayView2<'p, T> {
        self.weights
    }

    pub(crate) fn n_samples(&self) -> usize {
        self.features.nrows()
    }

    pub(crate) fn n_features(&self) -> usize {
        self.features.ncols()
    }

    pub(crate) fn n_classes(&self) -> usize {
        self.weights.ncols()
    }
}
