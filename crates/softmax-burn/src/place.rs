//! A Burn device with the name of its backend.

use burn::tensor::{DType, Device, Tensor, TensorData};
use softmax_core::Descriptor;
use std::sync::{Arc, OnceLock};

/// A device, with its backend's name and its description.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The backend's name on the command line.
    pub(crate) name: String,
    pub(crate) device: Device,
    /// The hardware, for [`Descriptor::device`].
    description: String,
    has_f64: Arc<OnceLock<bool>>,
}

impl Place {
    pub(crate) fn new(name: impl Into<String>, device: Device, description: impl Into<String>) -> Self {
        Place { name: name.into(), device, description: description.into(), has_f64: Arc::default() }
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

    /// Whether the device supports f64 and the required f64 functions. Probed on the first call, then cached.
    pub(crate) fn has_f64(&self) -> bool {
        *self.has_f64.get_or_init(|| has_f64(&self.device))
    }
}

/// Probes f64 with exp, log and tanh. A device may support f64 without these functions: SPIR-V has no f64 exponential,
/// and the result then depends on the driver.
fn has_f64(device: &Device) -> bool {
    if is_flex(device) {
        return true;
    }
    if !device.supports_dtype(DType::F64) {
        return false;
    }
    let half = || Tensor::<1>::from_data(TensorData::new(vec![0.5f64], [1]), (device, DType::F64));
    let functions =
        [(half().exp(), 0.5f64.exp()), (half().log(), 0.5f64.ln()), (half().tanh(), 0.5f64.tanh())];
    functions.into_iter().all(|(result, expected)| {
        let found = result.try_into_vec_as::<f64>().ok().and_then(|result| result.first().copied());
        found.is_some_and(|found| (found - expected).abs() <= 1e-14)
    })
}

pub(crate) fn is_flex(device: &Device) -> bool {
    *device == Device::flex()
}
