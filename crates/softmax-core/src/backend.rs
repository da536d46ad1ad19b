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

/// The description of a backend, for both element types.
pub trait Backend {
    /// The backend's name, device and threads.
    fn descriptor(&self) -> Descriptor;

    /// Whether the backend supports `feature`. [`SoftmaxBackend::evaluate`] returns an error for an unsupported one.
    ///
    /// By default a backend supports every option, every output except row facts ([`Feature::is_row_fact`]), and dense
    /// X and W of the element type. By default it supports neither [two passes](TwoPass) nor
    /// [parts of the samples](Problem::as_part).
    fn supports(&self, feature: Feature) -> bool {
        let is_left_out = matches!(feature, Feature::TwoPasses | Feature::PartOfSamples);
        !feature.is_storage() && !feature.is_row_fact() && !is_left_out
    }

    /// Whether a sample's results have the same bits in any batch: its loss, log-sum-exp and predicted class, and under
    /// [`Reduction::Sum`](crate::Reduction::Sum) its row of dX.
    fn is_batch_invariant(&self) -> bool {
        false
    }

    /// The time of the last evaluation on the device, without the transfer of the problem and the outputs. `None` for a
    /// backend that computes on the caller's arrays.
    fn device_time(&self) -> Option<Duration> {
        None
    }
}

/// An implementation of the loss and its gradients. Object-safe.
///
/// A backend owns its working memory and reuses it from call to call, so its methods take `&mut self`. A result
/// depends only on the problem, never on earlier calls.
pub trait SoftmaxBackend<T: Element>: Backend {
    /// Computes the loss and the requested outputs. Implementations call [`check`](Self::check) first.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and [`Error::Backend`] if the backend itself fails.
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation>;

    /// Checks that the problem has all classes, that the outputs have its shapes, and that the backend supports both.
    ///
    /// # Errors
    /// [`Error::Classes`], [`Error::Shape`] or [`Error::Unsupported`].
    fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        problem.check_whole()?;
        outputs.check(problem)?;
        self.check_support(problem.needs().union(outputs.needs(problem)))
    }

    /// Checks that the backend supports all features in `needs`.
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

    /// The loss without any outputs.
    ///
    /// # Errors
    /// The same as [`evaluate`](Self::evaluate).
    fn loss(&mut self, problem: &Problem<'_, T>) -> Result<f64> {
        Ok(self.evaluate(problem, &mut Outputs::default())?.loss)
    }

    /// The loss, and dW and db in new arrays.
    ///
    /// # Errors
    /// The same as [`evaluate`](Self::evaluate).
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

    /// The backend's Hessian-vector product, if it implements one.
    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<T>> {
        None
    }

    /// The backend's evaluation in two passes, if it implements one.
    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<T>> {
        None
    }

    /// Copies of this backend with other values of `setting`, which must not change any bit of the results. Empty if
    /// the backend does not have the setting.
    fn variants(&self, setting: Setting) -> Vec<Variant<T>> {
        let _ = setting;
        Vec::new()
    }
}

/// A setting that must not change any bit of a backend's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The level of vector instructions.
    Level,
    /// The limit of working memory.
    Memory,
}

impl Setting {
    /// The name in words.
    pub fn name(self) -> &'static str {
        match self {
            Setting::Level => "vector instructions",
            Setting::Memory => "memory",
        }
    }
}

/// A backend with another value of a setting.
pub struct Variant<T> {
    /// The value of the setting: `avx2`, `1048576 bytes`, ….
    pub name: Cow<'static, str>,
    /// The backend with that value.
    pub backend: Box<dyn SoftmaxBackend<T>>,
}

/// Implements the backend traits for pointers to a backend.
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

/// Products of the loss's Hessian with a vector, for methods such as Newton-CG. A backend that implements this returns
/// itself from [`SoftmaxBackend::hessian`].
pub trait HessianVectorProduct<T: Element>: SoftmaxBackend<T> {
    /// Overwrites `product` with H·V (D×C): the derivative of dW along V. H is the Hessian of the loss with respect to
    /// W, at the problem's W, and V (D×C) is `direction`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `direction` or `product` is not D×C, and the errors of
    /// [`SoftmaxBackend::evaluate`].
    fn hessian_vector_product(
        &mut self,
        problem: &Problem<'_, T>,
        direction: ArrayView2<'_, T>,
        product: ArrayViewMut2<'_, T>,
    ) -> Result<()>;

