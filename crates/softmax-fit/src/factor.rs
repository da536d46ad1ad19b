//! Inverses and solutions by Cholesky factors.

use faer::linalg::solvers::DenseSolveCore;
use faer::prelude::*;
use faer::{Mat, Side};

/// The first shift of the diagonal, relative to its entries.
const LEAST_SHIFT: f64 = 1e-10;
/// The factor between the shifts of two tries.
const MORE: f64 = 100.0;
const TRIES: usize = 5;

/// The inverse of a symmetric matrix with a positive diagonal, given by its lower half. The diagonal is first raised
/// by a fraction of 1e-10, and further while the matrix is not positive definite. `None` if no shift helps or an
/// entry is NaN.
pub(crate) fn inverse(matrix: Mat<f64>) -> Option<Mat<f64>> {
    factor(matrix).map(|factor| factor.inverse())
}

/// Solves matrix·x = right in place, with a matrix as for [`inverse`].
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
