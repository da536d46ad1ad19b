//! Conversion of arrays to tensors and back.

use crate::problem::{DeviceProblem, DeviceTargets};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use ndarray::{Array1, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use softmax_core::{Dtype, Element, Error, Objective, Problem, Result, Targets, ndarray};

/// The ignored label on a device.
const IGNORED: i64 = -1;

/// The unit of losses on the device. Class weights, sample weights and Ω are divided by it, so that none of them
/// overflows if their ratio does not.
pub(crate) fn unit<T: Element>(problem: &Problem<'_, T>) -> f64 {
    problem.mass_unit() * problem.sample_weight_unit()
}

/// Copies a problem to the device. Class weights and ζ are divided by the mass unit, sample weights by the sample
/// weight unit.
///
/// # Errors
/// [`Error::Unsupported`], naming `backend`, if features or weights are not dense arrays of `T`.
pub(crate) fn upload<T: Element>(
    problem: &Problem<'_, T>,
    device: &Device,
    backend: &str,
) -> Result<DeviceProblem> {
    let n = problem.n_samples();
    let (targets, ignores) = match problem.targets() {
        // Without targets no sample counts.
        Targets::Labels(_) | Targets::None => {
            let label = |i| problem.label(i).map_or(IGNORED, |y| y as i64);
            let labels: Vec<i64> = (0..n).map(label).collect();
            let ignores = labels.contains(&IGNORED);
            let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), device);
            (DeviceTargets::Labels(labels), ignores)
        }
        Targets::Soft(soft) => (DeviceTargets::Soft(matrix(*soft, device)), false),
    };
    let vector = |view: ArrayView1<'_, T>| tensor(view.iter().copied(), [view.len()], device);
    let in_units = |view: ArrayView1<'_, T>, unit: f64| {
        let per_unit = T::narrow(1.0 / unit);
        tensor(view.iter().map(|&x| x * per_unit), [view.len()], device)
    };
    Ok(DeviceProblem {
        features: matrix(problem.features().dense(backend)?, device),
        weights: matrix(problem.weights().dense(backend)?, device),
        bias: problem.bias().map(vector),
        targets,
        class_weights: problem.class_weights().map(|w| in_units(w, problem.mass_unit())),
        sample_weights: problem.sample_weights().map(|u| in_units(u, problem.sample_weight_unit())),
        objective: Objective {
            ignore_index: ignores.then_some(IGNORED),
            l2: l2(problem),
            z_loss: problem.objective().z_loss / problem.mass_unit(),
            ..*problem.objective()
        },
    })
}

/// λ, or 0 without targets.
pub(crate) fn l2<T: Element>(problem: &Problem<'_, T>) -> f64 {
    if problem.has_targets() { problem.objective().l2 } else { 0.0 }
}

/// The number of counted samples whose predicted class is their label. `None` without labels.
pub(crate) fn count_correct<T: Element>(problem: &Problem<'_, T>, predicted: &[usize]) -> Option<usize> {
    let is_right = |&i: &usize| problem.label(i) == Some(predicted[i]);
    problem.has_labels().then(|| (0..predicted.len()).filter(is_right).count())
}

fn dtype<T: Element>() -> DType {
    match T::DTYPE {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
    }
}

fn tensor<T: Element, const D: usize>(
    values: impl Iterator<Item = T>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    // `TensorData` requires Burn's own element trait, so `T`'s name selects one of the two concrete types.
    let data = match T::DTYPE {
        Dtype::F32 => TensorData::new(values.map(|x| x.widen() as f32).collect(), shape),
        Dtype::F64 => TensorData::new(values.map(T::widen).collect(), shape),
    };
    Tensor::from_data(data, (device, dtype::<T>()))
}

fn matrix<T: Element>(view: ArrayView2<'_, T>, device: &Device) -> Tensor<2> {
    let shape = view.dim().into();
    match view.as_slice() {
        // Faster than the matrix's own iterator.
        Some(values) => tensor(values.iter().copied(), shape, device),
        None => tensor(view.iter().copied(), shape, device),
    }
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

/// Copies a tensor into a matrix of its shape, or adds it if `add` is set.
pub(crate) fn download_matrix<T: Element>(
    tensor: Tensor<2>,
    out: &mut ArrayViewMut2<'_, T>,
    add: bool,
    backend: &str,
) -> Result<()> {
    let values = download::<T>(tensor, backend)?;
    let shape = out.dim();
    let values = ArrayView2::from_shape(shape, &values).expect("a tensor of the output's shape");
    if add {
        *out += &values;
    } else {
        out.assign(&values);
    }
    Ok(())
}

/// Copies a column or row into a vector, or adds it if `add` is set.
pub(crate) fn download_vector<T: Element>(
    tensor: Tensor<2>,
    out: &mut ArrayViewMut1<'_, T>,
    add: bool,
    backend: &str,
) -> Result<()> {
    let values = Array1::from(download::<T>(tensor, backend)?);
    if add {
        *out += &values;
    } else {
        out.assign(&values);
    }
    Ok(())
}

/// The values of a column, widened to f64.
pub(crate) fn download_f64<T: Element>(tensor: Tensor<2>, backend: &str) -> Result<Vec<f64>> {
    Ok(download::<T>(tensor, backend)?.into_iter().map(T::widen).collect())
}

/// The class indices, or ranks, of a tensor.
pub(crate) fn download_classes(tensor: Tensor<2, Int>, backend: &str) -> Result<Vec<usize>> {
    let classes: Vec<i64> = tensor.try_into_vec_as().map_err(|error| Error::Backend {
        backend: backend.to_owned(),
        message: "could not read the predicted classes back from the device".to_owned(),
        source: Some(error.to_string().into()),
    })?;
    Ok(classes.into_iter().map(|class| class as usize).collect())
}
