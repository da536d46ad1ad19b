use softmax_core::OutputKind;
use std::fmt;

/// What of a backend's answer can be compared with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// The loss.
    Loss,
    /// Ω.
    TotalWeight,
    /// How many samples are predicted right.
    Correct,
    /// An output.
    Output(OutputKind),
}

impl Quantity {
    /// In words, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Quantity::Loss => "loss",
            Quantity::TotalWeight => "total weight",
            Quantity::Correct => "correct",
            Quantity::Output(kind) => kind.name(),
        }
    }

    /// Whether this is one of dW, dX and db.
    pub const fn is_gradient(self) -> bool {
        matches!(self, Quantity::Output(kind) if kind.is_gradient())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
