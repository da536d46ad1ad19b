use crate::class_facts::ClassFacts;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::outputs::Outputs;
use crate::parts::ArrayName;
use crate::problem::Problem;
use crate::statistics::{RowStatistics, Upstream};
use crate::support::{Feature, FeatureSet};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use std::borrow::Cow;
use std::time::Duration;

/// What a backend says of itself, whatever element type it computes in.
pub trait Backend {
    /// What this is and what it runs on.
    fn descriptor(&self) -> Descriptor;

    /// Whether it does this. What it does not support, [`SoftmaxBackend::evaluate`] refuses.
    ///
    /// By default: every option, every output but the facts of rows ([`Feature::is_row_fact`]), and dense X and W of the element
    /// type. No [two passes](TwoPass), and no [part of the samples](Problem::as_part).
    fn supports(&self, feature: Feature) -> bool {
        let is_left_out = matches!(feature, Feature::TwoPasses | Feature::PartOfSamples);
        !feature.is_storage() && !feature.is_row_fact() && !is_left_out
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

    /// Checks that the problem has all classes, that the outputs fit it, and that the backend supports what is asked of it.
    ///
    /// # Errors
    /// [`Error::Classes`], [`Error::Shape`] or [`Error::Unsupported`].
    fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        problem.check_whole()?;
        outputs.check(problem)?;
        self.check_support(problem.needs().union(outputs.needs(problem)))
    }

    /// Checks that the backend supports these.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    fn check_support(&self, needs: FeatureSet) -> Result<()> {
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

    /// Loss and gradients in two passes, of a backend that has them.
    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<T>> {
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

/// What points to a backend is one.
macro_rules! impl_for_pointers {
    ($($Pointer:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $Pointer {
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

        impl<T: Element, B: SoftmaxBackend<T> + ?Sized> SoftmaxBackend<T> for $Pointer {
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

            fn two_pass(&mut self) -> Option<&mut dyn TwoPass<T>> {
                (**self).two_pass()
            }

            fn variants(&self, setting: Setting) -> Vec<Variant<T>> {
                (**self).variants(setting)
            }
        }
    )*};
}

impl_for_pointers!(Box<B>, &mut B);

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

    /// The same of W and b together: the derivatives of dW and db along V (D×C) and v (C). Overwrites both products. By default
    /// there is none.
    ///
    /// # Errors
    /// As [`hessian_vector_product`](Self::hessian_vector_product), and [`Error::Unsupported`] with [`Feature::Bias`] where there is none.
    fn hessian_vector_product_with_bias(
        &mut self,
        problem: &Problem<'_, T>,
        (weights, bias): (ArrayView2<'_, T>, ArrayView1<'_, T>),
        (of_weights, of_bias): (ArrayViewMut2<'_, T>, ArrayViewMut1<'_, T>),
    ) -> Result<()> {
        let _ = (problem, weights, bias, of_weights, of_bias);
        Err(Error::Unsupported { backend: self.descriptor().name.into_owned(), feature: Feature::Bias })
    }
}

/// Two passes over the scores, where one is not enough: the coefficients of the gradients depend on the losses, as those of a
/// policy gradient do, or the classes are in shards ([`Problem::shard`]), none of which has a row's maximum and sum.
///
/// ```text
/// for each shard: statistics = forward(shard), merged in the order of the classes
/// summarize(shard, statistics): loss, sample losses, lse, predicted classes, entropy
/// where facts of single classes are wanted:
///     for each shard: label_scores(shard), of which the one that is no NaN counts
///     for each shard: facts = class_facts(shard, label scores), merged in the order of the classes
///     summarize_classes(shard, statistics, facts): label's log p and rank, best classes
/// for each shard, in the order of the classes: backward(shard, statistics, upstream): its dW and db, and dX
/// ```
///
/// With all classes in one piece the problem itself is the only shard. [`InShards`](crate::InShards) is a backend that does
/// this.
pub trait TwoPass<T: Element>: SoftmaxBackend<T> {
    /// What is known of each row from the problem's classes.
    ///
    /// # Errors
    /// [`Error::Unsupported`], and [`Error::Backend`] for failures of its own.
    fn forward(&mut self, problem: &Problem<'_, T>) -> Result<RowStatistics<T>>;

    /// The loss, and of the outputs the sample losses, lse, predicted classes and entropies, from the statistics of all
    /// classes. The other outputs stay as they are. The problem may be any of the shards.
    ///
    /// # Errors
    /// As [`RowStatistics::check`], and [`Error::Shape`].
    fn summarize(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation>;

    /// s of each sample's label (N), ignored or not; NaN where it is none of the problem's classes.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    fn label_scores(&mut self, problem: &Problem<'_, T>) -> Result<Array1<T>>;

    /// How many of the problem's classes have a score above these label scores (N), and the `top` best of them, or all where there
    /// are fewer.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`Error::Shape`].
    fn class_facts(
        &mut self,
        problem: &Problem<'_, T>,
        label_scores: ArrayView1<'_, T>,
        top: usize,
    ) -> Result<ClassFacts<T>>;

    /// Of the outputs the label's log p and rank, and the best classes with their log p, from statistics and facts of all
    /// classes. The other outputs stay as they are. The problem may be any of the shards.
    ///
    /// # Errors
    /// As [`summarize`](Self::summarize).
    fn summarize_classes(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        facts: &ClassFacts<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()>;

    /// Statistics of all classes in less room, if this has a way: with them [`summarize`](Self::summarize) and
    /// [`backward`](Self::backward) give the same bits. By default those that are given.
    ///
    /// # Errors
    /// As [`RowStatistics::check`].
    fn condense(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: RowStatistics<T>,
    ) -> Result<RowStatistics<T>> {
        statistics.check(problem)?;
        Ok(statistics)
    }

    /// Of the outputs dW, dX and db, by formulas (11) and (9), from the statistics of all classes. The other outputs stay as
    /// they are.
    ///
    /// The gradient is that of Σ_i (g_i·ℓ'_i + h_i·H_i + k_i·lse_i) + (λ/2)·‖W‖², with the [`Upstream`] coefficients, where ℓ'_i
    /// is the loss (6) without u_i. Ignored samples add nothing, whatever their coefficients. Without targets ℓ' is 0, and λ
    /// counts as 0.
    ///
    /// dX is a sum over the shards: the shard with the first class overwrites it, each other adds to it; rows of samples
    /// [without gradients](Upstream::reaches) are 0 after each. dW and db are overwritten unless they
    /// [accumulate](Outputs::accumulate).
    ///
    /// # Errors
    /// As [`RowStatistics::check`], [`Error::Shape`] and [`Error::Unsupported`].
    fn backward(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        upstream: &Upstream<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()>;

    /// Shards that begin at multiples of this number of classes give the bits that two passes give for the undivided problem, and
    /// that [`evaluate`](SoftmaxBackend::evaluate) gives, unless the implementation says where it does not. `None`: no such
    /// promise.
    fn shard_multiple(&self) -> Option<usize> {
        None
    }

    /// Checks what [`backward`](Self::backward) is given; an implementation begins with it.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    fn check_backward(
        &self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        upstream: &Upstream<'_, T>,
        outputs: &Outputs<'_, T>,
    ) -> Result<()> {
        statistics.check(problem)?;
        for found in upstream.all().into_iter().flatten().map(|coefficients| coefficients.len()) {
            problem.check_samples(ArrayName::Upstream, found)?;
        }
        outputs.check(problem)?;
        self.check_support(problem.needs().union(outputs.needs(problem)))
    }
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
