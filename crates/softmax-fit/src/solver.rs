use softmax::names;

/// The method that minimises the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Solver {
    /// The solver that was fastest in measurements on problems of this size.
    #[default]
    Auto,
    /// Limited-memory BFGS: needs only loss and gradient, for any problem and any backend.
    Lbfgs,
    /// Newton's method by conjugate gradients: needs a backend with products with the Hessian.
    NewtonCg,
    /// Newton's method with the Hessian as a matrix: for few features and classes.
    NewtonCholesky,
}

names!(Solver, "solver",
    Auto => "auto",
    Lbfgs => "lbfgs",
    NewtonCg => "newton-cg",
    NewtonCholesky => "newton-cholesky",
);