    /// The Hessian-vector product for W and b together: the derivatives of dW and db along V (D×C) and v (C).
    /// Overwrites both products.
    ///
    /// # Errors
    /// Those of [`hessian_vector_product`](Self::hessian_vector_product). The default implementation always returns
    /// [`Error::Unsupported`] with [`Feature::Bias`].
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

/// Evaluation in two passes over the scores. It is needed if the coefficients of the gradients depend on the losses, as
/// in a policy gradient, or if the classes are in shards ([`Problem::shard`]), because no single shard knows a row's
/// maximum and sum.
///
/// ```text
/// for each shard: statistics = forward(shard), merged in the order of the classes
/// summarize(shard, statistics): loss, sample losses, lse, predicted classes, entropy
/// if the label's rank, its log p or the best classes are requested:
///     for each shard: label_scores(shard); the score that is not NaN counts
///     for each shard: facts = class_facts(shard, label scores), merged in the order of the classes
///     summarize_classes(shard, statistics, facts): label's log p and rank, best classes
/// for each shard, in the order of the classes: backward(shard, statistics, upstream): its dW and db, and dX
/// ```
///
/// Without shards, the problem itself is the only shard. [`InShards`](crate::InShards) performs these steps.
pub trait TwoPass<T: Element>: SoftmaxBackend<T> {
    /// Statistics of each row over the problem's classes.
    ///
    /// # Errors
    /// [`Error::Unsupported`], and [`Error::Backend`] if the backend itself fails.
    fn forward(&mut self, problem: &Problem<'_, T>) -> Result<RowStatistics<T>>;

    /// Returns the loss, and writes the sample losses, lse, predicted classes and entropies if they are requested.
    /// `statistics` must cover all classes. Other outputs are left unchanged. `problem` may be any of the shards.
    ///
    /// # Errors
    /// Those of [`RowStatistics::check`], and [`Error::Shape`].
    fn summarize(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation>;

    /// The score of each sample's label (N), ignored or not. NaN if the label is not one of the problem's classes.
    ///
    /// # Errors
    /// The same as [`forward`](Self::forward).
    fn label_scores(&mut self, problem: &Problem<'_, T>) -> Result<Array1<T>>;

    /// For each sample, the number of the problem's classes whose score is above the label's score (N), and the best
    /// `top` classes, or all if there are fewer.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward), and [`Error::Shape`].
    fn class_facts(
        &mut self,
        problem: &Problem<'_, T>,
        label_scores: ArrayView1<'_, T>,
        top: usize,
    ) -> Result<ClassFacts<T>>;

    /// Writes the label's log p and rank, and the best classes with their log p, if they are requested. `statistics`
    /// and `facts` must cover all classes. Other outputs are left unchanged. `problem` may be any of the shards.
    ///
    /// # Errors
    /// The same as [`summarize`](Self::summarize).
    fn summarize_classes(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        facts: &ClassFacts<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()>;

    /// Smaller statistics of all classes that give the same bits in [`summarize`](Self::summarize) and
    /// [`backward`](Self::backward). The default returns the statistics unchanged.
    ///
    /// # Errors
    /// The same as [`RowStatistics::check`].
    fn condense(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: RowStatistics<T>,
    ) -> Result<RowStatistics<T>> {
        statistics.check(problem)?;
        Ok(statistics)
    }

    /// Writes dW, dX and db if they are requested, by formulas (11) and (9). `statistics` must cover all classes. Other
    /// outputs are left unchanged.
    ///
    /// The result is the gradient of Σ_i (g_i·ℓ'_i + h_i·H_i + k_i·lse_i) + (λ/2)·‖W‖², with the [`Upstream`]
    /// coefficients g, h and k. ℓ'_i is the loss (6) without u_i. Ignored samples add nothing, whatever their
    /// coefficients. Without targets, ℓ' and λ are 0.
    ///
    /// dX is a sum over the shards: the shard with the first class overwrites it, and each other shard adds to it. Rows
    /// of samples [without gradients](Upstream::reaches) are 0 after each shard. dW and db are overwritten unless they
    /// [accumulate](Outputs::accumulate).
    ///
    /// # Errors
    /// Those of [`RowStatistics::check`], [`Error::Shape`] and [`Error::Unsupported`].
    fn backward(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        upstream: &Upstream<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()>;

    /// The number of classes at whose multiples shards may begin without changing any bit. Such shards give the same
    /// bits as two passes over the undivided problem and, unless the implementation documents an exception, as
    /// [`evaluate`](SoftmaxBackend::evaluate). `None` if the backend does not guarantee this.
    fn shard_multiple(&self) -> Option<usize> {
        None
    }

    /// Checks the arguments of [`backward`](Self::backward). Implementations of `backward` call it first.
    ///
    /// # Errors
    /// The same as [`backward`](Self::backward).
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

/// The result of an evaluation, apart from the outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss, formula (7), summed in double precision.
    pub loss: f64,
    /// The total weight Ω, the divisor of the sample losses.
    pub total_weight: f64,
    /// The number of samples whose label is the predicted class, without ignored samples. `None` unless the targets are
    /// hard labels.
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

/// A backend's name, device and threads, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The name on the command line: `naive`, `ndarray`, `burn`, …
    pub name: Cow<'static, str>,
    /// `cpu`, or the name of the device.
    pub device: Cow<'static, str>,
    /// The vector instructions that it was built for or has chosen (`scalar`, `avx2+fma`, …), or what chooses them.
    pub simd: Cow<'static, str>,
    /// The number of threads.
    pub threads: usize,
    /// Whether the same problem gives the same bits with any number of threads.
    pub deterministic: bool,
}
