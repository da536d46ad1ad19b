//! Compares backends and other libraries on one problem, each in a separate process, and times them in turns.

use crate::args::TimingArgs;
use crate::externals::Externals;
use crate::interrupt;
use crate::judge::{judge, problem_record, reference_record};
use crate::measure::{self, PATIENCE};
use crate::memory::require_reference;
use crate::progress::Progress;
use crate::source::{self, Source};
use crate::worker::{FirstLine, Ready, Worker};
use anyhow::Context;
use softmax::{
    BackendElement, Error, Evaluation, OutputSet, OwnedOutputs, Problem, Quantity, SoftmaxBackend,
};
use softmax_conformance::{Reference, reference};
use softmax_data::{read_evaluation_npz, write_dataset_npz};
use softmax_external::{ADAPTERS, External, Launch, Launcher, write_adapters};
use softmax_record::{Comparison, Measured, Skipped, Task, Time, units};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// The smallest number of rounds, unless another number is requested: enough for a median.
const FEWEST_ROUNDS: usize = 3;

/// The length of a process's turn in seconds, and the largest number of evaluations in it.
const TURN_S: f64 = 0.1;
const MOST_OF_A_TURN: usize = 50;

/// Comparisons in which each contender runs in a separate process.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    program: PathBuf,
    externals: &'a Externals,
    /// The other libraries, or none if they do not take part.
    peers: Vec<Launcher>,
    timing: &'a TimingArgs,
    /// The temporary folder for problems, answers and adapters.
    folder: TempDir,
}

/// A contender that has computed its answer and waits for its turn.
#[derive(Debug)]
struct Contender<T> {
    name: String,
    /// Whether it is another library, which promises no bound.
    is_peer: bool,
    version: String,
    extra_bytes: Option<u64>,
    loss: f64,
    outputs: OwnedOutputs<T>,
    process: Process,
    seconds: Vec<f64>,
    /// The error that ended its turns.
    error: Option<String>,
}

#[derive(Debug)]
enum Process {
    /// This program, with one of its own backends.
    Own(Worker),
    External(Box<External>),
}

impl Process {
    /// Has the process evaluate once more, and returns the seconds.
    fn time(&mut self) -> anyhow::Result<f64> {
        match self {
            Process::Own(worker) => worker.time(),
            Process::External(external) => Ok(external.repeat()?),
        }
    }

    /// Evaluates as often as fits into a turn, and adds the times to `seconds`: at least one, and at most `most` or
    /// [`MOST_OF_A_TURN`]. If there is time for more than one, the first is not counted: its caches are cold.
    fn take_turn(&mut self, most: Option<usize>, seconds: &mut Vec<f64>) -> anyhow::Result<()> {
        let most = most.unwrap_or(MOST_OF_A_TURN).min(MOST_OF_A_TURN);
        let first = self.time()?;
        if first > TURN_S {
            seconds.push(first);
            return Ok(());
        }
        let start = Instant::now();
        for _ in 0..most {
            seconds.push(self.time()?);
            if start.elapsed().as_secs_f64() > TURN_S {
                break;
            }
        }
        Ok(())
    }
}

/// Why a contender does not take part: it is skipped, or it failed.
enum Absence {
    Skipped(Skipped),
    Failed(Error),
}

impl<'a> Contest<'a> {
    /// Keeps its files in a temporary folder beside `output`. `python` is the Python with the other libraries. Without
    /// it they do not take part.
    pub(crate) fn new(
        python: Option<&Path>,
        externals: &'a Externals,
        timing: &'a TimingArgs,
        output: &Path,
    ) -> anyhow::Result<Self> {
        let beside = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        let folder = TempDir::with_prefix_in(".softmax-bench-", beside)
            .with_context(|| beside.display().to_string())?;
        let mut peers = Vec::new();
        if let Some(python) = python {
            write_adapters(folder.path())?;
            peers.extend(ADAPTERS.map(|adapter| {
                let (name, command) = (adapter.name.to_owned(), adapter.command(python, folder.path()));
                Launcher::new(Launch { name, command, time_limit: Launch::TIME_LIMIT })
            }));
        }
        Ok(Contest { program: std::env::current_exe()?, externals, peers, timing, folder })
    }

    /// The names of the other libraries, if they take part.
    pub(crate) fn peers(&self) -> Vec<String> {
        self.peers.iter().map(|peer| peer.name().to_owned()).collect()
    }

