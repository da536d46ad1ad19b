use crate::choice::choose;
use crate::descent::{Descent, Limits};
use crate::error::{FitError, Result};
use crate::landscape::{Landscape, split};
use crate::model::{Model, fused};
use crate::preconditioner::Preconditioner;
use crate::report::{Report, Step, Stop};
use crate::solver::Solver;
use crate::{lbfgs, newton_cg, newton_cholesky};
use ndarray::{Array1, Array2};
use softmax::{BackendElement, Element, Objective, Problem, SoftmaxBackend, ndarray};
use softmax_data::{Dataset, Standardization};
use std::ops::ControlFlow;
use std::time::Instant;

/// The configuration of a training: the objective, which is minimised over W and b, the solver and its limits.
///
/// ```
/// use softmax_fit::{Fit, Objective};
///
/// let digits = softmax_data::digits::<f64>();
/// let fitted = Fit::new(Objective { l2: 1e-3, ..Objective::default() }).fit(&digits)?;
/// assert!(fitted.report.converged());
/// assert!(fitted.model.score(&digits)? > 0.96);
/// # Ok::<(), softmax_fit::FitError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a model is made by `fit`"]
pub struct Fit {
    objective: Objective,
    solver: Solver,
    has_bias: bool,
    tolerance: f64,
    iterations: usize,
}

/// A fitted model, with the solver's report.
#[derive(Clone, Debug)]
pub struct Fitted<T> {
    /// The classifier.
    pub model: Model<T>,
    /// The solver's report.
    pub report: Report,
}

/// The parameters at which a solver stopped.
#[derive(Clone, Debug)]
pub struct Minimum<T> {
    /// W (D×C).
    pub weights: Array2<T>,
    /// b (C), if the fit has a bias.
    pub bias: Option<Array1<T>>,
    /// The solver's report.
    pub report: Report,
}

impl Fit {
    /// The default of [`tolerance`](Self::tolerance), as in scikit-learn.
    pub const TOLERANCE: f64 = 1e-4;
    /// The default of [`max_iterations`](Self::max_iterations).
    pub const MAX_ITERATIONS: usize = 1000;

    /// Minimises the loss under these options: formula (7), with a bias, which is not penalised.
    pub fn new(objective: Objective) -> Self {
        let (tolerance, iterations) = (Self::TOLERANCE, Self::MAX_ITERATIONS);
        Fit { objective, solver: Solver::Auto, has_bias: true, tolerance, iterations }
    }

    /// The solver. Default [`Solver::Auto`].
    pub fn solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Whether there is a bias. Default `true`.
    pub fn bias(mut self, has_bias: bool) -> Self {
        self.has_bias = has_bias;
        self
    }

    /// The largest |entry| that dW and db may have when the fit has converged. Default 1e-4.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The most iterations of the solver. Default 1000.
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.iterations = iterations;
        self
    }

    /// Fits a model to data, starting from zeros, with the backend `fused`.
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with).
    pub fn fit<T: BackendElement>(&self, dataset: &Dataset<T>) -> Result<Fitted<T>> {
        self.fit_with(dataset, None, &mut *fused(), &mut |_| ControlFlow::Continue(()))
    }

    /// Fits a model to data, starting from zeros, with any backend. `standardization` is the one that was already
    /// applied to the data, if any; the model keeps it. The observer sees each step and may stop the fit: the model
    /// is then the one of that step.
    ///
    /// # Errors
    /// [`FitError`] if the data is inconsistent, if no sample counts, if the backend does not support the problem, or
    /// if the loss or gradient at W = 0 is not finite.
    pub fn fit_with<T: Element>(
        &self,
        dataset: &Dataset<T>,
        standardization: Option<Standardization>,
        backend: &mut dyn SoftmaxBackend<T>,
        observer: &mut dyn FnMut(&Step) -> ControlFlow<()>,
    ) -> Result<Fitted<T>> {
        let ignored = self.objective.ignore_index;
        dataset.check_classes(ignored)?;
        let zeros = Array2::<T>::zeros((dataset.features.dim().1, dataset.n_classes(ignored)));
        let problem = dataset.problem_at(zeros.view(), None, self.objective)?;
        let minimum = self.minimize(&dataset.origin, &problem, backend, observer)?;
        let Minimum { weights, bias, report } = minimum;
        let class_names = dataset.class_names.clone();
        let layout = dataset.layout.clone();
        let model = Model { weights, bias, objective: self.objective, class_names, standardization, layout };
        Ok(Fitted { model, report })
    }

    /// Minimises a problem, starting from its W and b, under the problem's objective. Errors name the data as `whose`.
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with).
    pub fn minimize<T: Element>(
        &self,
        whose: &str,
        problem: &Problem<'_, T>,
        backend: &mut dyn SoftmaxBackend<T>,
        observer: &mut dyn FnMut(&Step) -> ControlFlow<()>,
    ) -> Result<Minimum<T>> {
        let started = Instant::now();
        let found = problem.total_weight();
        if !(found > 0.0 && found.is_finite()) {
            return Err(FitError::NoWeight { whose: whose.to_owned(), found });
        }
        let solver = choose(self.solver, problem, self.has_bias)?;
        let mut landscape = Landscape::new(backend, problem, self.has_bias);
        let mut point = landscape.point(landscape.start());
        landscape.evaluate(&mut point)?;
        if !point.is_finite() {
            let (whose, gradient) = (whose.to_owned(), point.gradient_max());
            return Err(FitError::NotFinite { whose, loss: point.loss, gradient });
        }
        let limits = Limits { tolerance: self.tolerance, iterations: self.iterations };
        let mut descent = Descent::new(limits, observer);
        let stop: Stop = match solver {
            Solver::NewtonCholesky => newton_cholesky::minimize(&mut landscape, &mut point, &mut descent)?,
            Solver::NewtonCg => {
                if !landscape.has_hessian() {
                    let expected = "a backend with products with the Hessian";
                    return Err(FitError::Solver {
                        solver,
                        expected,
                        found: "a backend without them".to_owned(),
                    });
                }
                let mut preconditioner = Preconditioner::new(landscape.ground());
                newton_cg::minimize(&mut landscape, &mut preconditioner, &mut point, &mut descent)?
            }
            Solver::Auto | Solver::Lbfgs => {
                let mut preconditioner = Preconditioner::new(landscape.ground());
                lbfgs::minimize(&mut landscape, &mut preconditioner, &mut point, &mut descent)?
            }
        };
        // A fit that stopped at a limit or by rounding may still have reached the tolerance.
        let stop = match stop {
            Stop::Iterations | Stop::Rounding if point.gradient_max() <= self.tolerance => Stop::Converged,
            other => other,
        };
        let (weights, bias) = split(&point.parameters, self.has_bias);
        let (weights, bias) = (weights.to_owned(), bias.map(|bias| bias.to_owned()));
        let (curve, seconds) = (descent.curve, started.elapsed().as_secs_f64());
        Ok(Minimum { weights, bias, report: Report { solver, stop, curve, seconds } })
    }
}
