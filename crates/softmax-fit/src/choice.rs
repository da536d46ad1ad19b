//! Which solver for which problem.

use crate::error::{FitError, Result};
use crate::solver::Solver;
use softmax::{Dtype, Element, Problem};

/// Parameters that Newton's method with a matrix takes, whose Hessian has 200 MB; and classes, of which every pair has a block.
const MOST_PARAMETERS: usize = 5000;
const MOST_CLASSES: usize = 200;

/// Multiply-adds of a Hessian up to which Newton's method takes less than some milliseconds in all, as L-BFGS does, and
/// gives a minimum with more digits: from 15×30×3 to 150×4×3 (the irises) the two took 0.2 to 1.4 ms. On the digits, with 1000 times
/// as many, L-BFGS is 30 times faster.
const LITTLE_WORK: usize = 500_000;

/// The solver that is requested, if it can minimise this; for [`Solver::Auto`] the one that is fastest, and of two that take no
/// time the more exact one.
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
