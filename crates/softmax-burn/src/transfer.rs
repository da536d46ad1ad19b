//! Arrays to tensors and back.

use crate::problem::{DeviceProblem, DeviceTargets};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use softmax_core::{Dtype, Element, Error, Problem, Reduction, Result, Targets, ndarray};

/// What stands for an ignored label on a device.
const IGNORED: i64 = -1;

pub(crate) fn upload<T: Element>(problem: &Problem<'_, T>, device: &Device) -> DeviceProblem {
    let targets = match problem.targets() {
        Targets::Labels(labels) => {
            let label = |&y: &usize| if problem.is_ignored(y) { IGNORED } else { y as i64 };
            let labels: Vec<i64> = labels.iter().map(label).collect();
            let length = labels.len();
            DeviceTargets::Labels(Tensor::<1, Int>::from_data(TensorData::new(labels, [length]), device))
        }
        Targets::Soft(soft) => DeviceTargets::Soft(matrix(*soft, device)),
    };
    let ignores =
        matches!(problem.targets(), Targets::Labels(labels) if labels.iter().any(|&y| problem.is_ignored(y)));
    let vector = |view: ArrayView1<'_, T>| tensor::<T, 1>(view.to_vec(), [view.len()], device);
    DeviceProblem {
        features: matrix(problem.features(), device),
        weights: matrix(problem.weights(), device),
        bias: problem.bias().map(vector),
        targets,
        class_weights: problem.class_weights().map(vector),
        sample_weights: problem.sample_weights().map(vector),
        ignore_index: ignores.then_some(IGNORED),
        objective: *problem.objective(),
    }
}

/// Ω, in f64, on the host.
pub(crate) fn total_weight<T: Element>(problem: &Problem<'_, T>) -> f64 {
    if problem.objective().reduction == Reduction::Sum {
        return 1.0;
    }
    let sample_weight = |i: usize| problem.sample_weights().map_or(1.0, |u| u[i].widen());
    let class_weight = |y: usize| problem.class_weights().map_or(1.0, |w| w[y].widen());
    match problem.targets() {
        Targets::Labels(labels) => labels
            .indexed_iter()
            .filter(|&(_, &y)| !problem.is_ignored(y))
            .map(|(i, &y)| sample_weight(i) * class_weight(y))
            .sum(),
        Targets::Soft(_) => (0..problem.n_samples()).map(sample_weight).sum(),
    }
}

/// How many samples that count have their label as the predicted class.
pub(crate) fn count_correct<T: Element>(problem: &Problem<'_, T>, predicted: &[usize]) -> Option<usize> {
    match problem.targets() {
        Targets::Labels(labels) => {
            let right = |(y, predicted): &(&usize, &usize)| y == predicted && !problem.is_ignored(**y);
            Some(labels.iter().zip(predicted).filter(right).count())
        }
        Targets::Soft(_) => None,
    }
}

fn dtype<T: Element>() -> DType {
    match T::DTYPE {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
    }
}

fn tensor<T: Element, const D: usize>(values: Vec<T>, shape: [usize; D], device: &Device) -> Tensor<D> {
    // `T` is one of two types, and `TensorData` asks for Burn's own trait: go by the name.
    let data = match T::DTYPE {
        Dtype::F32 => TensorData::new(values.iter().map(|x| x.widen() as f32).collect(), shape),
        Dtype::F64 => TensorData::new(values.iter().map(|x| x.widen()).collect(), shape),
    };
    Tensor::from_data(data, (device, dtype::<T>()))
}

fn matrix<T: Element>(view: ArrayView2<'_, T>, device: &Device) -> Tensor<2> {
    let (rows, columns) = view.dim();
    tensor(view.iter().copied().collect(), [rows, columns], device)
}

fn download<T: Element>(tensor: Tensor<2>, backend: &str) -> Result<Vec<T>> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| Error::Backend {
        backend: backend.to_owned(),
        message: "could not read a tensor back from the device".to_owned(),
        source: Some(error),
    };
    match T::DTYPE {
        Dtype::F32 => {
            let values: Vec<f32> = tensor.try_into_vec_as().map_err(|e| failed(e.to_string().into()))?;
            Ok(values.into_iter().map(|x| T::narrow(f64::from(x))).collect())
        }
        Dtype::F64 => {
            let values: Vec<f64> = tensor.try_into_vec_as().map_err(|e| failed(e.to_string().into()))?;
            Ok(values.into_iter().map(T::narrow).collect())
        }
    }
}

/// Copies a tensor into a matrix of its shape.
pub(crate) fn download_matrix<T: Element>(
    tensor: Tensor<2>,
    out: &mut ArrayViewMut2<'_, T>,
    backend: &str,
) -> Result<()> {
    let values = download::<T>(tensor, backend)?;
    let shape = out.dim();
    out.assign(&ArrayView2::from_shape(shape, &values).expect("a tensor of the output's shape"));
    Ok(())
}

/// Copies a column or row into a vector.
pub(crate) fn download_vector<T: Element>(
    tensor: Tensor<2>,
    out: &mut ArrayViewMut1<'_, T>,
    backend: &str,
) -> Result<()> {
    out.assign(&ArrayView1::from(&download::<T>(tensor, backend)?));
    Ok(())
}

/// The values of a column, widened.
pub(crate) fn download_f64<T: Element>(tensor: Tensor<2>, backend: &str) -> Result<Vec<f64>> {
    Ok(download::<T>(tensor, backend)?.into_iter().map(T::widen).collect())
}

/// Class numbers.
pub(crate) fn download_classes(tensor: Tensor<2, Int>, backend: &str) -> Result<Vec<usize>> {
    let classes: Vec<i64> = tensor.try_into_vec_as().map_err(|error| Error::Backend {
        backend: backend.to_owned(),
        message: "could not read the predicted classes back from the device".to_owned(),
        source: Some(error.to_string().into()),
    })?;
    Ok(classes.into_iter().map(|class| class as usize).collect())
}
