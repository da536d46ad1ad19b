//! The choice of the solver.

use crate::error::{FitError, Result};
use crate::solver::Solver;
use softmax::{Dtype, Element, Problem};

/// The most parameters for Newton's method with a matrix; the Hessian then has 200 MB.
const MOST_PARAMETERS: usize = 5000;
/// The most classes for Newton's method with a matrix: the Hessian has a block for each pair of classes.
const MOST_CLASSES: usize = 200;

/// The most multiply-adds of a Hessian for which [`Solver::Auto`] takes Newton's method. Up to here it takes at most
/// a few milliseconds, as L-BFGS does, and its minimum has more digits: from 15×30×3 to 150×4×3 (the irises) both
/// took 0.2 to 1.4 ms. On the digits, with 1000 times as many multiply-adds, L-BFGS is 30 times faster.
const LITTLE_WORK: usize = 500_000;

/// The requested solver, if it can minimise the problem. For [`Solver::Auto`], the fastest one; for very small
/// problems, the most exact one.
pub(crate) fn choose<T: Element>(asked: Solver, problem: &Problem<'_, T>, has_bias: bool) -> Result<Solver> {
    let parameters = (problem.n_features() + usize::from(has_bias)).saturating_mul(problem.n_classes());
    let refuse = |expected, found: String| Err(FitError::Solver { solver: asked, expected, found });
    let work = parameters.saturating_mul(parameters).saturating_mul(problem.n_samples());
    let is_convex = problem.objective().softcap.is_none();
    match asked {
        Solver::Auto if T::DTYPE == Dtype::F64 && work <= LITTLE_WORK && is_convex => {
            Ok(Solver::NewtonCholesky)
        }
        Solver::Auto => Ok(Solver::Lbfgs),
        Solver::NewtonCholesky if parameters > MOST_PARAMETERS => {
            refuse("at most 5000 parameters", parameters.to_string())
        }
        Solver::NewtonCholesky if problem.n_classes() > MOST_CLASSES => {
            refuse("at most 200 classes", problem.n_classes().to_string())
        }
        Solver::NewtonCholesky if !is_convex => refuse("a loss that is convex", "a softcap".to_owned()),
        other => Ok(other),
    }
}
