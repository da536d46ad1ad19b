//! The colours of terminal text.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;

/// Colours text for a terminal, or leaves it unchanged if colour is off.
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

    /// Whether colour is on.
    pub fn is_colored(self) -> bool {
        self.is_colored
    }

    /// Marks a success.
    pub fn good(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// Marks a failure.
    pub fn bad(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// Marks the header of a table.
    pub fn heading(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.is_colored { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}
