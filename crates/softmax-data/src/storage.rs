use softmax_core::names;

/// Whether half-precision numbers keep their type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// They keep their type.
    #[default]
    Keep,
    /// They are converted to the element type.
    Widen,
}

names!(Storage, "storage", Keep => "keep", Widen => "widen");
