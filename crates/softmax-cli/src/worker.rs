//! Runs `softmax workbench worker`, a process that evaluates once for each line that it is sent, and answers with the
//! seconds.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use softmax_record::Skipped;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The first line that a worker prints: its answer is in the file, or it refuses the problem.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum FirstLine {
    Ready(Ready),
    Refused(Skipped),
}

/// The report of a worker that has warmed up.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Ready {
    pub(crate) version: String,
    /// The peak memory of an evaluation in bytes beyond inputs and outputs, if known.
    pub(crate) extra_bytes: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker, and waits until it has warmed up or refuses.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<(Self, FirstLine)> {
        let program = command.get_program().to_string_lossy().into_owned();
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A process group of its own keeps the terminal's Ctrl-C from the worker: the parent ends its workers itself.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.spawn().context(program)?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut errors = child.stderr.take().context("no standard error")?;
        // Read in a thread, so that a library with many warnings does not block on a full pipe.
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim().lines().last().unwrap_or("").to_owned()
        });
        let mut worker = Worker { child, input, output };
        let mut line = String::new();
        worker.output.read_line(&mut line)?;
        if line.is_empty() {
            let status = worker.child.wait()?;
            anyhow::bail!("{status}: {}", errors.join().unwrap_or_default());
        }
        let first = serde_json::from_str(&line).with_context(|| format!("a worker began with {line:?}"))?;
        Ok((worker, first))
    }

    /// Has the worker evaluate once more, and returns the seconds.
    pub(crate) fn time(&mut self) -> anyhow::Result<f64> {
        self.input.write_all(b"\n")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("a worker ended early, saying {line:?}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
