//! A process that evaluates once for each line it is sent, and answers with the seconds that took.

use anyhow::Context;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// How long one process goes on before it is another's turn, and how often at most.
const TURN_S: f64 = 0.1;
const MOST_OF_A_TURN: usize = 50;

#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) ready: Ready,
}

/// What it says when it has warmed up.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) version: String,
    /// Memory that evaluating took beyond inputs and outputs.
    pub(crate) extra_bytes: Option<u64>,
}

impl Worker {
    /// Starts it, and waits until it has warmed up.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("no standard input")?;
        let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut errors = child.stderr.take().context("no standard error")?;
        // Read on the side, so that a library with many warnings is not held up.
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim().lines().last().unwrap_or("").to_owned()
        });
        let mut line = String::new();
        output.read_line(&mut line)?;
        if line.is_empty() {
            let status = child.wait()?;
            let last = errors.join().unwrap_or_default();
            anyhow::ensure!(status.code() != Some(3), "does not do this");
            anyhow::bail!("{status}: {last}");
        }
        let ready = serde_json::from_str(&line).with_context(|| format!("a worker began with {line:?}"))?;
        Ok(Worker { child, input, output, ready })
    }

    /// As many evaluations as a turn has time for, one at least: their seconds. Where there is time for more, the first,
    /// with what another process left of the caches, does not count.
    pub(crate) fn take_turn(&mut self, seconds: &mut Vec<f64>) -> anyhow::Result<()> {
        let first = self.time()?;
        if first > TURN_S {
            seconds.push(first);
            return Ok(());
        }
        let start = Instant::now();
        for _ in 0..MOST_OF_A_TURN {
            seconds.push(self.time()?);
            if start.elapsed().as_secs_f64() > TURN_S {
                break;
            }
        }
        Ok(())
    }

    /// The seconds of one more evaluation.
    fn time(&mut self) -> anyhow::Result<f64> {
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
