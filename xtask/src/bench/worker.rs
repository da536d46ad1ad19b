//! A process that evaluates once for each line it is sent, and answers with the seconds that took.

use anyhow::Context;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) version: String,
}

#[derive(Deserialize)]
struct Ready {
    version: String,
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
        let ready: Ready = serde_json::from_str(&line)?;
        Ok(Worker { child, input, output, version: ready.version })
    }

    /// The seconds of one more evaluation.
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
