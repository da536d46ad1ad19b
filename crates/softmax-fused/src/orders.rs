//! The orders of the sums of the kernel for many classes. To change one of these is to change bits.

use crate::kernel::level::FusedElement;
use crate::kernel::tile::{PANEL, TILE};

/// Features whose products are summed by themselves in a score, and their tiles for dW: whole ones.
pub(crate) const CHUNK: usize = 22 * TILE;

/// Panels of a group: its classes have a maximum and sums of their own, and each sum over classes is one of groups' sums.
pub(crate) const GROUP: usize = 8;

/// Rows whose products are summed by themselves in dW and db.
pub(crate) const SUMMED: usize = 192;

/// Classes of a group.
pub(crate) const fn group_classes<T: FusedElement>() -> usize {
    GROUP * PANEL * T::LANES
}
