//! Backends and other libraries on one problem, each in a process of its own, in turns.

use super::peers;
use super::worker::Worker;
use crate::records::{Entry, Errors, Roofline, Seconds, Task};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Rounds that are enough for a median, and those without which there is none.
const MOST_ROUNDS: usize = 200;
const FEWEST_ROUNDS: usize = 3;

/// Who takes part, and where.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    /// The program that has the backends.
    pub(crate) program: &'a Path,
    /// A Python that has the other libraries, if they are to take part.
    pub(crate) python: Option<&'a Path>,
    pub(crate) backends: &'a [String],
    /// Where problems and answers lie meanwhile.
    pub(crate) folder: &'a Path,
}

/// One that has computed its answer, and waits for its turn.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) threads: usize,
    pub(crate) worker: Worker,
    seconds: Vec<f64>,
    answer: PathBuf,
}

impl Contest<'_> {
    pub(crate) fn names(&self) -> Vec<String> {
        let libraries = if self.python.is_some() { &peers::LIBRARIES[..] } else { &[] };
        self.backends.iter().cloned().chain(libraries.iter().map(|&name| name.to_owned())).collect()
    }

    /// All of them on one problem, timed for so many seconds, and judged.
    pub(crate) fn side_by_side(
        &self,
        task: &Task,
        threads: usize,
        seconds: f64,
    ) -> anyhow::Result<Vec<Entry>> {
        let problem = self.write_problem(task)?;
        let mut entries = Vec::new();
        let mut contenders = Vec::new();
        for name in self.names() {
            eprintln!("{}: {name}", task.title());
            match self.start(&name, task, &problem, threads) {
                Ok(contender) => contenders.push(contender),
                Err(error) => entries.push(Entry::absent(name, format!("{error:#}"))),
            }
        }
        take_turns(&mut contenders, seconds)?;
        let verdicts = self.judge(&problem, &contenders)?;
        let measured = contenders.into_iter().zip(verdicts).map(|(contender, errors)| Entry {
            version: Some(contender.worker.ready.version.clone()),
            extra_bytes: contender.worker.ready.extra_bytes,
            errors: Some(errors),
            absent: None,
            seconds: contender.seconds(),
            name: contender.name,
        });
        // Those that are absent last.
        let mut all: Vec<Entry> = measured.collect();
        all.append(&mut entries);
        Ok(all)
    }

    pub(crate) fn write_problem(&self, task: &Task) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("problem.npz");
        self.workbench(
            &["problem", "--synthetic", &task.shape, "--dtype", &task.dtype],
            &[("--out", &path)],
        )?;
        Ok(path)
    }

    /// A backend, or one of the other libraries.
    pub(crate) fn start(
        &self,
        name: &str,
        task: &Task,
        problem: &Path,
        threads: usize,
    ) -> anyhow::Result<Contender> {
        let answer = self.folder.join(format!("{name}.npz"));
        let threads_text = threads.to_string();
        let mut command = match self.python.filter(|_| peers::LIBRARIES.contains(&name)) {
            Some(python) => {
                let mut command = Command::new(python);
                command.args(["benches/peers/worker.py", name]).arg(problem).arg(&answer).arg(&threads_text);
                command
            }
            None => {
                let mut command = Command::new(self.program);
                command.args(["workbench", "worker", "--backend", name, "--threads", &threads_text]);
                command.arg("--data").arg(problem).arg("--answer").arg(&answer);
                command
            }
        };
        command.args(task.dx.then_some("--dx"));
        let worker = Worker::start(command)?;
        Ok(Contender { name: name.to_owned(), threads, worker, seconds: Vec::new(), answer })
    }

    fn judge(&self, problem: &Path, contenders: &[Contender]) -> anyhow::Result<Vec<Errors>> {
        if contenders.is_empty() {
            return Ok(Vec::new());
        }
        let answers = contenders.iter().map(|contender| ("--answer", contender.answer.as_path()));
        let paths: Vec<_> = [("--data", problem)].into_iter().chain(answers).collect();
        let text = String::from_utf8(self.workbench(&["judge"], &paths)?)?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    pub(crate) fn roofline(&self, task: &Task, threads: usize) -> anyhow::Result<Roofline> {
        let threads = threads.to_string();
        let dx: &[&str] = if task.dx { &["--dx"] } else { &[] };
        let args = ["roofline", "--threads", &threads, "--synthetic", &task.shape, "--dtype", &task.dtype];
        Ok(serde_json::from_slice(&self.workbench(&[&args, dx].concat(), &[])?)?)
    }

    pub(crate) fn workbench(&self, args: &[&str], paths: &[(&str, &Path)]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(self.program);
        command.arg("workbench").args(args);
        for (flag, path) in paths {
            command.arg(flag).arg(path);
        }
        let output = command.output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(output.stdout)
    }
}

/// Rounds for so many seconds, in each of which everyone has a turn.
pub(crate) fn take_turns(contenders: &mut [Contender], seconds: f64) -> anyhow::Result<()> {
    let start = Instant::now();
    let budget = Duration::from_secs_f64(seconds);
    for round in 0..MOST_ROUNDS {
        if round >= FEWEST_ROUNDS && start.elapsed() > budget {
            break;
        }
        for contender in &mut *contenders {
            contender.worker.take_turn(&mut contender.seconds)?;
        }
    }
    Ok(())
}

impl Contender {
    pub(crate) fn seconds(&self) -> Option<Seconds> {
        Seconds::of(self.seconds.clone())
    }
}
