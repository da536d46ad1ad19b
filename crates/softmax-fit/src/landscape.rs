//! The loss as a function of the parameters alone: W and b in one array, with b as the last row.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use softmax::{Element, Objective, Outputs, Problem, Result, SoftmaxBackend, ndarray};

/// A problem whose parameters vary: an array of (D+1)×C with a bias, otherwise of D×C.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a, T> {
    pub(crate) problem: &'a Problem<'a, T>,
    pub(crate) has_bias: bool,
}

impl<'a, T: Element> Ground<'a, T> {
    /// The problem with these parameters.
    pub(crate) fn problem_at<'b>(&self, parameters: &'b Array2<T>) -> Result<Problem<'b, T>>
    where
        'a: 'b,
    {
        let (weights, bias) = split(parameters, self.has_bias);
        self.problem.with_parameters(weights, bias)
    }

    /// The numbers of rows and columns of the parameters.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.problem.n_features() + usize::from(self.has_bias), self.problem.n_classes())
    }

    /// λ for a row of the parameters: 0 for the bias.
    pub(crate) fn penalty(&self, row: usize) -> f64 {
        if row < self.problem.n_features() { self.problem.objective().l2 } else { 0.0 }
    }

    /// Removes from a direction the component that does not change the loss: in a row of the parameters without a
    /// penalty, one number added to all classes shifts all scores of a sample equally. Does nothing under a z-loss or
    /// a softcap.
    pub(crate) fn remove_shifts(&self, direction: &mut Array2<f64>) {
        let Objective { z_loss, softcap, .. } = *self.problem.objective();
        if z_loss != 0.0 || softcap.is_some() {
            return;
        }
        for (row, mut of_classes) in direction.rows_mut().into_iter().enumerate() {
            if self.penalty(row) == 0.0 {
                let mean = of_classes.sum() / of_classes.len() as f64;
                of_classes -= mean;
            }
        }
    }
}

/// The loss over the parameters, computed by one backend.
pub(crate) struct Landscape<'a, T: Element> {
    backend: &'a mut dyn SoftmaxBackend<T>,
    ground: Ground<'a, T>,
    /// The number of evaluations of loss and gradient and of products with the Hessian.
    pub(crate) evaluations: usize,
}

/// Parameters, with the loss and the gradient there.
#[derive(Clone, Debug)]
pub(crate) struct Point<T> {
    pub(crate) parameters: Array2<T>,
    pub(crate) loss: f64,
    pub(crate) gradient: Array2<T>,
}

impl<T: Element> Point<T> {
    /// Whether loss and gradient are finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_max().is_finite()
    }

    pub(crate) fn gradient_max(&self) -> f64 {
        crate::vectors::largest(entries(&self.gradient))
    }
}

/// The entries of an array, which must be in standard order, as all arrays of this crate are.
pub(crate) fn entries<T>(array: &Array2<T>) -> &[T] {
    array.as_slice().expect("an array in standard order")
}

/// The entries of an array in standard order, mutable.
pub(crate) fn entries_mut<T>(array: &mut Array2<T>) -> &mut [T] {
    array.as_slice_mut().expect("an array in standard order")
}

impl<'a, T: Element> Landscape<'a, T> {
    pub(crate) fn new(
        backend: &'a mut dyn SoftmaxBackend<T>,
        problem: &'a Problem<'a, T>,
        has_bias: bool,
    ) -> Self {
        Landscape { backend, ground: Ground { problem, has_bias }, evaluations: 0 }
    }

    pub(crate) fn ground(&self) -> Ground<'a, T> {
        self.ground
    }

    pub(crate) fn backend(&mut self) -> &mut dyn SoftmaxBackend<T> {
        self.backend
    }

    /// The problem's W and b as parameters; b is 0 if the problem has none.
    pub(crate) fn start(&self) -> Array2<T> {
        let mut start = Array2::zeros(self.ground.shape());
        let d = self.ground.problem.n_features();
        start.slice_axis_mut(Axis(0), Slice::from(..d)).assign(&self.ground.problem.weights().to_dense());
        if let Some(bias) = self.ground.problem.bias().filter(|_| self.ground.has_bias) {
            start.row_mut(d).assign(&bias);
        }
        start
    }

    /// A point at these parameters that is not evaluated yet.
    pub(crate) fn point(&self, parameters: Array2<T>) -> Point<T> {
        Point { gradient: Array2::zeros(parameters.dim()), parameters, loss: f64::NAN }
    }

    /// Computes loss and gradient at the point's parameters.
    pub(crate) fn evaluate(&mut self, point: &mut Point<T>) -> Result<()> {
        self.evaluations += 1;
        let (weights, bias) = split(&point.parameters, self.ground.has_bias);
        let problem = self.ground.problem.with_parameters(weights, bias)?;
        let (dw, db) = point.gradient.view_mut().split_at(Axis(0), self.ground.problem.n_features());
        let mut outputs = Outputs {
            weights_gradient: Some(dw),
            bias_gradient: db.into_shape_with_order(self.ground.problem.n_classes()).ok(),
            ..Outputs::default()
        };
        point.loss = self.backend.evaluate(&problem, &mut outputs)?.loss;
        Ok(())
    }
}

impl<T: Element> Landscape<'_, T> {
    /// Whether the backend has second derivatives.
    pub(crate) fn has_hessian(&mut self) -> bool {
        self.backend.hessian().is_some()
    }

    /// Computes H·direction at these parameters. Gives zeros if the backend has no second derivatives.
    pub(crate) fn hessian_product(
        &mut self,
        parameters: &Array2<T>,
        direction: &Array2<T>,
        product: &mut Array2<T>,
    ) -> Result<()> {
        self.evaluations += 1;
        let (weights, bias) = split(parameters, self.ground.has_bias);
        let problem = self.ground.problem.with_parameters(weights, bias)?;
        let Some(hessian) = self.backend.hessian() else {
            product.fill(T::zero());
            return Ok(());
        };
        let (of_weights, of_bias) = product.view_mut().split_at(Axis(0), self.ground.problem.n_features());
        match (
            split(direction, self.ground.has_bias),
            of_bias.into_shape_with_order(self.ground.problem.n_classes()),
        ) {
            ((weights, Some(bias)), Ok(of_bias)) => {
                hessian.hessian_vector_product_with_bias(&problem, (weights, bias), (of_weights, of_bias))
            }
            ((weights, _), _) => hessian.hessian_vector_product(&problem, weights, of_weights),
        }
    }
}

/// Splits parameters into W and b.
pub(crate) fn split<T>(
    parameters: &Array2<T>,
    has_bias: bool,
) -> (ArrayView2<'_, T>, Option<ArrayView1<'_, T>>) {
    let features = parameters.nrows() - usize::from(has_bias);
    let bias = has_bias.then(|| parameters.row(features));
    (parameters.slice_axis(Axis(0), Slice::from(..features)), bias)
}
