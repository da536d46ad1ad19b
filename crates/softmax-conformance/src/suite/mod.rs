//! The cases that every backend is put to.

mod closed_forms;
mod shapes;

use crate::case::Case;

/// All cases.
pub fn suite() -> Vec<Case> {
    [closed_forms::cases(), shapes::cases()].concat()
}
