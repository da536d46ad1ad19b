//! The program `softmax` as a library: [`run`] takes a command line and the backends that it may name. To compute losses
//! in your own program, use the crate `softmax`; this crate is for a program with the same commands and an additional
//! backend:
//!
//! ```no_run
//! # type Mine = softmax::Naive;
//! use std::{env, io, process::ExitCode};
//!
//! fn main() -> ExitCode {
//!     let mut registry = softmax_cli::Registry::built_in();
//!     // One function for f32, one for f64.
//!     registry.add("mine", |_| Box::new(Mine::default()), |_| Box::new(Mine::default()));
//!     softmax_cli::run(env::args_os(), &registry, &mut io::stdout(), &mut io::stderr())
//! }
//! ```

#![forbid(unsafe_code)]

mod accuracy;
mod args;
mod backends;
mod bench;
mod class_counts;
mod compare;
mod data_args;
mod destinations;
mod doubts;
mod eval;
mod externals;
mod fit;
mod fit_args;
mod flags;
mod gradcheck;
mod held_out;
mod interrupt;
mod isolated;
mod json;
mod judge;
mod machine;
mod manual;
mod measure;
mod memory;
mod parallel;
mod predict;
mod progress;
mod search;
mod side_by_side;
mod soak;
mod source;
mod style;
mod sweeps;
mod usage;
mod validation;
mod values;
mod verdict;
mod verify;
mod workbench;
mod worker;

use args::{Cli, Command};
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use parallel::Agreed;
pub use softmax::{Registry, Setup};
use softmax_data::{DataError, printable};
use softmax_record::Palette;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use verdict::Verdict;

/// Runs the program, with results on `out` and everything else on `err`.
///
/// The exit code is 0 if all agree; 1 if a backend disagrees or fails, a case fails, or nothing ran; 2 for bad usage
/// or bad input, with one line on `err`; and 130 after an interruption.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let (mut no_out, mut no_err) = (io::sink(), io::sink());
    let (out, err): (&mut dyn Write, &mut dyn Write) =
        if parallel::is_silent() { (&mut no_out, &mut no_err) } else { (out, err) };
    let palette = style::asked_for(&args).palette();
    let clap_color = if palette.is_colored() { ColorChoice::Always } else { ColorChoice::Never };
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let parsed = Cli::command().color(clap_color).try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(&usage::explain(&error, &words), err),
        Err(help) => return finish(write_help(&help, palette, out).map(|()| Verdict::AllAgree), out, err),
    };
    let done = match &cli.command {
        Command::Compare(args) => compare::run(args, registry, palette, out),
        Command::Eval(args) => eval::run(args, registry, out, err),
        Command::Verify(args) => verify::run(args, registry, palette, out),
        Command::Gradcheck(args) => gradcheck::run(args, registry, palette, out),
        Command::Fit(args) => fit::run(args, registry, out, err),
        Command::Predict(args) => predict::run(args, out, err),
        Command::Backends(args) => backends::run(args, registry, palette, out),
        Command::Bench(args) => bench::run(args, &words, registry, palette, out),
        Command::Completions(args) => manual::completions(args, out),
        Command::Man(args) => manual::page(args, out),
        Command::Workbench(command) => workbench::run(command, registry, out),
    };
    finish(done, out, err)
}

/// Flushes `out`, and turns the result of a command into the exit code.
fn finish(done: anyhow::Result<Verdict>, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let flushed = done.and_then(|verdict| {
        out.flush()?;
        Ok(verdict)
    });
    match flushed {
        Ok(Verdict::AllAgree) => ExitCode::SUCCESS,
        Ok(Verdict::Disagreement) => ExitCode::from(1),
        Ok(Verdict::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        // `mpirun` ends all processes at the first exit code that is not 0, perhaps before the first process has printed.
        Err(error) if parallel::is_silent() && error.is::<Agreed>() => ExitCode::SUCCESS,
        Err(error) if is_of_backend(&error) => {
            refuse(&explain(&error), err);
            ExitCode::from(1)
        }
        Err(error) => refuse(&explain(&error), err),
    }
}

/// Prints an error as one line on `err`, with control characters escaped, and returns exit code 2.
fn refuse(text: &str, err: &mut dyn Write) -> ExitCode {
    // In one write, so that another process of `mpirun` does not print in between.
    let line = format!("softmax: {}\n", printable(text));
    // If even this line can't be written, there is nothing left to do.
    let _ = err.write_all(line.as_bytes());
    if parallel::is_silent() {
        // `mpirun` ends all processes at the first exit code that is not 0. The first process, which has the same command
        // line, prints its line and exits in this time.
        thread::sleep(Duration::from_secs(2));
    }
    ExitCode::from(2)
}

/// An error and its causes in one line, without causes that only repeat it.
fn explain(error: &anyhow::Error) -> String {
    let mut causes = Vec::new();
    for cause in error.chain() {
        causes.push(cause.to_string());
        // The messages of these errors include those of their causes.
        if cause.is::<DataError>() || cause.is::<softmax::Error>() {
            break;
        }
    }
    causes.join(": ")
}

/// Whether a backend failed, as opposed to invalid usage or input.
fn is_of_backend(error: &anyhow::Error) -> bool {
    use softmax::Error::{Backend, Gone};
    let is_agreed = error.downcast_ref::<Agreed>().is_some_and(|agreed| agreed.is_of_backend);
    is_agreed || matches!(error.downcast_ref::<softmax::Error>(), Some(Backend { .. } | Gone { .. }))
}

/// Whether the reader of the output has closed its pipe, as `head` does. That is not a failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

fn write_help(help: &clap::Error, palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    let text = help.render();
    if palette.is_colored() {
        write!(out, "{}", text.ansi())?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}
