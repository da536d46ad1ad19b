//! The colours of terminal text.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;

/// Paints text, or leaves it as it is where colour is not wanted.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    is_colored: bool,
}

impl Palette {
    /// Without colour.
    pub const PLAIN: Palette = Palette { is_colored: false };

    /// With colour or without.
    pub fn new(is_colored: bool) -> Self {
        Palette { is_colored }
    }

    /// Whether it paints at all.
    pub fn is_colored(self) -> bool {
        self.is_colored
    }

    /// A success.
    pub fn good(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// A failure.
    pub fn bad(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// The header of a table.
    pub fn heading(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.is_colored { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}
