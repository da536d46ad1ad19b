//! The progress of a solver of `softmax fit`.

use serde::{Deserialize, Serialize};

/// One fit with one solver.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Training {
    /// A description of the data, its size and the penalty.
    pub data: String,
    /// The processor and the number of threads.
    pub machine: String,
    /// The command that reproduces the fit.
    pub command: String,
    /// The solver.
    pub solver: String,
    /// Whether the gradient reached the tolerance.
    pub converged: bool,
    /// The state after each iteration, with the starting point first.
    pub curve: Vec<CurvePoint>,
}

/// The state of a solver after an iteration.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The number of iterations so far.
    pub iteration: usize,
    /// The number of evaluations of loss and gradient and of products with the Hessian so far.
    pub evaluations: usize,
    /// The objective.
    pub loss: f64,
    /// The largest |entry| of the gradient.
    pub gradient_max: f64,
    /// The seconds since the solver started.
    pub seconds: f64,
}
