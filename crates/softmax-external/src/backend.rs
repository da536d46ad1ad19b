use crate::connection::{CallError, Connection, Evaluated, Known};
use crate::launch::Launch;
use crate::{folder, process};
use softmax_core::SoftmaxBackend;
use softmax_core::{Backend, Descriptor, Element, Error, Evaluation, Feature, Outputs, Problem, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Starts a backend's processes: one for each number of threads, shared by all backends with that number.
///
/// A process that fails is killed, and the next call starts another. A command that does not start, or fails three
/// times in a row, is given up: every later call returns [`Error::Gone`].
#[derive(Debug)]
pub struct Launcher {
    launch: Launch,
    connections: Mutex<HashMap<Option<usize>, Arc<Mutex<Connection>>>>,
}

impl Launcher {
    /// Starts no process. Making the first backend does.
    pub fn new(launch: Launch) -> Self {
        Launcher { launch, connections: Mutex::default() }
    }

    /// The backend's name.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// The library and its version, as one of the processes reported it.
    pub fn version(&self) -> Option<String> {
        lock(&self.connections).values().find_map(|connection| lock(connection).version())
    }

    /// A backend that shares its process with all others of the same number of threads. `None` lets the process choose.
    pub fn backend(&self, threads: Option<usize>) -> External {
        let mut connections = lock(&self.connections);
        let connection = connections.entry(threads);
        let connection = connection.or_insert_with(|| self.connect(threads));
        External::new(self.launch.name.clone(), Arc::clone(connection), threads)
    }

    /// A backend with a process of its own, for measurements.
    pub fn alone(&self, threads: Option<usize>) -> External {
        External::new(self.launch.name.clone(), self.connect(threads), threads)
    }

    fn connect(&self, threads: Option<usize>) -> Arc<Mutex<Connection>> {
        Arc::new(Mutex::new(Connection::new(self.launch.clone(), threads)))
    }
}

/// A backend that runs as a separate process, in any language. `docs/EXTERNAL.md` specifies the protocol.
///
/// Arrays are passed in safetensors files, in memory if there is room, so that each call copies X and W once.
/// [`device_time`](Backend::device_time) is the time that the process took without these transfers. Accumulation into
/// gradients ([`Outputs::accumulate`]) happens on this side. Options and outputs that the process does not support are
/// [`Error::Unsupported`].
#[derive(Debug)]
pub struct External {
    name: String,
    connection: Arc<Mutex<Connection>>,
    threads: Option<usize>,
    /// What the process reports of itself, or why it did not start.
    hello: Result<Arc<Known>, String>,
    seconds: Option<f64>,
}

impl External {
    fn new(name: String, connection: Arc<Mutex<Connection>>, threads: Option<usize>) -> Self {
        let hello = lock(&connection).hello().map_err(|error| error.to_string());
        External { name, connection, threads, hello, seconds: None }
    }

    /// The library and its version, as the process reports it.
    pub fn version(&self) -> Option<&str> {
        self.hello.as_ref().ok().map(|hello| hello.version.as_str())
    }

    /// Evaluates, and returns the process's peak memory in bytes beyond inputs and outputs, if it is known.
    ///
    /// # Errors
    /// See [`SoftmaxBackend::evaluate`].
    pub fn evaluate_watched<T: Element>(
        &mut self,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<(Evaluation, Option<u64>)> {
        let evaluated = self.call(problem, outputs, true)?;
        Ok((evaluation(problem, evaluated), evaluated.extra_bytes))
    }

    /// Repeats the last evaluation on the arrays that the process already has, and returns the time in seconds.
    ///
    /// # Errors
    /// [`Error::Backend`] if the process fails or has not evaluated anything yet, [`Error::Gone`] if it has ended.
    pub fn repeat(&mut self) -> Result<f64> {
        let seconds = lock(&self.connection).repeat();
        seconds.map_err(|error| self.refuse(error))
    }

    fn call<T: Element>(
        &mut self,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
        watch_memory: bool,
    ) -> Result<Evaluated> {
        self.check(problem, outputs)?;
        if let Err(message) = &self.hello {
            return Err(Error::Gone { backend: self.name.clone(), message: message.clone() });
        }
        let evaluated = lock(&self.connection).evaluate(problem, outputs, watch_memory);
        let evaluated = evaluated.map_err(|error| self.refuse(error))?;
        self.seconds = evaluated.seconds;
        Ok(evaluated)
    }

    fn refuse(&self, error: CallError) -> Error {
        let backend = self.name.clone();
        match error {
            CallError::Gone(message) => Error::Gone { backend, message },
            CallError::Unsupported(feature) => Error::Unsupported { backend, feature },
            CallError::Fault(_) | CallError::Failed(_) => {
                Error::Backend { backend, message: error.to_string(), source: None }
            }
        }
    }
}

fn evaluation<T: Element>(problem: &Problem<'_, T>, evaluated: Evaluated) -> Evaluation {
    Evaluation {
        loss: evaluated.loss,
        total_weight: evaluated.total_weight.unwrap_or_else(|| problem.total_weight()),
        correct: if problem.has_labels() { evaluated.correct } else { None },
    }
}

impl Backend for External {
    fn descriptor(&self) -> Descriptor {
        let known = self.hello.as_ref().ok();
        let of_all = || std::thread::available_parallelism().map_or(1, usize::from);
        Descriptor {
            name: self.name.clone().into(),
            device: known.map_or("unknown".to_owned(), |hello| hello.device.clone()).into(),
            simd: known.map_or("unknown".to_owned(), |hello| hello.version.clone()).into(),
            threads: self.threads.unwrap_or_else(of_all),
            deterministic: known.is_some_and(|hello| hello.deterministic),
        }
    }

    /// If the process did not start, every feature of the protocol counts as supported: a call then reports the reason.
    fn supports(&self, feature: Feature) -> bool {
        match (feature, &self.hello) {
            // A process computes Ω itself, from the samples that it is given.
            (Feature::TwoPasses | Feature::PartOfSamples, _) => false,
            (Feature::Accumulation, _) | (_, Err(_)) => true,
            (_, Ok(hello)) => hello.supports.contains(&feature),
        }
    }

    fn is_batch_invariant(&self) -> bool {
        self.hello.as_ref().is_ok_and(|hello| hello.batch_invariant)
    }

    fn device_time(&self) -> Option<Duration> {
        self.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

impl<T: Element> SoftmaxBackend<T> for External {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        let evaluated = self.call(problem, outputs, false)?;
        Ok(evaluation(problem, evaluated))
    }
}

/// Kills all running processes, for a program that is asked to stop. A call that waits for one fails. Later calls may
/// start new ones.
pub fn end_calls() {
    process::end_running();
}

/// Kills all processes and removes all files, for a program that is about to exit without running destructors, as on a
/// signal.
pub fn end_all() {
    process::end_all();
    folder::discard_all();
}

fn lock<A>(mutex: &Mutex<A>) -> MutexGuard<'_, A> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
