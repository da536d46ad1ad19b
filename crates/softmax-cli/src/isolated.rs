//! Backends and other libraries on one problem, each in a process of its own, in turns.

use crate::args::TimingArgs;
use crate::interrupt;
use crate::judge::{judge, problem_record, reference_record};
use crate::measure;
use crate::memory::require_reference;
use crate::progress::Progress;
use crate::source::{self, Source};
use crate::worker::{FirstLine, Ready, Worker};
use anyhow::Context;
use softmax::{BackendElement, Evaluation, Quantity};
use softmax_conformance::{Reference, reference};
use softmax_data::{read_evaluation_npz, write_dataset_npz};
use softmax_record::{Comparison, Measured, Skipped, Task, Time};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Rounds without which there is no median.
const FEWEST_ROUNDS: usize = 3;

/// The other libraries' side, and what it knows.
const PEERS: &str = include_str!("../../../benches/peers/worker.py");
const LIBRARIES: [&str; 6] =
    ["numpy", "scikit-learn", "torch-eager", "torch-compile", "torch-linear-cross-entropy", "jax"];

/// Where each contender runs in a process of its own.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    program: PathBuf,
    /// A Python that has the other libraries, if they are to take part.
    python: Option<&'a Path>,
    timing: &'a TimingArgs,
    /// Where problems and answers lie meanwhile.
    folder: TempDir,
}

/// One that has computed its answer, and waits for its turn.
#[derive(Debug)]
struct Contender {
    name: String,
    /// Whether it is another library.
    is_peer: bool,
    ready: Ready,
    worker: Worker,
    seconds: Vec<f64>,
    answer: PathBuf,
}

impl<'a> Contest<'a> {
    /// With its files in a folder beside `output`, which is gone in the end.
    pub(crate) fn new(
        python: Option<&'a Path>,
        timing: &'a TimingArgs,
        output: &Path,
    ) -> anyhow::Result<Self> {
        let beside = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        let folder = TempDir::with_prefix_in(".softmax-bench-", beside)
            .with_context(|| beside.display().to_string())?;
        if python.is_some() {
            std::fs::write(folder.path().join("worker.py"), PEERS)?;
        }
        Ok(Contest { program: std::env::current_exe()?, python, timing, folder })
    }

    /// The other libraries, if they take part.
    pub(crate) fn peers(&self) -> Vec<String> {
        let libraries = if self.python.is_some() { &LIBRARIES[..] } else { &[] };
        libraries.iter().map(|&name| name.to_owned()).collect()
    }

    /// Starts a backend or another library, and has it compute its answer.
    fn start(&self, name: &str, problem: &Path, task: &Task) -> Result<Contender, Skipped> {
        let answer = self.folder.path().join(format!("{name}.npz"));
        let threads = task.threads.to_string();
        let python = self.python.filter(|_| LIBRARIES.contains(&name));
        let mut command;
        if let Some(python) = python {
            command = Command::new(python);
            command.arg(self.folder.path().join("worker.py")).arg(name);
            command.arg(problem).arg(&answer).arg(&threads);
        } else {
            command = Command::new(&self.program);
            command.args(["workbench", "worker", "--backend", name, "--threads", &threads]);
            command.args(["--time-budget", &self.timing.time_budget.to_string()]);
            command.arg("--data").arg(problem).arg("--answer").arg(&answer);
        }
        command.args(task.dx.then_some("--dx"));
        match Worker::start(command) {
            Ok((worker, FirstLine::Ready(ready))) => {
                let (name, is_peer) = (name.to_owned(), python.is_some());
                Ok(Contender { name, is_peer, ready, worker, seconds: Vec::new(), answer })
            }
            Ok((_, FirstLine::Refused(refused))) => Err(refused),
            Err(error) => Err(Skipped::new(name, format!("{error:#}"))),
        }
    }

    /// All contenders on one problem: judged, and then those that agree timed, in turns.
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
        let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
        for (k, name) in task.backends.iter().enumerate() {
            if interrupt::requested() {
                skipped.push(Skipped::new(name, "interrupted"));
                continue;
            }
            progress.doing(format!("starting {name}"));
            progress.at(k, task.backends.len());
            match self.start(name, &file, task) {
                Ok(contender) => contenders.push(contender),
                Err(reason) => skipped.push(reason),
            }
        }
        progress.doing("oracle");
        let reference = reference(&problem, set);
        let judged = contenders.iter().map(|contender| contender.judge::<T>(&reference));
        let mut measured: Vec<Measured> = judged.collect::<Result<_, _>>()?;
        let agreeing = contenders.iter_mut().zip(&mut measured).filter(|(_, one)| one.agrees());
        let (mut contenders, timed): (Vec<&mut Contender>, Vec<&mut Measured>) = agreeing.unzip();
        let most = self.timing.repeat.map(|_| 1);
        measure::rounds(self.timing, FEWEST_ROUNDS, contenders.len(), &progress, |k| {
            let Contender { worker, seconds, .. } = &mut *contenders[k];
            worker.take_turn(most, seconds)
        })?;
        for (contender, one) in contenders.into_iter().zip(timed) {
            one.time = Time::of(std::mem::take(&mut contender.seconds));
        }
        let record = problem_record(&problem, source, set, task.threads, None);
        Ok(Comparison::new(record, reference_record(&reference), measured, skipped, None))
    }
}

impl Contender {
    /// Its loss and gradients, held against the oracle's. Another library promises no bound.
    fn judge<T: BackendElement>(&self, reference: &Reference) -> anyhow::Result<Measured> {
        let (loss, outputs) = read_evaluation_npz::<T>(&self.answer)?;
        let evaluation = Evaluation { loss, total_weight: f64::NAN, correct: None };
        let is_known = |quantity: Quantity| quantity == Quantity::Loss || quantity.is_gradient();
        let mut measured = judge(&self.name, &evaluation, &outputs, reference, is_known);
        measured.version = Some(self.ready.version.clone());
        measured.extra_bytes = self.ready.extra_bytes;
        if self.is_peer {
            measured.peer = true;
            measured.failures.clear();
        }
        Ok(measured)
    }
}
