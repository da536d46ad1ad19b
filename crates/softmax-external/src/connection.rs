//! Calls to a process. A process that fails is restarted by the next call, and given up after repeated failures.

use crate::folder::Folder;
use crate::launch::Launch;
use crate::process::{Fault, Process, shortened};
use crate::protocol::{Call, Evaluate, Hello, Number, Reply, Request, VERSION, feature};
use crate::tensors;
use serde::de::DeserializeOwned;
use softmax_core::{Element, Feature, Outputs, Problem};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// The number of consecutive failures after which the process is not restarted.
const PATIENCE: u32 = 3;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// There is no process to answer.
    #[error("{0}")]
    Gone(String),
    /// The process failed and was killed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The process says that the call failed.
    #[error("{0}")]
    Failed(String),
    #[error("it does not support {0}")]
    Unsupported(Feature),
}

/// What a process reports of itself in its first line.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) version: String,
    pub(crate) device: String,
    pub(crate) deterministic: bool,
    pub(crate) batch_invariant: bool,
    pub(crate) supports: Vec<Feature>,
}

/// A process's answer to an evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evaluated {
    pub(crate) loss: f64,
    pub(crate) total_weight: Option<f64>,
    pub(crate) correct: Option<usize>,
    pub(crate) seconds: Option<f64>,
    pub(crate) extra_bytes: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Connection {
    launch: Launch,
    threads: Option<usize>,
    process: Option<Process>,
    hello: Option<Arc<Known>>,
    folder: Option<Folder>,
    last_id: u64,
    failures: u32,
    gone: Option<String>,
}

impl Connection {
    pub(crate) fn new(launch: Launch, threads: Option<usize>) -> Self {
        let (process, hello, folder, gone) = (None, None, None, None);
        Connection { launch, threads, process, hello, folder, last_id: 0, failures: 0, gone }
    }

    /// What the process reports of itself. Starts the process if it was never started.
    pub(crate) fn hello(&mut self) -> Result<Arc<Known>, CallError> {
        if let Some(hello) = &self.hello {
            return Ok(Arc::clone(hello));
        }
        self.start()?;
        self.hello.clone().ok_or_else(|| CallError::Gone("no first line".to_owned()))
    }

    /// The version that the process reported, if it was started.
    pub(crate) fn version(&self) -> Option<String> {
        self.hello.as_ref().map(|hello| hello.version.clone())
    }

    fn start(&mut self) -> Result<(), CallError> {
        if let Some(reason) = &self.gone {
            return Err(CallError::Gone(reason.clone()));
        }
        match self.begin() {
            Ok((process, hello)) => {
                self.process = Some(process);
                self.hello.get_or_insert(Arc::new(hello));
                Ok(())
            }
            // A command that fails to start is not tried again.
            Err(fault) => {
                self.gone = Some(fault.to_string());
                Err(CallError::Gone(fault.to_string()))
            }
        }
    }

    fn begin(&self) -> Result<(Process, Known), Fault> {
        let mut process = Process::start(&self.launch.command, self.threads)?;
        let line = process.receive(self.launch.time_limit)?;
        let hello: Hello = parse(&line, "a first line of JSON with protocol, version and supports")?;
        if hello.protocol != VERSION {
            return Err(refuse(&format!("protocol {VERSION}"), &hello.protocol.to_string()));
        }
        let known = |name: &String| {
            feature(name).ok_or_else(|| refuse("names of features in supports", &format!("{name:?}")))
        };
        let supports: Vec<Feature> = hello.supports.iter().map(known).collect::<Result<_, _>>()?;
        if !supports.iter().any(|feature| matches!(feature, Feature::F32 | Feature::F64)) {
            return Err(refuse("f32 or f64 in supports", "neither"));
        }
        let Hello { version, device, deterministic, batch_invariant, .. } = hello;
        Ok((process, Known { version, device, deterministic, batch_invariant, supports }))
    }

    /// Has the process evaluate a problem, and reads the requested outputs.
    pub(crate) fn evaluate<T: Element>(
        &mut self,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
        watch_memory: bool,
    ) -> Result<Evaluated, CallError> {
        if self.process.is_none() {
            self.start()?;
        }
        let evaluated = self.try_evaluate(problem, outputs, watch_memory);
        self.settle(evaluated)
    }

    /// Has the process repeat its last evaluation, and returns the time in seconds.
    pub(crate) fn repeat(&mut self) -> Result<f64, CallError> {
        if self.process.is_none() {
            return Err(CallError::Gone("the process has ended".to_owned()));
        }
        let seconds = self.call(Call::Repeat).and_then(|reply| {
            Ok(reply.seconds.ok_or_else(|| refuse("seconds, unsupported or error", "none of them"))?)
        });
        self.settle(seconds)
    }

