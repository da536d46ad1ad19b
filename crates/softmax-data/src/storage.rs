use softmax_core::names;

/// Whether numbers of half precision stay what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// They do.
    #[default]
    Keep,
    /// They become numbers of the element type.
    Widen,
}

names!(Storage, "storage", Keep => "keep", Widen => "widen");
