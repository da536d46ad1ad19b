//! The registry: backends by name, and how each is made.

use softmax_core::{Element, InShards, Setting, SoftmaxBackend};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The settings that a backend is made with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// The number of threads of `fused` and `openblas`; the other built-in backends ignore it. By default `fused` uses
    /// the rayon pool that it is called in, and `openblas` uses OpenBLAS's own setting.
    pub threads: Option<usize>,
    /// The vector instructions of `fused`. By default the widest that the machine supports.
    #[cfg(feature = "fused")]
    pub level: Option<crate::Level>,
    /// The number of class shards for evaluation in two passes ([`InShards`]). By default there is one pass.
    pub shards: Option<usize>,
}

type Factory<T> = Arc<dyn Fn(Setup) -> Box<dyn SoftmaxBackend<T>> + Send + Sync>;

/// A named backend in the registry.
#[derive(Clone)]
pub struct Entry {
    name: String,
    score_arrays: usize,
    f32: Factory<f32>,
    f64: Factory<f64>,
}

impl Entry {
    /// The backend's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The maximum number of N×C arrays that the backend holds during a call. 0 if it holds none or the number is
    /// unknown.
    pub fn score_arrays(&self) -> usize {
        self.score_arrays
    }

    /// Whether the backend has several levels of vector instructions to choose from.
    pub fn has_levels(&self) -> bool {
        !self.make::<f32>(Setup::default()).variants(Setting::Level).is_empty()
    }

    /// Makes the backend.
    pub fn make<T: BackendElement>(&self, setup: Setup) -> Box<dyn SoftmaxBackend<T>> {
        T::make(self, setup)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A known backend that is not available in this build or on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The backend's name.
    pub name: &'static str,
    /// How to make it available, such as a cargo feature or a package.
    pub remedy: &'static str,
}

/// The error for a name under which no backend is available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchBackend {
    /// The backend is known, but not available in this build or on this machine.
    #[error("backend {} is not available: {}", .0.name, .0.remedy)]
    Absent(Absent),
    /// No backend has this name.
    #[error("backend: expected one of {}, found {found}", known.join(", "))]
    Unknown {
        /// The names of the available backends.
        known: Vec<String>,
        /// The name that was requested.
        found: String,
    },
}

/// The element types for which the registry makes backends: `f32` and `f64`.
pub trait BackendElement: Element {
    /// Makes an entry's backend for this type.
    fn make(entry: &Entry, setup: Setup) -> Box<dyn SoftmaxBackend<Self>>;
}

impl BackendElement for f32 {
    fn make(entry: &Entry, setup: Setup) -> Box<dyn SoftmaxBackend<Self>> {
        in_passes((entry.f32)(setup), setup)
    }
}

impl BackendElement for f64 {
    fn make(entry: &Entry, setup: Setup) -> Box<dyn SoftmaxBackend<Self>> {
        in_passes((entry.f64)(setup), setup)
    }
}

fn in_passes<T: Element>(backend: Box<dyn SoftmaxBackend<T>>, setup: Setup) -> Box<dyn SoftmaxBackend<T>> {
    match setup.shards {
        None => backend,
        Some(shards) => Box::new(InShards::new(backend, shards)),
    }
}

/// Backends by name, in display order.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    absent: Vec<Absent>,
    /// Whether to search for graphics devices.
    has_devices: bool,
    /// The result of the search, which runs on first use.
    devices: OnceLock<Devices>,
}

/// The backends on graphics devices, from a search of the machine.
#[derive(Clone, Debug, Default)]
struct Devices {
    entries: Vec<Entry>,
    absent: Vec<Absent>,
}

/// Adds a built-in backend, or records it as absent if its cargo feature is off.
macro_rules! built_in {
    ($registry:ident, $feature:literal, $name:literal, $remedy:literal, $make:expr) => {
        #[cfg(feature = $feature)]
        $registry.add($name, |setup| Box::new($make(setup)), |setup| Box::new($make(setup)));
        #[cfg(not(feature = $feature))]
        $registry.absent.push(Absent { name: $name, remedy: $remedy });
    };
}

impl Registry {
    /// The backends of this build.
    pub fn built_in() -> Self {
        let mut registry = Registry { has_devices: true, ..Registry::default() };
        built_in!(registry, "naive", "naive", "build with --features naive", |_| crate::Naive::new());
        built_in!(registry, "ndarray", "ndarray", "build with --features ndarray", |_| crate::NdArray::new());
        built_in!(registry, "burn", "burn", "build with --features burn", |_| crate::Burn::new());
        built_in!(registry, "burn", "burn-autodiff", "build with --features burn", |_| {
            crate::BurnAutodiff::new()
        });
        built_in!(registry, "fused", "fused", "build with --features fused", fused);
        built_in!(
            registry,
            "openblas",
            "openblas",
            "build with --features openblas (Debian: libopenblas-dev, pkg-config)",
            openblas
        );
        // As measured by `softmax compare`.
        for (name, count) in [("ndarray", 1), ("openblas", 1), ("burn-autodiff", 6)] {
            registry
                .entries
                .iter_mut()
                .filter(|entry| entry.name == name)
                .for_each(|e| e.score_arrays = count);
        }
        registry
    }

