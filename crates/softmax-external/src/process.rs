//! A child process and the lines that are exchanged with it. Whatever the process does, waiting for a line ends within
//! a time limit, and a failure is a one-line error.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The largest number of bytes that is read for one line.
const LONGEST_LINE: u64 = 1 << 16;

/// The number of characters of a process's output that an error quotes.
const QUOTED: usize = 200;

/// How long to wait for the end of standard error, and again for the exit status, once a process has failed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Environment variables from which libraries take their number of threads. The first is defined by this protocol.
const THREADS: [&str; 5] =
    ["SOFTMAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"];

/// The ids of the running processes.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// What can go wrong with a process. `Display` is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("could not start {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("the process ended{}{}", of_status(*.status), of_words(.last_words))]
    Ended { status: Option<std::process::ExitStatus>, last_words: String },
    #[error("the process gave no answer within {} s", .limit.as_secs_f64())]
    Slow { limit: Duration },
    #[error("expected {expected}, found {found:?}")]
    Line { expected: String, found: String },
    #[error("expected {expected}, found {found}")]
    Answer { expected: String, found: String },
    #[error("{0}")]
    Arrays(String),
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
}

fn of_status(status: Option<std::process::ExitStatus>) -> String {
    status.map_or(String::new(), |status| format!(" with {status}"))
}

fn of_words(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

/// The first [`QUOTED`] characters of a text, with control characters replaced by spaces.
pub(crate) fn shortened(text: &str) -> String {
    let mut start: String =
        text.trim().chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(QUOTED).is_some() {
        start.push('…');
    }
    start
}

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    lines: Receiver<Line>,
    last_words: Arc<Mutex<String>>,
    errors_end: Receiver<()>,
}

/// A line that was read from standard output.
#[derive(Debug)]
enum Line {
    Whole(String),
    TooLong(String),
    NoText,
}

impl Process {
    pub(crate) fn start(command: &[String], threads: Option<usize>) -> Result<Self, Fault> {
        let (program, arguments) = command.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(threads) = threads {
            command.envs(THREADS.map(|variable| (variable, threads.to_string())));
        }
        // A process group of its own keeps the terminal's Ctrl-C from the process: this program ends the group itself.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let refuse = |source| Fault::Start { program: program.to_owned(), source };
        let mut running = running();
        let mut child = command.spawn().map_err(refuse)?;
        running.push(child.id());
        drop(running);
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(refuse(io::ErrorKind::BrokenPipe.into()));
        };
        let last_words = Arc::new(Mutex::new(String::new()));
        let words = Arc::clone(&last_words);
        // The channel holds one line, so that a process that writes more has to wait.
        let (to_lines, lines) = sync_channel(1);
        let (at_end, errors_end) = sync_channel(1);
        thread::spawn(move || read_lines(output, &to_lines));
        thread::spawn(move || {
            read_errors(errors, &words);
            let _ = at_end.send(());
        });
        Ok(Process { child, input, lines, last_words, errors_end })
    }

    pub(crate) fn send(&mut self, line: &str) -> Result<(), Fault> {
        // Standard error of earlier calls does not explain a failure of this one.
        self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let sent = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        sent.map_err(|_| self.ended())
    }

    /// The next line, if it comes within `limit`.
    pub(crate) fn receive(&mut self, limit: Duration) -> Result<String, Fault> {
        let expected = || "a line of JSON".to_owned();
        match self.lines.recv_timeout(limit) {
            Ok(Line::Whole(line)) => Ok(line),
            Ok(Line::TooLong(start)) => {
                let found = format!("{}, a line beyond {LONGEST_LINE} bytes", shortened(&start));
                Err(Fault::Line { expected: expected(), found })
            }
            Ok(Line::NoText) => Err(Fault::Answer { expected: expected(), found: "no text".to_owned() }),
            Err(RecvTimeoutError::Timeout) => Err(Fault::Slow { limit }),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// The fault of a process that has ended, with its exit status and the last line of its standard error.
    fn ended(&mut self) -> Fault {
        let _ = self.errors_end.recv_timeout(LAST_WORDS);
        // Standard output can close shortly before the process exits.
        let until = Instant::now() + LAST_WORDS;
        let mut status = self.child.try_wait().ok().flatten();
        while status.is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
            status = self.child.try_wait().ok().flatten();
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        Fault::Ended { status, last_words: words.clone() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        running().retain(|&id| id != self.child.id());
        end_group(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the process group of a process that was started here, which includes the processes that it has started.
fn end_group(id: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
}

/// Kills all running processes. New ones can still be started.
pub(crate) fn end_running() {
    running().iter().for_each(|&id| end_group(id));
}

/// Kills all running processes and prevents new ones, for a program that is about to exit.
pub(crate) fn end_all() {
    let running = running();
    running.iter().for_each(|&id| end_group(id));
    // The lock stays held, so that no new process is started.
    std::mem::forget(running);
}

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends lines to `to` until the output ends. A line that is too long or not UTF-8 is the last.
fn read_lines(output: ChildStdout, to: &SyncSender<Line>) {
    let mut output = BufReader::new(output);
    loop {
        let mut bytes = Vec::new();
        let line = match output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => String::from_utf8(bytes).map_or(Line::NoText, |text| {
                if text.ends_with('\n') || (text.len() as u64) < LONGEST_LINE {
                    Line::Whole(text)
                } else {
                    Line::TooLong(text)
                }
            }),
        };
        let is_last = !matches!(line, Line::Whole(_));
        if to.send(line).is_err() || is_last {
            return;
        }
    }
}

/// Keeps the last non-empty line in `last`.
fn read_errors(errors: ChildStderr, last: &Mutex<String>) {
    let mut errors = BufReader::new(errors);
    loop {
        let mut bytes = Vec::new();
        match errors.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let line = shortened(&String::from_utf8_lossy(&bytes));
                if !line.is_empty() {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
            }
        }
    }
}
