use crate::facts::FactViews;
use crate::sums::Sum;
use softmax_core::ndarray::{ArrayViewMut1, ArrayViewMut2};

/// The outputs and buffers of one task: `'s` is the lifetime of the scratch memory, `'o` that of the outputs.
pub(super) struct Task<'s, 'o, T> {
    pub(super) first_sample: usize,
    pub(super) rows: usize,
    pub(super) dw: Option<&'s mut [T]>,
    pub(super) db: Option<&'s mut [Sum]>,
    pub(super) dx: Option<ArrayViewMut2<'o, T>>,
    pub(super) losses: Option<ArrayViewMut1<'o, T>>,
    pub(super) lse: Option<ArrayViewMut1<'o, T>>,
    pub(super) predicted: Option<ArrayViewMut1<'o, usize>>,
    pub(super) facts: Option<FactViews<'o, T>>,
    pub(super) scratch: &'s mut [T],
    pub(super) loss: f64,
    pub(super) correct: usize,
}
