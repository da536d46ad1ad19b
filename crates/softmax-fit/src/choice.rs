//! Which solver for which problem.

use crate::error::{FitError, Result};
use crate::solver::Solver;
use softmax::{Element, Problem};

/// Parameters that Newton's method with a matrix takes, whose Hessian has 200 MB; and classes, of which every pair has a block.
const MOST_PARAMETERS: usize = 5000;
const MOST_CLASSES: usize = 200;

/// The solver that is asked for, if it can minimise this; for [`Solver::Auto`] the one that is fastest.
pub(crate) fn choose<T: Element>(asked: Solver, problem: &Problem<'_, T>, has_bias: bool) -> Result<Solver> {
    let parameters = (problem.n_features() + usize::from(has_bias)).saturating_mul(problem.n_classes());
    let refuse = |expected, found: String| Err(FitError::Solver { solver: asked, expected, found });
    match asked {
        Solver::Auto => Ok(Solver::Lbfgs),
        Solver::NewtonCholesky if parameters > MOST_PARAMETERS => {
            refuse("at most 5000 parameters", parameters.to_string())
        }
        Solver::NewtonCholesky if problem.n_classes() > MOST_CLASSES => {
            refuse("at most 200 classes", problem.n_classes().to_string())
        }
        Solver::NewtonCholesky if problem.objective().softcap.is_some() => {
            refuse("a loss that is convex", "a softcap".to_owned())
        }
        other => Ok(other),
    }
}
