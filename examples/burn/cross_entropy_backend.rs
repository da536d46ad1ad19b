//! Burn's own `CrossEntropyLoss` as an external backend. `cargo xtask libraries` runs it through the conformance suite.
//!
//! To run the suite, first `cargo build --release -p softmax-burn --example cross_entropy_backend`, then
//! `softmax verify --external burn-loss=target/release/examples/cross_entropy_backend`.

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use softmax_burn::ndarray::{ArrayView2, ArrayViewMut, Dimension};
use softmax_burn::{
    Backend, Descriptor, Error, Evaluation, Feature, Outputs, Problem, Reduction, Result, SoftmaxBackend,
    Targets,
};
use softmax_external::serve;
use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The loss of a linear layer's scores, with gradients from Burn's autodiff.
struct BurnLoss {
    device: Device,
}

impl BurnLoss {
    fn new() -> Self {
        BurnLoss { device: Device::flex().autodiff() }
    }

    fn matrix(&self, array: ArrayView2<'_, f32>) -> Tensor<2> {
        let (rows, columns) = array.dim();
        let numbers = array.iter().copied().collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(numbers, [rows, columns]), &self.device)
    }

    /// Burn's loss, configured by the problem's options.
    fn criterion(&self, problem: &Problem<'_, f32>) -> CrossEntropyLoss {
        let objective = problem.objective();
        let smoothing = objective.label_smoothing as f32;
        CrossEntropyLossConfig::new()
            // Pad tokens are unsigned, so a negative ignored label sets none; `evaluate` refuses it.
            .with_pad_tokens(objective.ignore_index.and_then(|y| usize::try_from(y).ok()).map(|y| vec![y]))
            .with_weights(problem.class_weights().map(|w| w.to_vec()))
            .with_smoothing((smoothing != 0.0).then_some(smoothing))
            .init(&self.device)
    }
}

fn write<D: Dimension>(
    view: &mut Option<ArrayViewMut<'_, f32, D>>,
    gradient: Option<Tensor<2>>,
) -> Result<()> {
    let Some(view) = view else { return Ok(()) };
    let Some(gradient) = gradient else {
        view.fill(0.0);
        return Ok(());
    };
    let numbers = gradient.try_into_vec_as::<f32>().map_err(|error| failure(&error))?;
    view.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
    Ok(())
}

fn failure(error: &dyn std::fmt::Debug) -> Error {
    Error::Backend { backend: "burn-loss".to_owned(), message: format!("{error:?}"), source: None }
}

impl Backend for BurnLoss {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "burn-loss".into(),
            device: "cpu (Burn Flex)".into(),
            simd: "Burn".into(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            deterministic: false,
        }
    }

    fn supports(&self, feature: Feature) -> bool {
        use Feature::{
            Bias, BiasGradient, ClassWeights, F32, FeaturesGradient, IgnoreIndex, LabelSmoothing, OneClass,
        };
        let supported = [
            F32,
            OneClass,
            Bias,
            ClassWeights,
            LabelSmoothing,
            IgnoreIndex,
            FeaturesGradient,
            BiasGradient,
            Feature::Predicted,
        ];
        supported.contains(&feature)
    }
}

impl SoftmaxBackend<f32> for BurnLoss {
    fn evaluate(&mut self, problem: &Problem<'_, f32>, outputs: &mut Outputs<'_, f32>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let refuse = |feature| Err(Error::Unsupported { backend: "burn-loss".to_owned(), feature });
        let Targets::Labels(labels) = problem.targets() else { return refuse(Feature::SoftTargets) };
        if problem.objective().ignore_index.is_some_and(|y| y < 0) {
            return refuse(Feature::IgnoreIndex);
        }
        // Burn's documentation requires positive weights.
        if problem.class_weights().is_some_and(|w| w.iter().any(|&w| w <= 0.0)) {
            return refuse(Feature::ClassWeights);
        }
        debug_assert_eq!(problem.objective().reduction, Reduction::Mean);
        let (x, w) = (problem.features().dense("burn-loss")?, problem.weights().dense("burn-loss")?);
        let (n, c) = (problem.n_samples(), problem.n_classes());
        let (x, w) = (self.matrix(x).require_grad(), self.matrix(w).require_grad());
        let bias = problem.bias().map_or(vec![0.0; c], |b| b.to_vec());
        let b = Tensor::<2>::from_data(TensorData::new(bias, [1, c]), &self.device).require_grad();
        let classes: Vec<i64> = (0..n).map(|i| labels.value(i) as i64).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::new(classes, [n]), &self.device);

        let scores = x.clone().matmul(w.clone()) + b.clone();
        // Burn panics on input that it does not support.
        let forward = || self.criterion(problem).forward(scores.clone(), targets);
        let loss = catch_unwind(AssertUnwindSafe(forward)).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            failure(&text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked"))
        })?;
        if outputs.wants_gradient() {
            let gradients = loss.backward();
            write(&mut outputs.weights_gradient, w.grad(&gradients))?;
            write(&mut outputs.features_gradient, x.grad(&gradients))?;
            write(&mut outputs.bias_gradient, b.grad(&gradients))?;
        }
        let predicted = scores.argmax(1).try_into_vec_as::<i64>().map_err(|error| failure(&error))?;
        let is_right = |i: usize| problem.label(i) == Some(predicted[i] as usize);
        if let Some(view) = &mut outputs.predicted {
            view.iter_mut().zip(&predicted).for_each(|(to, &class)| *to = class as usize);
        }
        let loss = loss.try_into_vec_as::<f32>().map_err(|error| failure(&error))?[0];
        Ok(Evaluation {
            loss: f64::from(loss),
            total_weight: problem.total_weight(),
            correct: Some((0..n).filter(|&i| is_right(i)).count()),
        })
    }
}

/// Refuses f64.
impl SoftmaxBackend<f64> for BurnLoss {
    fn evaluate(&mut self, _: &Problem<'_, f64>, _: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        Err(Error::Unsupported { backend: "burn-loss".to_owned(), feature: Feature::F64 })
    }
}

fn main() -> Result<(), Box<dyn StdError>> {
    Ok(serve(Box::new(BurnLoss::new()), Box::new(BurnLoss::new()), "Burn 0.22 CrossEntropyLoss")?)
}
