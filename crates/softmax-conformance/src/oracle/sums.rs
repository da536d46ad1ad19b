//! Sums over samples, with their bounds.

use super::bounds::RowBounds;
use super::inputs::Inputs;
use super::real::Real;
use super::row::Row;
use ndarray::Array2;
use rayon::prelude::*;
use softmax_core::ndarray;

/// The results of one sample, with their bounds.
pub(super) type Judged<R> = (Row<R>, RowBounds);

/// Rounding errors beyond those of the additions, in units of u.
pub(super) const FEW_SUMS: f64 = 8.0;

/// Number of terms in a block. A sum over samples is a sum of block sums.
const BLOCK: usize = 256;

/// The rounding error of a sum over `n` samples in units of u·Σ|t|, if it is a sum of blocks of [`BLOCK`] terms. A
/// plain sum in the element type has an error of n units.
pub(super) fn sum_over_samples(n: usize) -> f64 {
    n.min(BLOCK + n.div_ceil(BLOCK)) as f64 + FEW_SUMS
}

/// A sum, with its bound.
#[derive(Clone, Copy)]
pub(super) struct Sum<R> {
    pub(super) value: R,
    /// The sum of the terms' absolute values, and the sum of their bounds.
    pub(super) size: f64,
    pub(super) bound: f64,
}

impl<R: Real> Default for Sum<R> {
    fn default() -> Self {
        Sum { value: R::zero(), size: 0.0, bound: 0.0 }
    }
}

impl<R: Real> Sum<R> {
    pub(super) fn add(&mut self, value: R, bound: f64) {
        self.value = self.value + value;
        self.size += value.value().abs();
        self.bound += bound;
    }
}

/// Xᵀ·G for chosen classes, with bounds.
pub(super) struct Products<R> {
    /// D × the number of chosen classes, row-major.
    pub(super) values: Vec<R>,
    pub(super) bounds: Array2<f64>,
}

impl<R: Real> Products<R> {
    pub(super) fn new(features: usize, classes: usize) -> Self {
        Products { values: vec![R::zero(); features * classes], bounds: Array2::zeros((features, classes)) }
    }

    pub(super) fn accumulate(
        &mut self,
        inputs: &Inputs,
        start: usize,
        block: &[Judged<R>],
        classes: &[usize],
        u: f64,
    ) {
        let (n, _, _) = inputs.dim();
        let chosen: Vec<(usize, Vec<R>, Vec<f64>)> = block
            .iter()
            .enumerate()
            .filter(|(_, (row, _))| !row.gradient.is_empty())
            .map(|(k, (row, bounds))| {
                let gradient: Vec<R> = classes.iter().map(|&c| row.gradient[c]).collect();
                let rounding = |g: &R| sum_over_samples(n) * u * g.value().abs();
                let bounds = classes.iter().zip(&gradient).map(|(&c, g)| bounds.gradient[c] + rounding(g));
                let bounds = bounds.collect();
                (start + k, gradient, bounds)
            })
            .collect();
        let features = self.values.par_chunks_mut(classes.len().max(1));
        let bounds =
            self.bounds.as_slice_mut().expect("made contiguous").par_chunks_mut(classes.len().max(1));
        features.zip(bounds).enumerate().for_each(|(d, (sums, sum_bounds))| {
            for (i, gradient, bounds) in &chosen {
                let x = inputs.features[[*i, d]];
                if inputs.is_none(x) {
                    continue;
                }
                R::add_scaled_reals(sums, x, gradient);
                f64::add_scaled(sum_bounds, x.abs(), bounds);
            }
        });
    }
}
