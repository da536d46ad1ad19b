//! What the backends share: a problem from the host, and outputs back to it.

use crate::devices::is_flex;
use crate::transfer::{count_correct, download_classes, download_f64, download_vector};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use softmax_core::{Descriptor, Dtype, Element, Error, Evaluation, Outputs, Problem, Result};
use std::sync::{Arc, OnceLock};

/// A device, and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The backend's name on the command line.
    pub(crate) name: String,
    pub(crate) device: Device,
    /// What computes.
    description: String,
    /// What is wrong with its f64, once it was looked at.
    f64_fault: Arc<OnceLock<Option<String>>>,
}

impl Place {
    pub(crate) fn new(name: impl Into<String>, device: Device, description: impl Into<String>) -> Self {
        Place { name: name.into(), device, description: description.into(), f64_fault: Arc::default() }
    }

    pub(crate) fn descriptor(&self) -> Descriptor {
        let is_flex = is_flex(&self.device);
        Descriptor {
            name: self.name.clone().into(),
            device: self.description.clone().into(),
            simd: if is_flex { "Flex picks" } else { "the device's" }.into(),
            threads: if is_flex { rayon::current_num_threads() } else { 1 },
            deterministic: false,
        }
    }

    /// # Errors
    /// [`Error::Unsupported`] where the device does not compute in this type.
    pub(crate) fn check_type<T: Element>(&self) -> Result<()> {
        let fault = match T::DTYPE {
            Dtype::F32 => return Ok(()),
            Dtype::F64 => self.f64_fault.get_or_init(|| f64_fault(&self.device)),
        };
        let Some(fault) = fault else { return Ok(()) };
        Err(Error::Unsupported {
            backend: self.name.clone(),
            what: format!("f64: the device {} {fault}", self.description),
        })
    }
}

/// Devices may have f64 and yet no exponential of it: SPIR-V has none, and what then comes out is up to the driver.
fn f64_fault(device: &Device) -> Option<String> {
    if is_flex(device) {
        return None;
    }
    if !device.supports_dtype(DType::F64) {
        return Some("does not compute in it".to_owned());
    }
    let half = || Tensor::<1>::from_data(TensorData::new(vec![0.5f64], [1]), (device, DType::F64));
    let functions = [
        ("exp", half().exp(), 0.5f64.exp()),
        ("log", half().log(), 0.5f64.ln()),
        ("tanh", half().tanh(), 0.5f64.tanh()),
    ];
    functions.into_iter().find_map(|(name, result, expected)| {
        let found = result.try_into_vec_as::<f64>().ok().and_then(|result| result.first().copied());
        let is_right = found.is_some_and(|found| (found - expected).abs() <= 1e-14);
        (!is_right).then(|| format!("has no {name} of it"))
    })
}

/// Writes the outputs that the forward pass has, and gives the sum of the losses in f64 and the predicted classes.
pub(crate) fn write<T: Element>(
    losses: Tensor<2>,
    lse: Tensor<2>,
    best: Tensor<2, Int>,
    outputs: &mut Outputs<'_, T>,
    backend: &str,
) -> Result<(f64, Vec<usize>)> {
    let losses = download_f64::<T>(losses, backend)?;
    let predicted = download_classes(best, backend)?;
    if let Some(out) = &mut outputs.sample_losses {
        out.iter_mut().zip(&losses).for_each(|(out, &loss)| *out = T::narrow(loss));
    }
    if let Some(out) = &mut outputs.log_sum_exp {
        download_vector(lse, out, backend)?;
    }
    if let Some(out) = &mut outputs.predicted {
        out.iter_mut().zip(&predicted).for_each(|(out, &class)| *out = class);
    }
    Ok((losses.iter().sum(), predicted))
}

/// (λ/2)·‖W‖²: columns are summed on the device, and their sums on the host in f64.
pub(crate) fn l2_penalty<T: Element>(
    weights: &Tensor<2>,
    problem: &Problem<'_, T>,
    backend: &str,
) -> Result<f64> {
    let lambda = problem.objective().l2;
    if lambda == 0.0 || problem.n_features() == 0 {
        return Ok(0.0);
    }
    let squares = weights.clone().detach().square().sum_dim(0);
    Ok(lambda / 2.0 * download_f64::<T>(squares, backend)?.iter().sum::<f64>())
}

/// Zero samples, which tensors of zero rows would not survive.
pub(crate) fn evaluate_nothing<T: Element>(
    problem: &Problem<'_, T>,
    outputs: &mut Outputs<'_, T>,
    total_weight: f64,
) -> Evaluation {
    let lambda = problem.objective().l2;
    if let Some(dw) = &mut outputs.weights_gradient {
        dw.zip_mut_with(&problem.weights(), |g, &w| *g = T::narrow(lambda) * w);
    }
    if let Some(db) = &mut outputs.bias_gradient {
        db.fill(T::zero());
    }
    let squares: f64 = problem.weights().iter().map(|w| w.widen() * w.widen()).sum();
    let loss = 0.0 / total_weight + lambda / 2.0 * squares;
    Evaluation { loss, total_weight, correct: count_correct(problem, &[]) }
}
