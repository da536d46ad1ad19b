//! Which backends there are, by name, and how one is made.

use softmax_core::{Element, InShards, Setting, SoftmaxBackend};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a backend is made with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// How many threads it may use. By default as many as the rayon pool that it is called in, or for OpenBLAS as many as
    /// it was told in its own ways.
    pub threads: Option<usize>,
    /// The vector instructions of `fused`. By default the widest that the machine has.
    #[cfg(feature = "fused")]
    pub level: Option<crate::Level>,
    /// In two passes, with the classes in so many shards ([`InShards`]). By default in one pass.
    pub shards: Option<usize>,
}

type Factory<T> = Arc<dyn Fn(Setup) -> Box<dyn SoftmaxBackend<T>> + Send + Sync>;

/// A backend by name.
#[derive(Clone)]
pub struct Entry {
    name: String,
    score_arrays: usize,
    f32: Factory<f32>,
    f64: Factory<f64>,
}

impl Entry {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many arrays of N×C numbers it holds during a call, at most; 0 of one that holds none, or is not known to.
    pub fn score_arrays(&self) -> usize {
        self.score_arrays
    }

    /// Whether it has vector instructions to choose from.
    pub fn has_levels(&self) -> bool {
        !self.make::<f32>(Setup::default()).variants(Setting::Level).is_empty()
    }

    /// Makes it.
    pub fn make<T: BackendElement>(&self, setup: Setup) -> Box<dyn SoftmaxBackend<T>> {
        T::make(self, setup)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A backend that this build or this machine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Its name.
    pub name: &'static str,
    /// What brings it.
    pub remedy: &'static str,
}

/// A name that no backend has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchBackend {
    /// A backend that this build or this machine does not have.
    #[error("backend {} is not here: {}", .0.name, .0.remedy)]
    Absent(Absent),
    /// No backend at all.
    #[error("backend: expected one of {}, found {found}", known.join(", "))]
    Unknown {
        /// The names that there are.
        known: Vec<String>,
        /// The name that was requested.
        found: String,
    },
}

/// An element type that backends are made for: `f32` and `f64`.
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

/// Backends by name, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    absent: Vec<Absent>,
    /// Whether graphics devices are looked for, and what was found.
    has_devices: bool,
    devices: OnceLock<Devices>,
}

/// What a look at the machine's graphics devices found.
#[derive(Clone, Debug, Default)]
struct Devices {
    entries: Vec<Entry>,
    absent: Vec<Absent>,
}

/// Adds a backend that is built in, or says what would bring it.
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
        // As `softmax compare` measures them.
        for (name, count) in [("ndarray", 1), ("openblas", 1), ("burn-autodiff", 6)] {
            registry
                .entries
                .iter_mut()
                .filter(|entry| entry.name == name)
                .for_each(|e| e.score_arrays = count);
        }
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
        self.entries.push(Entry { name, score_arrays: 0, f32: Arc::new(f32), f64: Arc::new(f64) });
    }

    /// All that there are. The first call looks for graphics devices, where the build can use them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().chain(&self.devices().entries)
    }

    /// Those that are not there.
    pub fn absent(&self) -> impl Iterator<Item = &Absent> {
        self.absent.iter().chain(&self.devices().absent)
    }

    /// The backend of a name.
    ///
    /// # Errors
    /// [`NoSuchBackend`].
    pub fn find(&self, name: &str) -> Result<&Entry, NoSuchBackend> {
        // Graphics devices are looked for last.
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

    /// The named backends, each once, or all of them for no name.
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

    /// Makes the backend of a name.
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

    /// Loading the drivers of graphics devices takes time and memory, so that it is not done before someone asks.
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

/// Burn on the graphics devices that this build can use and this machine has.
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
            let none = "no such device is found (Debian: mesa-vulkan-drivers has one in software)";
            devices.absent.push(Absent { name, remedy: if is_built { none } else { feature } });
        }
    }
    devices
}
