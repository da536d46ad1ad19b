//! The loss as a Burn module.

use crate::kernels::Kernels;
use crate::known_gradients::{with_gradients, with_rows};
use crate::problem::{DeviceProblem, DeviceTargets};
use crate::rows::{Quantity, Rows};
use burn::config::Config;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor};
use softmax_core::{Objective, OutputKind, OutputSet, Reduction};

/// Configuration of a [`LinearCrossEntropyLoss`].
///
/// ```
/// use burn::tensor::Device;
/// use softmax_burn::LinearCrossEntropyLossConfig;
///
/// let loss = LinearCrossEntropyLossConfig::new().with_label_smoothing(0.1).init(&Device::flex());
/// ```
#[derive(Config, Debug)]
pub struct LinearCrossEntropyLossConfig {
    /// The label of samples that do not count, such as −100.
    pub ignore_index: Option<i64>,
    /// One weight per class (C).
    pub class_weights: Option<Vec<f32>>,
    /// Share of the target that is spread evenly over the classes, from 0 to 1.
    #[config(default = 0.0)]
    pub label_smoothing: f64,
    /// Adds `z_loss` times the squared log-sum-exp to each sample's loss.
    #[config(default = 0.0)]
    pub z_loss: f64,
    /// Caps scores smoothly at ±κ: κ·tanh(score/κ).
    pub softcap: Option<f64>,
    /// Divides the scores.
    #[config(default = 1.0)]
    pub temperature: f64,
    /// How sample losses become one number.
    #[config(default = "Reduction::Mean")]
    pub reduction: Reduction,
}

impl LinearCrossEntropyLossConfig {
    /// Creates the module, with its class weights on `device`.
    ///
    /// # Panics
    /// If an option is out of its range.
    pub fn init(&self, device: &Device) -> LinearCrossEntropyLoss {
        let objective = Objective {
            label_smoothing: self.label_smoothing,
            z_loss: self.z_loss,
            softcap: self.softcap,
            temperature: self.temperature,
            reduction: self.reduction,
            ignore_index: self.ignore_index,
            ..Objective::default()
        };
        if let Err(error) = objective.check() {
            panic!("LinearCrossEntropyLossConfig: {error}");
        }
        LinearCrossEntropyLoss {
            class_weights: self.class_weights.as_ref().map(|w| Tensor::from_floats(w.as_slice(), device)),
            objective,
            kernels: Kernels::new(),
        }
    }
}

/// A linear layer's cross-entropy loss, without the N×C scores in memory.
///
/// Computes what Burn's `Linear` and `CrossEntropyLoss` compute together, and adds options. Its memory does not grow
/// with N·C.
///
/// The forward pass computes the gradients too, one chunk of rows at a time, by formulas (8) and (9) of
/// [`softmax_core`]. It keeps them until the backward pass: D×C and N×D numbers. Losses of confident samples keep their
/// relative accuracy, where a log-softmax rounds them to 0.
///
/// With the feature `fused`, `softmax-fused` computes if the tensors are on the Flex device.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use softmax_burn::LinearCrossEntropyLossConfig;
///
/// let device = Device::flex().autodiff();
/// let features = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 2.0]], &device);
/// let weights = Tensor::<2>::from_floats([[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]], &device).require_grad();
/// let labels = Tensor::<1, Int>::from_ints([0, 2], &device);
///
/// let loss = LinearCrossEntropyLossConfig::new().init(&device).forward(features, weights.clone(), labels);
/// let gradients = loss.backward();
/// assert!((loss.into_scalar::<f32>() - 0.7960856).abs() < 1e-6);
/// assert!(weights.grad(&gradients).is_some());
/// ```
#[derive(Module, Debug)]
pub struct LinearCrossEntropyLoss {
    class_weights: Option<Tensor<1>>,
    #[module(skip)]
    objective: Objective,
    #[module(skip)]
    kernels: Kernels,
}

impl LinearCrossEntropyLoss {
    /// Uses Burn's tensor operations on every device, also on Flex.
    #[must_use]
    pub fn by_tensor_operations(self) -> Self {
        LinearCrossEntropyLoss { kernels: Kernels::tensor_operations(), ..self }
    }

    /// The loss (1) of `features` (N×D), `weights` (D×C) and `targets` (N).
    ///
    /// # Panics
    /// If shapes, devices or types do not match, or there are no samples.
    pub fn forward(&self, features: Tensor<2>, weights: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        self.forward_problem(DeviceProblem::new(features, weights, targets))
    }

    /// The loss (1) of a linear layer on `features` (N×D), with the layer's bias if it has one.
    ///
    /// # Panics
    /// See [`forward`](Self::forward).
    pub fn forward_layer(&self, features: Tensor<2>, layer: &Linear, targets: Tensor<1, Int>) -> Tensor<1> {
        let mut problem = DeviceProblem::new(features, layer.weight.val(), targets);
        problem.bias = layer.bias.as_ref().map(|bias| bias.val());
        self.forward_problem(problem)
    }

