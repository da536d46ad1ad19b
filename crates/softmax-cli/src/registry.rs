//! Which backends there are, by name, and how one is made.

use softmax_burn::Burn;
use softmax_core::{Element, SoftmaxBackend};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a backend is made with.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How many threads it may use.
    pub threads: usize,
}

/// Makes a backend for one element type.
pub(crate) type Factory<T> = Arc<dyn Fn(Setup) -> Box<dyn SoftmaxBackend<T>> + Send + Sync>;

/// A backend by name.
#[derive(Clone)]
pub(crate) struct BackendEntry {
    /// Its name on the command line.
    pub(crate) name: String,
    /// Makes it for f32.
    pub(crate) f32: Factory<f32>,
    /// Makes it for f64.
    pub(crate) f64: Factory<f64>,
}

impl fmt::Debug for BackendEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The backends of a program, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Registry {
    entries: Vec<BackendEntry>,
    absent: Vec<Absent>,
    devices: OnceLock<Devices>,
}

/// What a look at the machine's devices found.
#[derive(Clone, Debug, Default)]
struct Devices {
    entries: Vec<BackendEntry>,
    absent: Vec<Absent>,
}

/// A backend that this build does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent {
    pub(crate) name: &'static str,
    /// What brings it.
    pub(crate) remedy: &'static str,
}

/// An element type that registries make backends for.
pub(crate) trait CliElement: Element {
    fn make(entry: &BackendEntry, setup: Setup) -> Box<dyn SoftmaxBackend<Self>>;
}

impl CliElement for f32 {
    fn make(entry: &BackendEntry, setup: Setup) -> Box<dyn SoftmaxBackend<Self>> {
        (entry.f32)(setup)
    }
}

impl CliElement for f64 {
    fn make(entry: &BackendEntry, setup: Setup) -> Box<dyn SoftmaxBackend<Self>> {
        (entry.f64)(setup)
    }
}

impl Registry {
    /// None, until some are added.
    pub(crate) fn empty() -> Self {
        Registry { entries: Vec::new(), absent: Vec::new(), devices: OnceLock::new() }
    }

    /// What this build has.
    pub fn built_in() -> Self {
        use softmax_burn::BurnAutodiff;
        use softmax_fused::Fused;
        use softmax_naive::Naive;
        use softmax_ndarray::NdArray;

        let mut registry = Registry::empty();
        registry.add("naive", |_| Box::new(Naive::new()), |_| Box::new(Naive::new()));
        registry.add(
            "ndarray",
            |setup| with_blas_threads(setup, NdArray::new()),
            |setup| with_blas_threads(setup, NdArray::new()),
        );
        registry.add("burn", |_| Box::new(Burn::flex()), |_| Box::new(Burn::flex()));
        registry.add("burn-autodiff", |_| Box::new(BurnAutodiff::flex()), |_| Box::new(BurnAutodiff::flex()));
        // In rayon's global pool, whose size the command line sets.
        registry.add("fused", |_| Box::new(Fused::detect()), |_| Box::new(Fused::detect()));
        registry.add_openblas();
        registry
    }

