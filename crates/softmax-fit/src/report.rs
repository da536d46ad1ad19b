use crate::solver::Solver;
use std::fmt;

/// The state of a solver after an iteration, or at its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The number of iterations so far.
    pub iteration: usize,
    /// The number of evaluations of loss and gradient and of products with the Hessian so far.
    pub evaluations: usize,
    /// The objective, formula (7).
    pub loss: f64,
    /// The largest |entry| of dW and db.
    pub gradient_max: f64,
    /// Seconds since the solver started.
    pub seconds: f64,
}

/// Why a solver stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The gradient is within the tolerance.
    Converged,
    /// The limit of iterations is reached.
    Iterations,
    /// No step lowers the loss by more than rounding does.
    Rounding,
    /// The observer stopped the solver.
    Interrupted,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Converged => "the gradient is within the tolerance",
            Stop::Iterations => "the limit of iterations is reached",
            Stop::Rounding => "no step lowers the loss by more than rounding does",
            Stop::Interrupted => "interrupted",
        })
    }
}

/// The report of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The solver; never [`Solver::Auto`].
    pub solver: Solver,
    /// Why it stopped.
    pub stop: Stop,
    /// The steps, beginning with the start; at least one.
    pub curve: Vec<Step>,
    /// The total time in seconds, including the solver's preparation.
    pub seconds: f64,
}

impl Report {
    /// The last step.
    pub fn last(&self) -> Step {
        self.curve.last().copied().expect("a step for the start")
    }

    /// Whether the gradient is within the tolerance.
    pub fn converged(&self) -> bool {
        self.stop == Stop::Converged
    }
}
