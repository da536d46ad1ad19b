//! Thread pools, and for each pool a backend `fused` with its working memory, kept between calls.
//!
//! A forked process has none of its parent's threads. It leaves the parent's pools and backends alone and makes its
//! own.

use crate::error::{CallError, Result};
use pyo3::Borrowed;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use softmax::{BackendElement, Fused, Level, Registry, Setup, SoftmaxBackend};
use std::mem;
use std::process;
use std::sync::{Arc, Mutex};

/// Upper limit of the number of threads. A larger number is a mistake: the system takes minutes to start that many
/// threads.
const MOST_THREADS: usize = 1024;

/// A Python integer of any size. Values beyond i64 become `i64::MIN` or `i64::MAX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole(pub(crate) i64);

impl<'py> FromPyObject<'_, 'py> for Whole {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Whole).or_else(|error| {
            if error.is_instance_of::<PyOverflowError>(object.py()) {
                return Ok(Whole(if object.lt(0)? { i64::MIN } else { i64::MAX }));
            }
            Err(error)
        })
    }
}

/// The requested backend and its settings.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) backend: &'a str,
    pub(crate) threads: Option<Whole>,
    pub(crate) simd: Option<&'a str>,
    /// Working memory in bytes.
    pub(crate) memory: Option<Whole>,
}

/// The thread pool of one process for a requested thread count, and its idle backend.
struct Crew {
    process: u32,
    threads: Option<usize>,
    pool: Arc<ThreadPool>,
    idle: Option<(Settings, Fused)>,
}

/// The settings that an idle backend `fused` was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    level: Option<&'static str>,
    memory: Option<usize>,
}

/// An element type of computations, supported by NumPy, the registry and `fused`.
pub(crate) trait Computed: BackendElement + numpy::Element {
    fn fused(fused: &mut Fused) -> &mut dyn SoftmaxBackend<Self>;
}

impl Computed for f32 {
    fn fused(fused: &mut Fused) -> &mut dyn SoftmaxBackend<Self> {
        fused
    }
}

impl Computed for f64 {
    fn fused(fused: &mut Fused) -> &mut dyn SoftmaxBackend<Self> {
        fused
    }
}

static CREWS: Mutex<Vec<Crew>> = Mutex::new(Vec::new());

/// Runs `compute` with the requested backend on its thread pool.
pub(crate) fn run<T: Computed, R: Send>(
    ask: &Ask<'_>,
    compute: impl FnOnce(&mut dyn SoftmaxBackend<T>) -> R + Send,
) -> Result<R> {
    let level: Option<Level> = ask.simd.map(str::parse).transpose()?;
    let refuse = |found| CallError::value("memory", "a number of bytes", found);
    let memory =
        ask.memory.map(|Whole(memory)| usize::try_from(memory).map_err(|_| refuse(memory))).transpose()?;
    let registry = Registry::built_in();
    let entry = registry.find(ask.backend)?;
    if level.is_some() && !entry.has_levels() {
        return Err(CallError::value("simd", "None, unless the backend is fused", ask.backend));
    }
    if memory.is_some() && entry.name() != "fused" {
        return Err(CallError::value("memory", "None, unless the backend is fused", ask.backend));
    }
    let pool = pool(ask.threads)?;
    if entry.name() != "fused" {
        return Ok(pool.install(|| {
            let threads = Some(rayon::current_num_threads());
            compute(&mut *entry.make::<T>(Setup { threads, level, shards: None }))
        }));
    }
    let settings = Settings { level: level.map(Level::name), memory };
    let mut fused = take_idle(&pool, settings).unwrap_or_else(|| {
        let fused = level.map_or_else(Fused::new, |level| Fused::new().level(level));
        memory.map_or(fused.clone(), |memory| fused.memory(memory))
    });
    let result = pool.install(|| compute(T::fused(&mut fused)));
    give_back(&pool, settings, fused);
    Ok(result)
}

/// This process's thread pool for a thread count, made on first use.
fn pool(threads: Option<Whole>) -> Result<Arc<ThreadPool>> {
    let in_range = |&threads: &usize| (1..=MOST_THREADS).contains(&threads);
    let checked = |Whole(found)| {
        let threads = usize::try_from(found).ok().filter(in_range);
        threads.ok_or_else(|| CallError::value("threads", "a number from 1 to 1024", found))
    };
    let threads = threads.map(checked).transpose()?;
    let make = || -> Result<Arc<ThreadPool>> {
        let builder = ThreadPoolBuilder::new().thread_name(|i| format!("softmax-{i}"));
        // 0 means RAYON_NUM_THREADS if it is set, else the number of processors available to this process.
        Ok(Arc::new(builder.num_threads(threads.unwrap_or(0)).build()?))
    };
    // If another thread held the lock when the parent forked, it stays locked in this process. A call that cannot lock
    // gets a pool of its own.
    let Ok(mut crews) = CREWS.try_lock() else { return make() };
    let process = process::id();
    for crew in crews.extract_if(.., |crew| crew.process != process) {
        // The pool cannot be shut down: its threads do not exist in this process.
        mem::forget(crew);
    }
    if let Some(crew) = crews.iter().find(|crew| crew.threads == threads) {
        return Ok(crew.pool.clone());
    }
    let pool = make()?;
    crews.push(Crew { process, threads, pool: pool.clone(), idle: None });
    Ok(pool)
}

/// Takes the pool's idle backend, if it has these settings.
fn take_idle(pool: &Arc<ThreadPool>, settings: Settings) -> Option<Fused> {
    let mut crews = CREWS.try_lock().ok()?;
    let crew = crews.iter_mut().find(|crew| Arc::ptr_eq(&crew.pool, pool))?;
    crew.idle.take_if(|(its, _)| *its == settings).map(|(_, fused)| fused)
}

fn give_back(pool: &Arc<ThreadPool>, settings: Settings, fused: Fused) {
    if let Ok(mut crews) = CREWS.try_lock()
        && let Some(crew) = crews.iter_mut().find(|crew| Arc::ptr_eq(&crew.pool, pool))
    {
        crew.idle = Some((settings, fused));
    }
}

/// Frees the working memory kept between calls.
#[pyfunction]
pub(crate) fn release_memory() {
    if let Ok(mut crews) = CREWS.try_lock() {
        crews.iter_mut().for_each(|crew| crew.idle = None);
    }
}
