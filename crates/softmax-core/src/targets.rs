use crate::labels::Labels;
use crate::views::View2;
use ndarray::{ArrayView1, ArrayView2};

/// The targets of the samples.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a, T> {
    /// One class per sample (N), or the ignored value.
    Labels(Labels<'a>),
    /// A mass for every class (N×C), finite and not negative. Rows need not sum to one.
    Soft(View2<'a, T>),
    /// No targets, for prediction. Loss, total weight and gradients are zero under every option, except the gradients
    /// of entropies and lse in [two passes](crate::TwoPass).
    None,
}

macro_rules! from_labels {
    ($($type:ty),+) => {$(
        impl<'a, T> From<ArrayView1<'a, $type>> for Targets<'a, T> {
            fn from(labels: ArrayView1<'a, $type>) -> Self {
                Targets::Labels(labels.into())
            }
        }

        impl<'a, T> From<&'a [$type]> for Targets<'a, T> {
            fn from(labels: &'a [$type]) -> Self {
                Targets::Labels(labels.into())
            }
        }
    )+};
}

from_labels!(usize, u8, u32, i32, i64);

impl<'a, T> From<Labels<'a>> for Targets<'a, T> {
    fn from(labels: Labels<'a>) -> Self {
        Targets::Labels(labels)
    }
}

impl<'a, T> From<ArrayView2<'a, T>> for Targets<'a, T> {
    fn from(soft: ArrayView2<'a, T>) -> Self {
        Targets::Soft(soft)
    }
}
