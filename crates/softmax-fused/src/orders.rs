//! Orders of summation of the wide kernel. Changing one of these constants changes bits of results.

use crate::kernel::level::FusedElement;
use crate::kernel::tile::{PANEL, TILE};

/// A score is the sum of partial sums over this many features. A multiple of the tile's rows, so that dW has whole
/// tiles.
pub(crate) const CHUNK: usize = 22 * TILE;

/// Panels in a group of classes. Each group has its own maximum and sums; a sum over classes adds the sums of the
/// groups.
pub(crate) const GROUP: usize = 8;

/// dW and db are sums of partial sums over this many rows.
pub(crate) const SUMMED: usize = 192;

/// Classes in a group.
pub(crate) const fn group_classes<T: FusedElement>() -> usize {
    GROUP * PANEL * T::LANES
}
