//! Inverses and solutions by Cholesky factors.

use faer::linalg::solvers::DenseSolveCore;
use faer::prelude::*;
use faer::{Mat, Side};

/// What is added to the diagonal at first, relative to it, and by how much more each time.
const LEAST_SHIFT: f64 = 1e-10;
const MORE: f64 = 100.0;
const TRIES: usize = 5;

/// The inverse of a symmetric matrix whose lower half is given, with a diagonal above 0. What is not positive definite has its
/// diagonal raised until it is. `None` where that does not help, or an entry is no number.
pub(crate) fn inverse(matrix: Mat<f64>) -> Option<Mat<f64>> {
    factor(matrix).map(|factor| factor.inverse())
}

/// Solves matrix·x = right, in place.
pub(crate) fn solve(matrix: Mat<f64>, right: &mut Mat<f64>) -> Option<()> {
    factor(matrix)?.solve_in_place(right.as_mut());
    Some(())
}

fn factor(mut matrix: Mat<f64>) -> Option<faer::linalg::solvers::Llt<f64>> {
    let mut shift = LEAST_SHIFT;
    let diagonal: Vec<f64> = (0..matrix.nrows()).map(|k| matrix[(k, k)]).collect();
    for _ in 0..TRIES {
        for (k, entry) in diagonal.iter().enumerate() {
            matrix[(k, k)] = entry * (1.0 + shift);
        }
        if let Ok(factor) = matrix.llt(Side::Lower) {
            return Some(factor);
        }
        shift *= MORE;
    }
    None
}
