//! How a solver of `softmax fit` went.

use serde::{Deserialize, Serialize};

/// A fit of some data by one solver.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Training {
    /// The data, its size and the penalty, in words.
    pub data: String,
    /// The processor, and how many threads.
    pub machine: String,
    /// The command that gives it.
    pub command: String,
    /// The solver.
    pub solver: String,
    /// Whether the gradient got within the tolerance.
    pub converged: bool,
    /// Its steps, from the start on.
    pub curve: Vec<CurvePoint>,
}

/// Where a solver was after an iteration.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct CurvePoint {
    /// How many iterations it took.
    pub iteration: usize,
    /// How many evaluations of loss and gradient, and products with the Hessian.
    pub evaluations: usize,
    /// The objective.
    pub loss: f64,
    /// The largest |entry| of the gradient.
    pub gradient_max: f64,
    /// Since the solver started.
    pub seconds: f64,
}
