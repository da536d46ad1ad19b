//! A right backend with one mistake.

use softmax_core::ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use softmax_core::{
    Backend, Descriptor, Evaluation, Feature, Gradients, HessianVectorProduct, Objective, Outputs, Problem,
    Result, SoftmaxBackend,
};
use softmax_naive::Naive;

/// A mistake, and the cases that must catch it.
#[derive(Clone, Copy)]
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    /// Part of the names of the cases that catch it.
    pub(crate) caught_by: &'static str,
    pub(crate) made: Made,
}

/// Where the mistake is made.
#[derive(Clone, Copy)]
pub(crate) enum Made {
    /// In place of the evaluation.
    Evaluating(fn(&mut Wrong, &Problem<'_, f64>, &mut Outputs<'_, f64>) -> Result<Evaluation>),
    /// In the right answer, after the evaluation.
    Answering(fn(&Problem<'_, f64>, &mut Outputs<'_, f64>, &mut Evaluation)),
    /// In the options that are read.
    Reading(fn(&Problem<'_, f64>, &mut Objective)),
    /// In the answer of `loss`.
    Loss(fn(&Problem<'_, f64>, f64) -> f64),
    /// In the answer of `gradients`.
    Gradients(fn(&Problem<'_, f64>, &mut Gradients<f64>)),
    /// In H·V.
    Hessian(fn(&Problem<'_, f64>, ArrayView2<'_, f64>, &mut ArrayViewMut2<'_, f64>)),
    /// In the bias parts of the direction (V, v) and of the product H·(V, v).
    HessianOfBias(fn(&mut Array1<f64>, &mut ArrayViewMut1<'_, f64>)),
}

/// Naive, with a mistake.
pub(crate) struct Wrong {
    inner: Naive,
    pub(crate) mistake: Mistake,
    /// State for mistakes that depend on earlier calls: an address or a count, a matrix, and whether a call failed.
    pub(crate) number: usize,
    pub(crate) kept: Array2<f64>,
    pub(crate) failed: bool,
}

impl Wrong {
    pub(crate) fn new(mistake: Mistake) -> Self {
        Wrong { inner: Naive::new(), mistake, number: 0, kept: Array2::zeros((0, 0)), failed: false }
    }

    /// Evaluates without the mistake.
    pub(crate) fn right(
        &mut self,
        problem: &Problem<'_, f64>,
        outputs: &mut Outputs<'_, f64>,
    ) -> Result<Evaluation> {
        self.inner.evaluate(problem, outputs)
    }
}

/// The same problem with other options.
pub(crate) fn under<'a>(problem: &Problem<'a, f64>, objective: Objective) -> Result<Problem<'a, f64>> {
    Problem::builder(problem.features(), problem.weights(), *problem.targets())
        .objective(objective)
        .bias(problem.bias())
        .class_weights(problem.class_weights())
        .sample_weights(problem.sample_weights())
        .build()
}

impl Backend for Wrong {
    fn descriptor(&self) -> Descriptor {
        Descriptor { name: self.mistake.name.into(), ..self.inner.descriptor() }
    }

    fn supports(&self, feature: Feature) -> bool {
        self.inner.supports(feature)
    }
}

impl SoftmaxBackend<f64> for Wrong {
    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        match self.mistake.made {
            Made::Evaluating(evaluate) => evaluate(self, problem, outputs),
            Made::Answering(spoil) => {
                let mut evaluation = self.right(problem, outputs)?;
                spoil(problem, outputs, &mut evaluation);
                Ok(evaluation)
            }
            Made::Reading(misread) => {
                let mut objective = *problem.objective();
                misread(problem, &mut objective);
                self.inner.evaluate(&under(problem, objective)?, outputs)
            }
            Made::Loss(_) | Made::Gradients(_) | Made::Hessian(_) | Made::HessianOfBias(_) => {
                self.inner.evaluate(problem, outputs)
            }
        }
    }

    fn loss(&mut self, problem: &Problem<'_, f64>) -> Result<f64> {
        let loss = self.evaluate(problem, &mut Outputs::default())?.loss;
        match self.mistake.made {
            Made::Loss(spoil) => Ok(spoil(problem, loss)),
            _ => Ok(loss),
        }
    }

    fn gradients(&mut self, problem: &Problem<'_, f64>) -> Result<Gradients<f64>> {
        let mut gradients = self.inner.gradients(problem)?;
        if let Made::Gradients(spoil) = self.mistake.made {
            spoil(problem, &mut gradients);
        }
        Ok(gradients)
    }

    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<f64>> {
        Some(self)
    }
}

impl HessianVectorProduct<f64> for Wrong {
    fn hessian_vector_product(
        &mut self,
        problem: &Problem<'_, f64>,
        direction: ArrayView2<'_, f64>,
        mut product: ArrayViewMut2<'_, f64>,
    ) -> Result<()> {
        self.inner.hessian_vector_product(problem, direction, product.view_mut())?;
        if let Made::Hessian(spoil) = self.mistake.made {
            spoil(problem, direction, &mut product);
        }
        Ok(())
    }

    fn hessian_vector_product_with_bias(
        &mut self,
        problem: &Problem<'_, f64>,
        (weights, bias): (ArrayView2<'_, f64>, ArrayView1<'_, f64>),
        (of_weights, mut of_bias): (ArrayViewMut2<'_, f64>, ArrayViewMut1<'_, f64>),
    ) -> Result<()> {
        let Made::HessianOfBias(spoil) = self.mistake.made else {
            let products = (of_weights, of_bias);
            return self.inner.hessian_vector_product_with_bias(problem, (weights, bias), products);
        };
        // Changes the direction before the call, and the product after it.
        let (mut bias, mut nothing) = (bias.to_owned(), Array1::zeros(bias.len()));
        spoil(&mut bias, &mut nothing.view_mut());
        let products = (of_weights, of_bias.view_mut());
        self.inner.hessian_vector_product_with_bias(problem, (weights, bias.view()), products)?;
        spoil(&mut bias, &mut of_bias);
        Ok(())
    }
}
