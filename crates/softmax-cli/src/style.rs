//! Whether to print in colour.

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use softmax_record::Palette;
use std::ffi::OsString;
use std::io;

/// When to print in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// The palette for standard output.
    pub(crate) fn palette(self) -> Palette {
        Palette::new(match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        })
    }
}

/// The value of `--color`, found before the command line is parsed, because its errors and help may be coloured too.
pub(crate) fn asked_for(args: &[OsString]) -> Color {
    let mut args = args.iter().filter_map(|arg| arg.to_str()).take_while(|&arg| arg != "--");
    let mut asked = Color::Auto;
    while let Some(arg) = args.next() {
        let value = match arg.strip_prefix("--color") {
            Some("") => args.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        asked = value.and_then(|value| Color::from_str(value, false).ok()).unwrap_or(asked);
    }
    asked
}
