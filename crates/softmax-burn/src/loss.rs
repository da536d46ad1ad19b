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
    /// A label whose samples count for nothing, such as −100.
    pub ignore_index: Option<i64>,
    /// A weight for each class.
    pub class_weights: Option<Vec<f32>>,
    /// Share of the target that is spread evenly over the classes, from 0 to 1.
    #[config(default = 0.0)]
    pub label_smoothing: f64,
    /// Adds so many times the squared log-sum-exp of each sample.
    #[config(default = 0.0)]
    pub z_loss: f64,
    /// Caps scores smoothly at ±κ: κ·tanh(score/κ).
    pub softcap: Option<f64>,
    /// Divides the scores.
    #[config(default = 1.0)]
    pub temperature: f64,
    /// What the sample losses are summed to.
    #[config(default = "Reduction::Mean")]
    pub reduction: Reduction,
}

impl LinearCrossEntropyLossConfig {
    /// The loss, on a device.
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

/// The cross-entropy of a linear layer's scores, without ever holding the N×C scores: what Burn's `Linear` and
/// `CrossEntropyLoss` compute together, and its options besides, in memory that does not grow with N·C.
///
/// The gradients are computed in the forward pass, a chunk of rows after the other, by formulas (8) and (9) of
/// [`softmax_core`], and kept until the backward pass: D×C and N×D numbers. Confident samples keep their digits, where
/// a log-softmax rounds their losses to 0.
///
/// With the feature `fused` the work is done by `softmax-fused` where the tensors are on
/// the Flex device.
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
    /// Computes by tensor operations everywhere, on the Flex device too.
    #[must_use]
    pub fn by_tensor_operations(self) -> Self {
        LinearCrossEntropyLoss { kernels: Kernels::tensor_operations(), ..self }
    }

    /// The loss (1) of `features` (N×D), `weights` (D×C) and `targets` (N).
    ///
    /// # Panics
    /// If shapes, devices or types do not fit, or there are no samples.
    pub fn forward(&self, features: Tensor<2>, weights: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        self.forward_problem(DeviceProblem::new(features, weights, targets))
    }

    /// The loss (1) of a linear layer that is given `features` (N×D), with its bias if it has one.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_layer(&self, features: Tensor<2>, layer: &Linear, targets: Tensor<1, Int>) -> Tensor<1> {
        let mut problem = DeviceProblem::new(features, layer.weight.val(), targets);
        problem.bias = layer.bias.as_ref().map(|bias| bias.val());
        self.forward_problem(problem)
    }

    /// The loss (1) of a problem with whatever else it has: a bias, soft targets, sample weights. Options, class weights
    /// and the ignored label are this module's.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
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

    /// The losses of the samples of `features` (N×D), `weights` (D×C) and `targets` (N), as the reduction `none` gives them, and
    /// beside them entropies and log-probabilities of the labels: for policy gradients, mixtures of losses and the like.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_rows(
        &self,
        features: Tensor<2>,
        weights: Tensor<2>,
        targets: Tensor<1, Int>,
    ) -> RowLosses {
        self.forward_rows_of(DeviceProblem::new(features, weights, targets))
    }

    /// The same of a problem with whatever else it has, as [`forward_problem`](Self::forward_problem) takes it.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
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

    /// Numbers of the samples, to be differentiated.
    fn rows(&self, problem: &DeviceProblem, values: Tensor<1>, quantity: Quantity) -> Tensor<1> {
        let [_, c] = problem.weights.dims();
        let (wanted, kernels) = (tracked(problem), self.kernels.clone());
        let rows = Rows { quantity, problem: problem.without_autodiff(), wanted, kernels };
        if wanted == OutputSet::NONE {
            return if problem.features.is_autodiff() { values.autodiff() } else { values };
        }
        // In place of a bias: what autodiff knows nothing of.
        let nothing = rows.problem.features.clone();
        let bias = problem.bias.clone().map_or(nothing, |bias| bias.reshape([1, c]));
        with_rows(values, rows, [problem.features.clone(), problem.weights.clone(), bias])
    }
}

/// What is known of each sample (N), each a function of features, weights and bias that Burn's autodiff differentiates. The
/// forward pass computes the scores once, and a backward pass once more for each of the three that the result depends on.
#[derive(Clone, Debug)]
pub struct RowLosses {
    /// ℓ: what the reductions sum, not divided by anything.
    pub losses: Tensor<1>,
    /// H = −Σ_c p_c·log p_c, in nats. The gradients of ignored samples are 0.
    pub entropy: Tensor<1>,
    /// log p of the labels, and 0 where they are ignored, whatever smoothing and weights the losses have. `None` with soft
    /// targets.
    pub label_log_prob: Option<Tensor<1>>,
}

/// The gradients that autodiff asks for.
fn tracked(problem: &DeviceProblem) -> OutputSet {
    let is_tracked = [
        (OutputKind::WeightsGradient, problem.weights.is_tracked()),
        (OutputKind::FeaturesGradient, problem.features.is_tracked()),
        (OutputKind::BiasGradient, problem.bias.as_ref().is_some_and(Tensor::is_tracked)),
    ];
    is_tracked.into_iter().filter(|(_, is_tracked)| *is_tracked).map(|(kind, _)| kind).collect()
}