    /// Kills a process that failed, and gives it up after [`PATIENCE`] failures in a row.
    fn settle<R>(&mut self, result: Result<R, CallError>) -> Result<R, CallError> {
        match &result {
            Err(CallError::Fault(fault)) => {
                self.process = None;
                self.failures += 1;
                if self.failures == PATIENCE {
                    self.gone = Some(format!("{PATIENCE} failures in a row, the last: {fault}"));
                }
            }
            _ => self.failures = 0,
        }
        result
    }

    fn try_evaluate<T: Element>(
        &mut self,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
        watch_memory: bool,
    ) -> Result<Evaluated, CallError> {
        let arrays = tensors::of_problem(problem);
        let most = tensors::most_bytes(problem, outputs);
        let (file, answer) = self.files(tensors::size(&arrays).saturating_add(most))?;
        let fault_at = |path: &PathBuf, source| Fault::File { path: path.display().to_string(), source };
        tensors::write(arrays, &file).map_err(|error| fault_at(&file, std::io::Error::other(error)))?;
        let _ = fs::remove_file(&answer);
        let evaluate =
            Evaluate { watch_memory, ..Evaluate::new(problem, outputs, (file.clone(), answer.clone())) };
        let has_outputs = !evaluate.outputs.is_empty();
        let reply = self.call(Call::Evaluate(Box::new(evaluate)))?;
        let Some(Number(loss)) = reply.loss else {
            return Err(refuse("loss, unsupported or error", "none of them").into());
        };
        if problem.has_labels() && reply.correct.is_none() {
            return Err(refuse("correct, since there are labels", "none").into());
        }
        if has_outputs {
            let Ok(found) = fs::metadata(&answer) else {
                return Err(refuse("outputs in the file that the request names as answer", "no file").into());
            };
            if found.len() > most as u64 {
                let (expected, found) =
                    (format!("a file of at most {most} bytes"), format!("{} bytes", found.len()));
                return Err(refuse(&expected, &found).into());
            }
            let bytes = fs::read(&answer).map_err(|source| fault_at(&answer, source))?;
            tensors::read_outputs(&bytes, problem.n_classes(), outputs).map_err(Fault::Arrays)?;
        }
        Ok(Evaluated {
            loss,
            total_weight: reply.total_weight.map(|Number(weight)| weight),
            correct: reply.correct,
            seconds: reply.seconds,
            extra_bytes: reply.extra_bytes,
        })
    }

    /// The paths of the files for the arrays of a problem and of its answer.
    fn files(&mut self, bytes: usize) -> Result<(PathBuf, PathBuf), Fault> {
        let folder = Folder::with_room(self.folder.take(), bytes).map_err(|source| {
            let path = std::env::temp_dir().display().to_string();
            Fault::File { path, source }
        })?;
        let folder = self.folder.insert(folder).path();
        Ok((folder.join("problem.safetensors"), folder.join("answer.safetensors")))
    }

    /// Sends a request and reads the reply. A reply with `unsupported` or `error` is an error.
    fn call(&mut self, call: Call) -> Result<Reply, CallError> {
        let Some(process) = &mut self.process else {
            return Err(CallError::Gone("the process has ended".to_owned()));
        };
        self.last_id += 1;
        let request = Request { id: self.last_id, call };
        let line = serde_json::to_string(&request).map_err(|error| Fault::Answer {
            expected: "names of files in UTF-8".to_owned(),
            found: error.to_string(),
        })?;
        process.send(&line)?;
        let reply: Reply = parse(&process.receive(self.launch.time_limit)?, "an answer in JSON")?;
        if reply.id != request.id {
            return Err(refuse(
                &format!("an answer to call {}", request.id),
                &format!("one to {}", reply.id),
            )
            .into());
        }
        match reply {
            Reply { unsupported: Some(name), .. } => Err(match feature(&name) {
                Some(feature) => CallError::Unsupported(feature),
                None => {
                    refuse("the name of a feature in unsupported", &format!("{:?}", shortened(&name))).into()
                }
            }),
            Reply { error: Some(error), .. } => Err(CallError::Failed(shortened(&error))),
            reply => Ok(reply),
        }
    }
}

fn refuse(expected: &str, found: &str) -> Fault {
    Fault::Answer { expected: expected.to_owned(), found: found.to_owned() }
}

fn parse<A: DeserializeOwned>(line: &str, expected: &str) -> Result<A, Fault> {
    serde_json::from_str(line)
        .map_err(|error| Fault::Line { expected: format!("{expected} ({error})"), found: shortened(line) })
}
