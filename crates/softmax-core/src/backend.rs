use crate::element::Element;
use crate::error::{Error, Result};
use crate::outputs::Outputs;
use crate::problem::Problem;
use crate::support::Feature;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2};
use std::borrow::Cow;
use std::time::Duration;

/// What a backend says of itself, whatever element type it computes in.
pub trait Backend {
    /// What this is and what it runs on.
    fn descriptor(&self) -> Descriptor;

    /// Whether it does this. What it does not support, [`SoftmaxBackend::evaluate`] refuses.
    ///
    /// By default it supports every option, every output but the facts of rows ([`Feature::is_row_fact`]), and X and W as
    /// dense arrays of the element type.
    fn supports(&self, feature: Feature) -> bool {
        !feature.is_storage() && !feature.is_row_fact()
    }

    /// Whether the results of a sample have the same bits whichever other samples the batch has: its loss, its
    /// log-sum-exp, its predicted class, and under [`Reduction::Sum`](crate::Reduction::Sum) its row of dX.
    fn is_batch_invariant(&self) -> bool {
        false
    }

    /// How long the last evaluation computed on its device, without what it took to carry the problem there and the
    /// outputs back. `None` for a backend that computes on the caller's arrays.
    fn device_time(&self) -> Option<Duration> {
        None
    }
}

/// One way to compute the loss and its gradients. Object-safe.
///
/// A backend owns its scratch memory and may reuse it from call to call, hence `&mut self`; what it returns
/// depends on the problem alone, never on the calls before.
pub trait SoftmaxBackend<T: Element>: Backend {
    /// Computes the loss, and of the outputs those that are asked for. An implementation begins with
    /// [`check`](Self::check).
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`Error::Backend`] for failures of its own.
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation>;

    /// Checks that the outputs fit the problem, and that the backend supports what is asked of it.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Unsupported`].
    fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        outputs.check(problem)?;
        let needs = problem.needs().union(outputs.needs(problem));
        match needs.iter().find(|&feature| !self.supports(feature)) {
            None => Ok(()),
            Some(feature) => {
                Err(Error::Unsupported { backend: self.descriptor().name.into_owned(), feature })
            }
        }
    }

    /// The loss alone.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    fn loss(&mut self, problem: &Problem<'_, T>) -> Result<f64> {
        Ok(self.evaluate(problem, &mut Outputs::default())?.loss)
    }

    /// The loss with dW and db, in fresh arrays.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    fn gradients(&mut self, problem: &Problem<'_, T>) -> Result<Gradients<T>> {
        let mut weights = Array2::zeros(problem.weights().dim());
        let mut bias = Array1::zeros(problem.n_classes());
        let mut outputs = Outputs {
            weights_gradient: Some(weights.view_mut()),
            bias_gradient: Some(bias.view_mut()),
            ..Outputs::default()
        };
        let loss = self.evaluate(problem, &mut outputs)?.loss;
        Ok(Gradients { loss, weights, bias })
    }

    /// The second derivative, of a backend that has it.
    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<T>> {
        None
    }

    /// This backend with other values of a setting that changes no bit of its results. None where it has no such setting.
    fn variants(&self, setting: Setting) -> Vec<Variant<T>> {
        let _ = setting;
        Vec::new()
    }
}

/// A setting that changes no bit of a backend's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The vector instructions that it uses.
    Level,
    /// The memory that it may hold.
    Memory,
}

impl Setting {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Setting::Level => "vector instructions",
            Setting::Memory => "memory",
        }
    }
}

/// A backend with another value of a setting.
pub struct Variant<T> {
    /// The value: `avx2`, `1048576 bytes`, ….
    pub name: Cow<'static, str>,
    /// The backend.
    pub backend: Box<dyn SoftmaxBackend<T>>,
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn descriptor(&self) -> Descriptor {
        (**self).descriptor()
    }

    fn supports(&self, feature: Feature) -> bool {
        (**self).supports(feature)
    }

    fn is_batch_invariant(&self) -> bool {
        (**self).is_batch_invariant()
    }

    fn device_time(&self) -> Option<Duration> {
        (**self).device_time()
    }
}

impl<T: Element, B: SoftmaxBackend<T> + ?Sized> SoftmaxBackend<T> for Box<B> {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        (**self).evaluate(problem, outputs)
    }

    fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        (**self).check(problem, outputs)
    }

    fn loss(&mut self, problem: &Problem<'_, T>) -> Result<f64> {
        (**self).loss(problem)
    }

    fn gradients(&mut self, problem: &Problem<'_, T>) -> Result<Gradients<T>> {
        (**self).gradients(problem)
    }

    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<T>> {
        (**self).hessian()
    }

    fn variants(&self, setting: Setting) -> Vec<Variant<T>> {
        (**self).variants(setting)
    }
}

/// The second derivative of the loss, for Newton-CG and the like. Not every backend has it; one that has gives itself as
/// [`SoftmaxBackend::hessian`].
pub trait HessianVectorProduct<T: Element>: SoftmaxBackend<T> {
    /// H·V (D×C), where H is the Hessian of the loss with respect to W at the problem's W, and V (D×C) the
    /// `direction`: the derivative of dW along V. Overwrites `product`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where `direction` or `product` is not D×C, and as
    /// [`SoftmaxBackend::evaluate`].
    fn hessian_vector_product(
        &mut self,
        problem: &Problem<'_, T>,
        direction: ArrayView2<'_, T>,
        product: ArrayViewMut2<'_, T>,
    ) -> Result<()>;
}

/// What every evaluation gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss, formula (7), summed in double precision.
    pub loss: f64,
    /// Ω: what the sample losses were divided by.
    pub total_weight: f64,
    /// How many samples, not counting ignored ones, have their label as predicted class. `None` for soft
    /// targets, where no one class is right, and without targets.
    pub correct: Option<usize>,
}

/// The loss and its gradients with respect to the parameters, from [`SoftmaxBackend::gradients`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients<T> {
    /// The loss.
    pub loss: f64,
    /// dW (D×C).
    pub weights: Array2<T>,
    /// db (C).
    pub bias: Array1<T>,
}

/// What a backend is and what it runs on, for people and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name on the command line: `naive`, `ndarray`, `burn`, …
    pub name: Cow<'static, str>,
    /// What computes: `cpu`, or a device's own name.
    pub device: Cow<'static, str>,
    /// The vector instructions that it was built or picked for: `scalar`, `avx2+fma`, …, or who picks them.
    pub simd: Cow<'static, str>,
    /// How many threads it uses.
    pub threads: usize,
    /// Whether it promises the same bits for the same problem, whatever the number of threads.
    pub deterministic: bool,
}
