//! Shows progress on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with a message, cleared on drop.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{msg:32} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Sets the message.
    pub(crate) fn doing(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// Sets the position of the bar: `done` of `of` steps.
    pub(crate) fn at(&self, done: usize, of: usize) {
        self.0.set_length(of as u64);
        self.0.set_position(done as u64);
    }
}

/// A message without a bar, for work of unknown length. Cleared on drop.
#[derive(Debug)]
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    pub(crate) fn new() -> Self {
        Spinner(ProgressBar::new_spinner())
    }

    /// Sets the message.
    pub(crate) fn say(&self, what: String) {
        self.0.set_message(what);
        self.0.tick();
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
