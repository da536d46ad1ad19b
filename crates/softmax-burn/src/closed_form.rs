use crate::chunk::Asked;
use crate::devices;
use crate::host::{clear_uncounted_rows, evaluate_nothing, facts_wanted, loss, write, write_facts};
use crate::native::by_chunks;
use crate::place::Place;
use crate::problem::Inputs;
use crate::transfer::{count_correct, download_matrix, download_vector, unit, upload};
use burn::tensor::Device;
use softmax_core::{
    Backend, Descriptor, Element, Error, Evaluation, Feature, OutputKind, OutputSet, Outputs, Problem,
    Result, SoftmaxBackend,
};
use std::time::{Duration, Instant};

/// The backend `burn`: computes gradients in closed form, one chunk of rows at a time.
#[derive(Clone, Debug)]
pub struct Burn {
    place: Place,
    chunk_rows: Option<usize>,
    device_time: Option<Duration>,
}

impl Burn {
    /// On Burn's Flex device: the CPU, with SIMD and rayon's global pool.
    pub fn new() -> Self {
        Self::at(devices::flex("burn"))
    }

    /// One backend for each graphics device that [`Device`] finds with this build's cargo features. Names are
    /// `burn-wgpu` and `burn-vulkan`; further devices of a kind are numbered, such as `burn-wgpu-2`.
    pub fn on_graphics_devices() -> Vec<Self> {
        devices::graphics().into_iter().map(Self::at).collect()
    }

    fn at(place: Place) -> Self {
        Burn { place, chunk_rows: None, device_time: None }
    }

    /// The backend's name, such as `burn`.
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// The device that computes.
    pub fn device(&self) -> &Device {
        &self.place.device
    }

    /// Sets the number of samples in a chunk. The default is the number with 16 MiB of scores in f32 (32 MiB in f64),
    /// at least 1.
    #[must_use]
    pub fn chunk_rows(mut self, rows: usize) -> Self {
        self.chunk_rows = Some(rows);
        self
    }

    fn sync(&self) -> Result<()> {
        self.place.device.sync().map_err(|error| Error::Backend {
            backend: self.place.name.clone(),
            message: "the device failed".to_owned(),
            source: Some(error.to_string().into()),
        })
    }
}

/// The set of requested gradients.
fn wanted<T: Element>(outputs: &Outputs<'_, T>) -> OutputSet {
    let kinds = [
        (OutputKind::WeightsGradient, outputs.weights_gradient.is_some()),
        (OutputKind::FeaturesGradient, outputs.features_gradient.is_some()),
        (OutputKind::BiasGradient, outputs.bias_gradient.is_some()),
    ];
    kinds.into_iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| kind).collect()
}

impl Default for Burn {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Burn {
    fn descriptor(&self) -> Descriptor {
        self.place.descriptor()
    }

    /// Everything except sparse or half-precision storage, two passes, and f64 on a device that lacks it or one of its
    /// functions (SPIR-V has no f64 exponential).
    fn supports(&self, feature: Feature) -> bool {
        !feature.is_storage()
            && feature != Feature::TwoPasses
            && (feature != Feature::F64 || self.place.has_f64())
    }
}

impl<T: Element> SoftmaxBackend<T> for Burn {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        self.device_time = None;
        if problem.n_samples() == 0 {
            return Ok(evaluate_nothing(problem, outputs));
        }
        let unit = unit(problem);
        let uploaded = upload(problem, &self.place.device, &self.place.name)?;
        self.sync()?;
        let start = Instant::now();
        let inputs = Inputs::new(&uploaded).with_total_weight(problem.total_weight() / unit);
        let asked = Asked { facts: facts_wanted(problem, outputs, &self.place.device), entropy: None };
        let results = by_chunks(&inputs, &uploaded.objective, wanted(outputs), &asked, self.chunk_rows);
        self.sync()?;
        self.device_time = Some(start.elapsed());

        let name = self.place.name.as_str();
        let (loss_sum, predicted) = write(results.losses, results.lse, results.best, unit, outputs, name)?;
        write_facts(results.facts, outputs, name)?;
        let loss = loss(loss_sum, problem);
        let accumulate = outputs.accumulate;
        if let (Some(dw), Some(gradient)) = (&mut outputs.weights_gradient, results.weights_gradient) {
            download_matrix(gradient, dw, accumulate, name)?;
        }
        if let (Some(dx), Some(gradient)) = (&mut outputs.features_gradient, results.features_gradient) {
            download_matrix(gradient, dx, false, name)?;
            clear_uncounted_rows(problem, dx);
        }
        if let (Some(db), Some(gradient)) = (&mut outputs.bias_gradient, results.bias_gradient) {
            download_vector(gradient, db, accumulate, name)?;
        }
        Ok(Evaluation {
            loss,
            total_weight: problem.total_weight(),
            correct: count_correct(problem, &predicted),
        })
    }
}