    /// The loss (1) of a problem, which may have a bias, soft targets and sample weights. This module's options, class
    /// weights and ignored label replace those of the problem.
    ///
    /// # Panics
    /// See [`forward`](Self::forward).
    pub fn forward_problem(&self, mut problem: DeviceProblem) -> Tensor<1> {
        problem.objective = self.objective;
        problem.class_weights.clone_from(&self.class_weights);
        let wanted = tracked(&problem);
        let outputs = self.kernels.evaluate(&problem, wanted);
        if wanted == OutputSet::NONE {
            return if problem.features.is_autodiff() { outputs.loss.autodiff() } else { outputs.loss };
        }

        let nothing = || outputs.loss.clone().reshape([1, 1]);
        let known = |gradient: Option<Tensor<2>>| gradient.unwrap_or_else(nothing);
        let [_, c] = problem.weights.dims();
        let bias = problem.bias.map(|bias| bias.reshape([1, c]));
        with_gradients(
            outputs.loss.clone(),
            [
                (problem.features, known(outputs.features_gradient)),
                (problem.weights, known(outputs.weights_gradient)),
                (bias.unwrap_or_else(nothing), known(outputs.bias_gradient.map(|db| db.reshape([1, c])))),
            ],
        )
    }

    /// Losses, entropies and label log-probabilities of the samples, for example for policy gradients.
    ///
    /// Takes `features` (N×D), `weights` (D×C) and `targets` (N). The losses are those of PyTorch's reduction `none`.
    ///
    /// # Panics
    /// See [`forward`](Self::forward).
    pub fn forward_rows(
        &self,
        features: Tensor<2>,
        weights: Tensor<2>,
        targets: Tensor<1, Int>,
    ) -> RowLosses {
        self.forward_rows_of(DeviceProblem::new(features, weights, targets))
    }

    /// Losses, entropies and label log-probabilities of a problem. This module's options replace those of the problem,
    /// as in [`forward_problem`](Self::forward_problem).
    ///
    /// # Panics
    /// See [`forward`](Self::forward).
    pub fn forward_rows_of(&self, mut problem: DeviceProblem) -> RowLosses {
        problem.objective = self.objective;
        problem.class_weights.clone_from(&self.class_weights);
        let kinds = [OutputKind::SampleLosses, OutputKind::Entropy, OutputKind::LabelLogProb];
        let outputs = self.kernels.evaluate(&problem, kinds.into_iter().collect());
        let rows = |values: Option<Tensor<1>>, quantity| {
            self.rows(&problem, values.expect("it was asked for"), quantity)
        };
        let label_log_prob = match &problem.targets {
            DeviceTargets::Soft(_) => None,
            DeviceTargets::Labels(labels) => outputs.label_log_prob.map(|log_prob| {
                let is_ignored = |index| labels.clone().without_autodiff().equal_elem(index);
                match self.objective.ignore_index {
                    None => log_prob,
                    Some(index) => log_prob.mask_fill(is_ignored(index), 0.0),
                }
            }),
        };
        RowLosses {
            losses: rows(outputs.sample_losses, Quantity::Loss),
            entropy: rows(outputs.entropy, Quantity::Entropy),
            label_log_prob: label_log_prob
                .map(|log_prob| self.rows(&problem, log_prob, Quantity::LabelLogProb)),
        }
    }

    /// Makes `values` (N) differentiable as `quantity` of the problem's samples.
    fn rows(&self, problem: &DeviceProblem, values: Tensor<1>, quantity: Quantity) -> Tensor<1> {
        let [_, c] = problem.weights.dims();
        let (wanted, kernels) = (tracked(problem), self.kernels.clone());
        let rows = Rows { quantity, problem: problem.without_autodiff(), wanted, kernels };
        if wanted == OutputSet::NONE {
            return if problem.features.is_autodiff() { values.autodiff() } else { values };
        }
        // Stands in for a missing bias. It is outside autodiff, so it gets no gradient.
        let nothing = rows.problem.features.clone();
        let bias = problem.bias.clone().map_or(nothing, |bias| bias.reshape([1, c]));
        with_rows(values, rows, [problem.features.clone(), problem.weights.clone(), bias])
    }
}

/// Losses, entropies and label log-probabilities of the samples (N each), differentiable by Burn's autodiff with
/// respect to features, weights and bias. The forward pass computes the scores once. A backward pass computes them once
/// more for each of the three tensors that the result depends on.
#[derive(Clone, Debug)]
pub struct RowLosses {
    /// ℓ: the sample losses before the reduction, not divided by Ω.
    pub losses: Tensor<1>,
    /// H = −Σ_c p_c·log p_c, in nats. The gradients of ignored samples are 0.
    pub entropy: Tensor<1>,
    /// log p of the label, 0 for ignored samples. Label smoothing and weights do not affect it. `None` with soft
    /// targets.
    pub label_log_prob: Option<Tensor<1>>,
}

/// The gradients of the tensors that autodiff tracks.
fn tracked(problem: &DeviceProblem) -> OutputSet {
    let is_tracked = [
        (OutputKind::WeightsGradient, problem.weights.is_tracked()),
        (OutputKind::FeaturesGradient, problem.features.is_tracked()),
        (OutputKind::BiasGradient, problem.bias.as_ref().is_some_and(Tensor::is_tracked)),
    ];
    is_tracked.into_iter().filter(|(_, is_tracked)| *is_tracked).map(|(kind, _)| kind).collect()
}
