//! softmax-fused's kernels on the memory of tensors on the Flex device.

use crate::native::DeviceOutputs;
use crate::problem::{DeviceProblem, DeviceTargets};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Int, Tensor, TensorData};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Slice};
use softmax_core::{
    Element, OutputSet, Outputs, OwnedOutputs, Problem, SoftmaxBackend, TwoPass, Upstream, ndarray,
};
use softmax_fused::Fused;
use std::sync::{Arc, Mutex, PoisonError};

/// The kernels, with working memory that they keep between calls.
#[derive(Clone, Debug)]
pub(crate) struct OnFlex(Arc<Mutex<Fused>>);

impl Default for OnFlex {
    fn default() -> Self {
        OnFlex(Arc::new(Mutex::new(Fused::new())))
    }
}

impl OnFlex {
    /// Evaluates with the kernels. `None` if they do not support the problem: it is not on the Flex device, not in f32
    /// or f64, or not valid.
    pub(crate) fn evaluate(&self, problem: &DeviceProblem, wanted: OutputSet) -> Option<DeviceOutputs> {
        self.evaluate_or_weigh(problem, wanted, None)
    }

    /// The gradients of Σ h·H, with coefficients h (N) of the entropies. `None` as in [`evaluate`](Self::evaluate).
    pub(crate) fn entropy_gradients(
        &self,
        problem: &DeviceProblem,
        entropy: &Tensor<1>,
        wanted: OutputSet,
    ) -> Option<DeviceOutputs> {
        self.evaluate_or_weigh(problem, wanted, Some(entropy))
    }

    fn evaluate_or_weigh(
        &self,
        problem: &DeviceProblem,
        wanted: OutputSet,
        entropy: Option<&Tensor<1>>,
    ) -> Option<DeviceOutputs> {
        match problem.features.dtype() {
            DType::F32 => self.evaluate_as::<f32>(problem, wanted, entropy),
            DType::F64 => self.evaluate_as::<f64>(problem, wanted, entropy),
            _ => None,
        }
    }

    fn evaluate_as<T: FlexElement>(
        &self,
        problem: &DeviceProblem,
        wanted: OutputSet,
        entropy: Option<&Tensor<1>>,
    ) -> Option<DeviceOutputs>
    where
        Fused: TwoPass<T>,
    {
        let [n, d, c] = problem.sizes();
        let features = flex(problem.features.clone())?;
        let weights = flex(problem.weights.clone())?;
        let vector = |tensor: &Option<Tensor<1>>| match tensor {
            None => Some(None),
            Some(tensor) => Some(Some(flex(tensor.clone())?)),
        };
        let (bias, class_weights) = (vector(&problem.bias)?, vector(&problem.class_weights)?);
        let sample_weights = vector(&problem.sample_weights)?;
        let features = ArrayView2::from_shape((n, d), T::numbers(&features)?).ok()?;
        let weights = ArrayView2::from_shape((d, c), T::numbers(&weights)?).ok()?;

        let (labels, soft, soft_targets);
        let mut builder = match &problem.targets {
            DeviceTargets::Labels(tensor) => {
                labels = Array1::<i64>::from(tensor.clone().without_autodiff().try_into_vec_as().ok()?);
                Problem::builder(features, weights, labels.view())
            }
            DeviceTargets::Soft(tensor) => {
                soft = flex(tensor.clone())?;
                soft_targets = ArrayView2::from_shape((n, c), T::numbers(&soft)?).ok()?;
                Problem::builder(features, weights, soft_targets)
            }
        };
        builder = builder.objective(problem.objective);
        if let Some(bias) = &bias {
            builder = builder.bias(ArrayView1::from(T::numbers(bias)?));
        }
        if let Some(class_weights) = &class_weights {
            builder = builder.class_weights(ArrayView1::from(T::numbers(class_weights)?));
        }
        if let Some(sample_weights) = &sample_weights {
            builder = builder.sample_weights(ArrayView1::from(T::numbers(sample_weights)?));
        }
        let view = builder.build().ok()?;
        let mut fused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outputs = OwnedOutputs::zeros(&view, wanted);
        let loss = match entropy {
            None => fused.evaluate(&view, &mut outputs.as_outputs()).ok()?.loss,
            Some(entropy) => {
                let entropy = flex(entropy.clone())?;
                let none = Array1::zeros(n);
                let upstream = Upstream {
                    losses: Some(none.view()),
                    entropy: Some(ArrayView1::from(T::numbers(&entropy)?)),
                    ..Upstream::default()
                };
                weigh_entropies(&mut *fused, &view, &upstream, &mut outputs)?;
                0.0
            }
        };
        let device = problem.features.clone().without_autodiff().device();
        let tensor_of = |data: TensorData| (data, (&device, problem.features.dtype()));
        let matrix = |array: Array2<T>| {
            let shape = [array.nrows(), array.ncols()];
            let (data, options) = tensor_of(T::data(array.into_raw_vec_and_offset().0, &shape));
            Tensor::<2>::from_data(data, options)
        };
        let vector = |values: Vec<T>| {
            let shape = [values.len()];
            let (data, options) = tensor_of(T::data(values, &shape));
            Tensor::<1>::from_data(data, options)
        };
        let classes = |classes: Array1<usize>| {
            let classes: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
            Tensor::<1, Int>::from_data(TensorData::new(classes, [n]), &device)
        };
        Some(DeviceOutputs {
            loss: vector(vec![T::narrow(loss)]),
            weights_gradient: outputs.weights_gradient.map(matrix),
            features_gradient: outputs.features_gradient.map(matrix),
            bias_gradient: outputs.bias_gradient.map(|db| vector(db.to_vec())),
            sample_losses: outputs.sample_losses.map(|losses| vector(losses.to_vec())),
            log_sum_exp: outputs.log_sum_exp.map(|lse| vector(lse.to_vec())),
            predicted: outputs.predicted.map(classes),
            entropy: outputs.entropy.map(|entropy| vector(entropy.to_vec())),
            label_log_prob: outputs.label_log_prob.map(|log_prob| vector(log_prob.to_vec())),
            label_rank: outputs.label_rank.map(classes),
        })
    }
}

