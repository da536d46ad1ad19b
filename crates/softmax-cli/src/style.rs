//! Colour, where it is wanted.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use std::ffi::OsString;
use std::fmt::Display;
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

/// Whether the result is printed in colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    color: bool,
}

impl Palette {
    pub(crate) const PLAIN: Palette = Palette { color: false };

    pub(crate) fn new(color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        };
        Palette { color }
    }

    pub(crate) fn is_colored(self) -> bool {
        self.color
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    pub(crate) fn heading(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

/// What `--color` says, before the command line is understood: its errors and its help have colours too.
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