    /// Adds a backend, with one function that makes it for f32 and one for f64. Replaces a backend of the same name.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        f32: impl Fn(Setup) -> Box<dyn SoftmaxBackend<f32>> + Send + Sync + 'static,
        f64: impl Fn(Setup) -> Box<dyn SoftmaxBackend<f64>> + Send + Sync + 'static,
    ) {
        let name = name.into();
        self.entries.retain(|entry| entry.name != name);
        self.entries.push(Entry { name, score_arrays: 0, f32: Arc::new(f32), f64: Arc::new(f64) });
    }

    /// All available backends. The first call searches for graphics devices, if the build supports them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().chain(&self.devices().entries)
    }

    /// The known backends that are not available. This also searches for graphics devices.
    pub fn absent(&self) -> impl Iterator<Item = &Absent> {
        self.absent.iter().chain(&self.devices().absent)
    }

    /// The backend named `name`.
    ///
    /// # Errors
    /// [`NoSuchBackend`].
    pub fn find(&self, name: &str) -> Result<&Entry, NoSuchBackend> {
        // Searches for graphics devices only if no other backend has the name.
        let found = self.entries.iter().find(|entry| entry.name == name);
        if let Some(entry) = found.or_else(|| self.entries().find(|entry| entry.name == name)) {
            return Ok(entry);
        }
        Err(match self.absent().find(|absent| absent.name == name) {
            Some(&absent) => NoSuchBackend::Absent(absent),
            None => NoSuchBackend::Unknown {
                known: self.entries().map(|entry| entry.name.clone()).collect(),
                found: name.to_owned(),
            },
        })
    }

    /// The named backends without duplicates, or all backends if `names` is empty.
    ///
    /// # Errors
    /// [`NoSuchBackend`].
    pub fn select(&self, names: &[String]) -> Result<Vec<&Entry>, NoSuchBackend> {
        if names.is_empty() {
            return Ok(self.entries().collect());
        }
        let mut selected: Vec<&Entry> = Vec::new();
        for name in names {
            let entry = self.find(name)?;
            if !selected.iter().any(|chosen| chosen.name == entry.name) {
                selected.push(entry);
            }
        }
        Ok(selected)
    }

    /// Makes the backend named `name`.
    ///
    /// # Errors
    /// [`NoSuchBackend`].
    pub fn make<T: BackendElement>(
        &self,
        name: &str,
        setup: Setup,
    ) -> Result<Box<dyn SoftmaxBackend<T>>, NoSuchBackend> {
        Ok(self.find(name)?.make(setup))
    }

    /// The backends on graphics devices. Loading graphics drivers takes time and memory, so the search runs on first
    /// use.
    fn devices(&self) -> &Devices {
        self.devices.get_or_init(|| if self.has_devices { look_for_devices() } else { Devices::default() })
    }
}

#[cfg(feature = "fused")]
fn fused(setup: Setup) -> crate::Fused {
    let fused = match setup.level {
        Some(level) => crate::Fused::new().level(level),
        None => crate::Fused::new(),
    };
    match setup.threads {
        Some(threads) if threads != rayon::current_num_threads() => fused.threads(threads),
        _ => fused,
    }
}

#[cfg(feature = "openblas")]
fn openblas<T: Element>(setup: Setup) -> crate::OpenBlas<T> {
    match setup.threads {
        Some(threads) => crate::OpenBlas::new().threads(threads),
        None => crate::OpenBlas::new(),
    }
}

/// Finds the graphics devices that this build supports and this machine has, for Burn.
fn look_for_devices() -> Devices {
    let mut devices = Devices::default();
    #[cfg(feature = "burn")]
    for burn in crate::Burn::on_graphics_devices() {
        let (name, again) = (burn.name().to_owned(), burn.clone());
        devices.entries.push(Entry {
            name,
            score_arrays: 0,
            f32: Arc::new(move |_| Box::new(burn.clone())),
            f64: Arc::new(move |_| Box::new(again.clone())),
        });
    }
    for (name, is_built, feature) in [
        ("burn-wgpu", cfg!(feature = "wgpu"), "build with --features wgpu"),
        ("burn-vulkan", cfg!(feature = "vulkan"), "build with --features vulkan"),
    ] {
        if !devices.entries.iter().any(|entry| entry.name == name) {
            let none = "no device found (Debian: mesa-vulkan-drivers provides one in software)";
            devices.absent.push(Absent { name, remedy: if is_built { none } else { feature } });
        }
    }
    devices
}