/// Rows of a block in [`weigh_entropies`], which holds the statistics of one block at a time.
const ROWS: usize = 4096;

/// Adds the gradients of Σ h·H to `outputs`, one block of rows at a time.
fn weigh_entropies<T: FlexElement>(
    passes: &mut dyn TwoPass<T>,
    problem: &Problem<'_, T>,
    upstream: &Upstream<'_, T>,
    outputs: &mut OwnedOutputs<T>,
) -> Option<()> {
    let n = problem.n_samples();
    for first in (0..n).step_by(ROWS) {
        let rows = first..n.min(first + ROWS);
        let range = || Slice::from(rows.clone());
        let mut of_rows = Outputs {
            features_gradient: outputs
                .features_gradient
                .as_mut()
                .map(|dx| dx.slice_axis_mut(Axis(0), range())),
            weights_gradient: outputs.weights_gradient.as_mut().map(|dw| dw.view_mut()),
            bias_gradient: outputs.bias_gradient.as_mut().map(|db| db.view_mut()),
            accumulate: true,
            ..Outputs::default()
        };
        let part = problem.rows(rows.clone());
        let statistics = passes.forward(&part).ok()?;
        passes.backward(&part, &statistics, &upstream.rows(rows), &mut of_rows).ok()?;
    }
    Some(())
}

/// The tensor as contiguous memory of the Flex device, copied only if it is strided. `None` on another device.
fn flex<const D: usize>(tensor: Tensor<D>) -> Option<FlexTensor> {
    let tensor = tensor.without_autodiff().try_into_primitive::<Flex>().ok()?;
    Some(if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() })
}

/// An element type of both Flex tensors and the kernels.
trait FlexElement: Element {
    /// The elements of a tensor; `None` if it has another type.
    fn numbers(tensor: &FlexTensor) -> Option<&[Self]>;

    fn data(values: Vec<Self>, shape: &[usize]) -> TensorData;
}

macro_rules! flex_element {
    ($type:ty, $dtype:expr) => {
        impl FlexElement for $type {
            fn numbers(tensor: &FlexTensor) -> Option<&[Self]> {
                (tensor.dtype() == $dtype).then(|| tensor.as_slice())?
            }

            fn data(values: Vec<Self>, shape: &[usize]) -> TensorData {
                TensorData::new(values, shape.to_vec())
            }
        }
    };
}

flex_element!(f32, DType::F32);
flex_element!(f64, DType::F64);
