use crate::solver::Solver;
use std::fmt;

/// Where a solver was after an iteration; the first is where it started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How many iterations it took.
    pub iteration: usize,
    /// How many evaluations of loss and gradient, and products with the Hessian.
    pub evaluations: usize,
    /// The objective, formula (7).
    pub loss: f64,
    /// The largest |entry| of dW and db.
    pub gradient_max: f64,
    /// Since the solver started.
    pub seconds: f64,
}

/// Why a solver stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The gradient is within the tolerance.
    Converged,
    /// It took as many iterations as it may.
    Iterations,
    /// No step lowers the loss by more than rounding does.
    Rounding,
    /// The observer asked for an end.
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

/// How a fit went.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The solver; never [`Solver::Auto`].
    pub solver: Solver,
    /// Why it stopped.
    pub stop: Stop,
    /// Its steps, from the start on: at least one.
    pub curve: Vec<Step>,
    /// All of the time, with what the solver prepares.
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
