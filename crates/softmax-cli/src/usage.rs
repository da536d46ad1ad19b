//! Explains mistakes on the command line in one line each. Uses the details of clap's errors, not their layout.

use crate::args::Cli;
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use softmax_data::shown;
use std::error::Error;

/// Explains what is wrong with the command line `words`.
pub(crate) fn explain(error: &clap::Error, words: &[String]) -> String {
    let argument = shown(&all(error, ContextKind::InvalidArg).join(", "));
    let found = shown(&all(error, ContextKind::InvalidValue).join(", "));
    let said = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => format!("expected a command: {}", commands()),
        ErrorKind::InvalidSubcommand => {
            let found = shown(&all(error, ContextKind::InvalidSubcommand).join(" "));
            let meant = meant(error, ContextKind::SuggestedSubcommand);
            format!("expected a command: {}, found {found}{meant}", commands())
        }
        ErrorKind::MissingRequiredArgument => {
            format!("missing: {}", all(error, ContextKind::InvalidArg).join(", "))
        }
        ErrorKind::UnknownArgument if !argument.starts_with('-') && takes_data(words) => {
            format!("unexpected argument {argument}: a file of samples is given as --data {argument}")
        }
        ErrorKind::UnknownArgument => {
            format!("unexpected argument {argument}{}", meant(error, ContextKind::SuggestedArg))
        }
        ErrorKind::InvalidValue => {
            let expected = match all(error, ContextKind::ValidValue).as_slice() {
                [] => "a value".to_owned(),
                values => format!("one of {}", values.join(", ")),
            };
            let found = if found.is_empty() { "none" } else { &found };
            let meant = meant(error, ContextKind::SuggestedValue);
            format!("{argument}: expected {expected}, found {found}{meant}")
        }
        ErrorKind::ValueValidation => {
            let reason = error.source().map_or("invalid value".to_owned(), ToString::to_string);
            format!("{argument}: {reason}, found {found}")
        }
        ErrorKind::TooManyValues => format!("{argument}: expected no value, found {found}"),
        ErrorKind::ArgumentConflict => match all(error, ContextKind::PriorArg).join(", ") {
            prior if prior.is_empty() || prior == argument => {
                format!("{argument}: expected once, found twice")
            }
            prior => format!("{argument} cannot be used with {prior}"),
        },
        other => [other.to_string(), argument].join(" "),
    };
    format!("{said} (try --help)")
}

/// The details of one kind in clap's error, as words.
fn all(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => vec![word],
        Some(ContextValue::Strings(words)) => words.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

fn meant(error: &clap::Error, kind: ContextKind) -> String {
    match all(error, kind).as_slice() {
        [] => String::new(),
        words => format!("; did you mean {}?", words.join(" or ")),
    }
}

fn commands() -> String {
    let cli = Cli::command();
    let names =
        cli.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name());
    names.collect::<Vec<_>>().join(", ")
}

/// Whether the command has a flag `--data`.
fn takes_data(words: &[String]) -> bool {
    let cli = Cli::command();
    let command = words.iter().skip(1).find_map(|word| cli.find_subcommand(word));
    command.is_some_and(|command| command.get_arguments().any(|argument| argument.get_long() == Some("data")))
}