    /// Adds a backend, in place of any of that name, by what makes it for f32 and for f64.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        f32: impl Fn(Setup) -> Box<dyn SoftmaxBackend<f32>> + Send + Sync + 'static,
        f64: impl Fn(Setup) -> Box<dyn SoftmaxBackend<f64>> + Send + Sync + 'static,
    ) {
        let name = name.into();
        self.entries.retain(|entry| entry.name != name);
        self.entries.push(BackendEntry { name, f32: Arc::new(f32), f64: Arc::new(f64) });
    }

    #[cfg(feature = "openblas")]
    fn add_openblas(&mut self) {
        use softmax_openblas::OpenBlas;
        self.add(
            "openblas",
            |setup| with_blas_threads(setup, OpenBlas::new()),
            |setup| with_blas_threads(setup, OpenBlas::new()),
        );
    }

    #[cfg(not(feature = "openblas"))]
    fn add_openblas(&mut self) {
        let remedy = "build with --features openblas (Debian: libopenblas-dev, pkg-config)";
        self.absent.push(Absent { name: "openblas", remedy });
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &BackendEntry> {
        self.entries.iter().chain(&self.devices().entries)
    }

    pub(crate) fn absent(&self) -> impl Iterator<Item = &Absent> {
        self.absent.iter().chain(&self.devices().absent)
    }

    /// Burn on the graphics devices that this build can use and this machine has. Loading their drivers takes time and
    /// memory, so that it is not done before someone asks.
    fn devices(&self) -> &Devices {
        self.devices.get_or_init(|| {
            let mut devices = Devices::default();
            for burn in Burn::on_graphics_devices() {
                let (name, again) = (burn.name().to_owned(), burn.clone());
                devices.entries.push(BackendEntry {
                    name,
                    f32: Arc::new(move |_| Box::new(burn.clone())),
                    f64: Arc::new(move |_| Box::new(again.clone())),
                });
            }
            for (name, is_built, feature) in [
                ("burn-wgpu", cfg!(feature = "wgpu"), "build with --features wgpu"),
                ("burn-vulkan", cfg!(feature = "vulkan"), "build with --features vulkan"),
            ] {
                if !devices.entries.iter().any(|entry| entry.name == name) {
                    let none = "no such device is found (Debian: mesa-vulkan-drivers has one in software)";
                    devices.absent.push(Absent { name, remedy: if is_built { none } else { feature } });
                }
            }
            devices
        })
    }

    /// The named backends, or all of them for no name.
    pub(crate) fn select(&self, names: &[String]) -> anyhow::Result<Vec<&BackendEntry>> {
        if names.is_empty() {
            return Ok(self.entries().collect());
        }
        let mut selected: Vec<&BackendEntry> = Vec::new();
        for name in names {
            let entry = self.find(name)?;
            if !selected.iter().any(|chosen| chosen.name == entry.name) {
                selected.push(entry);
            }
        }
        Ok(selected)
    }

    pub(crate) fn find(&self, name: &str) -> anyhow::Result<&BackendEntry> {
        let mut known = self.entries.iter();
        if let Some(entry) = known.find(|entry| entry.name == name) {
            return Ok(entry);
        }
        if let Some(entry) = self.entries().find(|entry| entry.name == name) {
            return Ok(entry);
        }
        if let Some(absent) = self.absent().find(|absent| absent.name == name) {
            anyhow::bail!("backend {name} is not here: {}", absent.remedy);
        }
        let names: Vec<&str> = self.entries().map(|entry| entry.name.as_str()).collect();
        anyhow::bail!("backend: expected one of {}, found {name}", names.join(", "))
    }
}

/// A backend whose products are OpenBLAS's: ndarray's are, in a build that has it.
fn with_blas_threads<T: Element>(
    setup: Setup,
    backend: impl SoftmaxBackend<T> + 'static,
) -> Box<dyn SoftmaxBackend<T>> {
    #[cfg(feature = "openblas")]
    softmax_openblas::set_threads(setup.threads);
    #[cfg(not(feature = "openblas"))]
    let _ = setup;
    Box::new(backend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use softmax_conformance::{check, reference};
    use softmax_core::{OutputSet, OwnedOutputs};
    use std::thread;

    /// Each thread has its own; what they share (pools, devices, a BLAS) must not mix their answers.
    #[test]
    fn every_backend_works_in_many_threads_at_once() {
        let registry = Registry::built_in();
        let (entries, data) = (registry.entries(), softmax_data::digits::<f32>().limit(100));
        let owned = data.into_problem(Default::default(), None, 0).unwrap();
        let problem = owned.problem().unwrap();
        let expected = reference(&problem, OutputSet::ALL);
        thread::scope(|scope| {
            for entry in entries {
                for _ in 0..4 {
                    let (owned, expected) = (&owned, &expected);
                    scope.spawn(move || {
                        let problem = owned.problem().unwrap();
                        let mut backend = (entry.f32)(Setup { threads: 2 });
                        for _ in 0..10 {
                            let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
                            let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs()).unwrap();
                            for error in check(&evaluation, &outputs, expected) {
                                assert!(error.is_within_bound(), "{}: {error}", entry.name);
                            }
                        }
                    });
                }
            }
        });
    }
}
