use softmax::names;

/// How the loss is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Solver {
    /// Whichever is fastest for such a problem, as it was measured.
    #[default]
    Auto,
    /// Limited-memory BFGS: loss and gradient alone, for any problem and any backend.
    Lbfgs,
    /// Newton's method by conjugate gradients: products with the Hessian, by backends that have them.
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
