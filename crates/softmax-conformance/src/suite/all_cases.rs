use super::{closed_forms, extremes, facts, golden, inputs, masks, options, sizes};
use crate::case::Case;

/// The cases of the suite whose answers are compared with the oracle, as data.
pub fn cases() -> Vec<Case> {
    [
        closed_forms::cases(),
        golden::cases(),
        sizes::cases(),
        options::cases(),
        inputs::cases(),
        masks::cases(),
        extremes::cases(),
        facts::cases(),
    ]
    .concat()
}
