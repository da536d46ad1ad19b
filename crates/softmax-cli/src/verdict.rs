//! How a command ends.

/// How a command ended, when nothing went wrong with the command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Exit code 0.
    AllAgree,
    /// Exit code 1: a backend disagrees or a case fails.
    Disagreement,
    /// Exit code 130, as shells use it. The results up to the interruption were printed.
    Interrupted,
}
