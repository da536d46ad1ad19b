//! The threads that compute, and the backend `fused` with its working memory, kept from call to call.
//!
//! A process that was forked has none of its parent's threads: what was kept there is left alone, and made anew.

use crate::error::{CallError, Result};
use pyo3::Borrowed;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use softmax::{BackendElement, Fused, Level, Registry, Setup, SoftmaxBackend};
use std::mem;
use std::process;
use std::sync::{Arc, Mutex};

/// More threads are a mistake, and take the system minutes to start.
const MOST_THREADS: usize = 1024;

/// A whole number of Python's, however large: what is past i64 is its end.
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

/// Which backend is requested, on how many threads.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) backend: &'a str,
    pub(crate) threads: Option<Whole>,
    pub(crate) simd: Option<&'a str>,
    /// Bytes of working memory.
    pub(crate) memory: Option<Whole>,
}

/// The threads of one process that were requested together, and a backend that is between two calls on them.
struct Crew {
    process: u32,
    threads: Option<usize>,
    pool: Arc<ThreadPool>,
    idle: Option<(Settings, Fused)>,
}

/// What the backend `fused` was asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    level: Option<&'static str>,
    memory: Option<usize>,
}

/// An element type that is computed in, of NumPy, the registry and `fused`.
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

/// Gives `compute` to the threads, with the backend.
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
        return Err(CallError::value("simd", "None but for the backend fused", ask.backend));
    }
    if memory.is_some() && entry.name() != "fused" {
        return Err(CallError::value("memory", "None but for the backend fused", ask.backend));
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

/// The threads of this process for so many, made where they are not there yet.
fn pool(threads: Option<Whole>) -> Result<Arc<ThreadPool>> {
    let in_range = |&threads: &usize| (1..=MOST_THREADS).contains(&threads);
    let checked = |Whole(found)| {
        let threads = usize::try_from(found).ok().filter(in_range);
        threads.ok_or_else(|| CallError::value("threads", "a number from 1 to 1024", found))
    };
    let threads = threads.map(checked).transpose()?;
    let make = || -> Result<Arc<ThreadPool>> {
        let builder = ThreadPoolBuilder::new().thread_name(|i| format!("softmax-{i}"));
        // 0 is as many as the machine has for this process, or RAYON_NUM_THREADS says.
        Ok(Arc::new(builder.num_threads(threads.unwrap_or(0)).build()?))
    };
    // A lock that another thread of a parent held when it forked stays locked: this call then has threads of its own.
    let Ok(mut crews) = CREWS.try_lock() else { return make() };
    let process = process::id();
    for crew in crews.extract_if(.., |crew| crew.process != process) {
        // Its threads are not here to be ended.
        mem::forget(crew);
    }
    if let Some(crew) = crews.iter().find(|crew| crew.threads == threads) {
        return Ok(crew.pool.clone());
    }
    let pool = make()?;
    crews.push(Crew { process, threads, pool: pool.clone(), idle: None });
    Ok(pool)
}

/// The idle backend of these threads, if it has these settings.
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

/// Frees the working memory that is kept between calls.
#[pyfunction]
pub(crate) fn release_memory() {
    if let Ok(mut crews) = CREWS.try_lock() {
        crews.iter_mut().for_each(|crew| crew.idle = None);
    }
}