    /// Starts a backend or another library, and has it compute its answer.
    fn start<T: BackendElement>(
        &self,
        name: &str,
        (file, problem, set): (&Path, &Problem<'_, T>, OutputSet),
        task: &Task,
    ) -> Result<Contender<T>, Absence> {
        let peer = self.peers.iter().find(|peer| peer.name() == name);
        if let Some(launcher) = peer.or_else(|| self.externals.find(name)) {
            return self.start_external(launcher, peer.is_some(), (problem, set), task.threads);
        }
        self.start_own(name, file, task).map_err(Absence::Skipped)
    }

    fn start_external<T: BackendElement>(
        &self,
        launcher: &Launcher,
        is_peer: bool,
        (problem, set): (&Problem<'_, T>, OutputSet),
        threads: usize,
    ) -> Result<Contender<T>, Absence> {
        let (name, mut external) = (launcher.name(), launcher.alone(Some(threads)));
        // A library that is not installed, fails or does not support the problem is only skipped.
        let absent = |error: Error| match error {
            Error::Unsupported { .. } => Absence::Skipped(Skipped::new(name, error.to_string())),
            Error::Gone { message, .. } | Error::Backend { message, .. } if is_peer => {
                Absence::Skipped(Skipped::new(name, message))
            }
            _ if interrupt::requested() => Absence::Skipped(Skipped::new(name, "interrupted")),
            error => Absence::Failed(error),
        };
        let mut outputs = OwnedOutputs::zeros(problem, set);
        let start = Instant::now();
        // The first call includes all one-time work. The second measures the memory.
        external.evaluate(problem, &mut outputs.as_outputs()).map_err(absent)?;
        let (seconds, budget) = (start.elapsed().as_secs_f64(), self.timing.time_budget);
        if seconds > 2.0 * PATIENCE * budget {
            let (call, budget) = (units::seconds(seconds), units::seconds(budget));
            let reason = format!("its first call took {call}, with a time budget of {budget}");
            let skipped = Skipped { estimate_s: Some(seconds), ..Skipped::new(name, reason) };
            return Err(Absence::Skipped(skipped));
        }
        let watched = external.evaluate_watched(problem, &mut outputs.as_outputs());
        let (evaluation, extra_bytes) = watched.map_err(absent)?;
        Ok(Contender {
            name: name.to_owned(),
            is_peer,
            version: external.version().unwrap_or_default().to_owned(),
            extra_bytes,
            loss: evaluation.loss,
            outputs,
            process: Process::External(Box::new(external)),
            seconds: Vec::new(),
            error: None,
        })
    }

    fn start_own<T: BackendElement>(
        &self,
        name: &str,
        file: &Path,
        task: &Task,
    ) -> Result<Contender<T>, Skipped> {
        let answer = self.folder.path().join(format!("{name}.npz"));
        let mut command = Command::new(&self.program);
        command.args(["workbench", "worker", "--backend", name, "--threads", &task.threads.to_string()]);
        command.args(["--time-budget", &self.timing.time_budget.to_string()]);
        command.arg("--data").arg(file).arg("--answer").arg(&answer).args(task.dx.then_some("--dx"));
        let begin = || -> anyhow::Result<Result<Contender<T>, Skipped>> {
            let (worker, Ready { version, extra_bytes }) = match Worker::start(command)? {
                (worker, FirstLine::Ready(ready)) => (worker, ready),
                (_, FirstLine::Refused(refused)) => return Ok(Err(refused)),
            };
            let (loss, outputs) = read_evaluation_npz::<T>(&answer)?;
            Ok(Ok(Contender {
                name: name.to_owned(),
                is_peer: false,
                version,
                extra_bytes,
                loss,
                outputs,
                process: Process::Own(worker),
                seconds: Vec::new(),
                error: None,
            }))
        };
        begin().unwrap_or_else(|error| Err(Skipped::new(name, format!("{error:#}"))))
    }

    /// Compares all contenders on one problem: checks each, then times those that agree, in turns.
    pub(crate) fn compare<T: BackendElement>(
        &self,
        source: &Source<T>,
        task: &Task,
    ) -> anyhow::Result<Comparison> {
        let problem = source.problem()?;
        let set = source::gradients(&problem, task.dx);
        require_reference(&source.dataset.origin, &problem, set)?;
        let file = self.folder.path().join("problem.npz");
        write_dataset_npz(&file, &source.dataset)?;
        let progress = Progress::new(task.backends.len());
        let (mut contenders, mut failed, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for (k, name) in task.backends.iter().enumerate() {
            if interrupt::requested() {
                skipped.push(Skipped::new(name, "interrupted"));
                continue;
            }
            progress.doing(format!("starting {name}"));
            progress.at(k, task.backends.len());
            match self.start(name, (&file, &problem, set), task) {
                Ok(contender) => contenders.push(contender),
                Err(Absence::Skipped(reason)) => skipped.push(reason),
                Err(Absence::Failed(error)) => failed.push(Measured::failed(name, error.to_string())),
            }
        }
        progress.doing("oracle");
        let reference = reference(&problem, set);
        let mut measured: Vec<Measured> = contenders.iter().map(|one| one.judge(&reference)).collect();
        let agreeing = contenders.iter_mut().zip(&mut measured).filter(|(_, one)| one.agrees());
        let (mut contenders, timed): (Vec<&mut Contender<T>>, Vec<&mut Measured>) = agreeing.unzip();
        let most = self.timing.repeat.map(|_| 1);
        measure::rounds(self.timing, FEWEST_ROUNDS, contenders.len(), &progress, |k| {
            let Contender { process, seconds, error, .. } = &mut *contenders[k];
            if error.is_none() {
                let failed = process.take_turn(most, seconds).err().filter(|_| !interrupt::requested());
                *error = failed.map(|error| format!("{error:#}"));
            }
            Ok(())
        })?;
        for (contender, one) in contenders.into_iter().zip(timed) {
            match contender.error.take() {
                None => one.time = Time::of(std::mem::take(&mut contender.seconds)),
                Some(error) => *one = Measured { peer: one.peer, ..Measured::failed(&one.name, error) },
            }
        }
        measured.extend(failed);
        let record = problem_record(&problem, source, set, task.threads, None);
        Ok(Comparison::new(record, reference_record(&reference), measured, skipped, None))
    }
}

impl<T: BackendElement> Contender<T> {
    /// Checks its loss and gradients against the oracle's. Another library promises no bound, so it has no failures.
    fn judge(&self, reference: &Reference) -> Measured {
        let evaluation = Evaluation { loss: self.loss, total_weight: f64::NAN, correct: None };
        let is_known = |quantity: Quantity| quantity == Quantity::Loss || quantity.is_gradient();
        let mut measured = judge(&self.name, &evaluation, &self.outputs, reference, is_known);
        measured.version = Some(self.version.clone());
        measured.extra_bytes = self.extra_bytes;
        if self.is_peer {
            measured.peer = true;
            measured.failures.clear();
        }
        measured
    }
}
