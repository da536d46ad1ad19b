//! What the program `softmax` does, as a library, so that a test can put a backend of its own beside the
//! built-in ones.

#![forbid(unsafe_code)]

mod args;
mod backends;
mod bench;
mod compare;
mod destinations;
mod eval;
mod flags;
mod gradcheck;
mod interrupt;
mod isolated;
mod json;
mod judge;
mod machine;
mod manual;
mod measure;
mod progress;
mod search;
mod side_by_side;
mod soak;
mod source;
mod style;
mod sweeps;
mod values;
mod verdict;
mod verify;
mod workbench;
mod worker;

use args::{Cli, Command};
use clap::error::ErrorKind;
use clap::{ColorChoice, CommandFactory, FromArgMatches};
pub use softmax::{Registry, Setup};
use softmax_record::Palette;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use verdict::Verdict;

/// Runs the program: results to `out`, everything else to `err`.
///
/// The exit code is 0 when all agree, 1 when a backend disagrees, a case fails or nothing ran, and 2 for bad usage or bad
/// input, with one line on `err`; 130 after an interruption.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let palette = style::asked_for(&args).palette();
    let clap_color = if palette.is_colored() { ColorChoice::Always } else { ColorChoice::Never };
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let parsed = Cli::command().color(clap_color).try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error, palette, out, err),
    };
    let done = match &cli.command {
        Command::Compare(args) => compare::run(args, registry, palette, out),
        Command::Eval(args) => eval::run(args, registry, err),
        Command::Verify(args) => verify::run(args, registry, palette, out),
        Command::Gradcheck(args) => gradcheck::run(args, registry, palette, out),
        Command::Backends(args) => backends::run(args, registry, palette, out),
        Command::Bench(args) => bench::run(args, &words, registry, palette, out),
        Command::Completions(args) => manual::completions(args, out),
        Command::Man(args) => manual::page(args, out),
        Command::Workbench(command) => workbench::run(command, registry, out),
    };
    match done {
        Ok(Verdict::AllAgree) => ExitCode::SUCCESS,
        Ok(Verdict::Disagreement) => ExitCode::from(1),
        Ok(Verdict::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            // Some errors already say what their cause says.
            causes.dedup_by(|cause, error| error.ends_with(cause.as_str()));
            // Nothing is left to do where even this line can't be written.
            let _ = writeln!(err, "softmax: {}", causes.join(": "));
            ExitCode::from(2)
        }
    }
}

/// A reader that has seen enough, such as `head`, is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// Help goes to `out`; a mistake is one line on `err`.
fn refuse_usage(error: &clap::Error, palette: Palette, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    if !error.use_stderr() {
        let text = error.render();
        let _ = if palette.is_colored() { write!(out, "{}", text.ansi()) } else { write!(out, "{text}") };
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let cli = Cli::command();
        let names: Vec<&str> =
            cli.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name()).collect();
        let _ = writeln!(err, "softmax: expected a command: {} (try --help)", names.join(", "));
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    let said = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said: Vec<&str> = said
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .collect();
    let _ = writeln!(err, "softmax: {} (try --help)", said.join(" ").trim_start_matches("error: "));
    ExitCode::from(2)
}
