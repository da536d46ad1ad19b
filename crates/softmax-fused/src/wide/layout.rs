//! Sizes: all of them follow from the problem's and the memory's, none from threads.

use crate::dense::DenseProblem;
use crate::kernel::lanes::{FusedElement, Level};
use crate::kernel::products::TILE;
use crate::tiles::Place;

/// Features at a time for the scores, so that their part of a panel of W stays in the first cache.
pub(super) const CHUNK: usize = 256;

/// Bytes of that many features of a block's rows: they are to stay in the second cache.
pub(super) const BLOCK_BYTES: usize = 384 << 10;

/// Rows of a block at least, where there are so many: dW is rounded once for each block.
const FEWEST: usize = 16 * TILE;

/// Panels of one task at most, and how many tasks there are to be before a task has more than one.
const GROUP: usize = 16;
const TASKS: usize = 16;

/// Sizes that hold for the whole call.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) d: usize,
    pub(super) c: usize,
    /// Classes of a panel: two vectors.
    pub(super) width: usize,
    pub(super) panels: usize,
    /// Panels of a task.
    pub(super) group: usize,
    /// Rows of a block.
    pub(super) block: usize,
    pub(super) slopes: bool,
}

impl Layout {
    pub(super) fn new<T: FusedElement>(
        level: Level,
        problem: &DenseProblem<'_, T>,
        memory: usize,
        slopes: bool,
    ) -> Self {
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let width = 2 * T::lanes(level);
        let panels = c.div_ceil(width);
        let group = (panels / TASKS).clamp(1, GROUP);
        // What a row costs: scores, slopes, two copies of its features, dX, and its share of the sums. As if dX were asked
        // for, so that no bit depends on whether it is.
        let scores = panels * width * if slopes { 2 } else { 1 };
        let sums = panels + panels.div_ceil(group) * (width + 2);
        let per_row = scores + 3 * (d + width) + sums + 16;
        let affordable = memory / size_of::<T>() / per_row;
        let cached = BLOCK_BYTES / CHUNK / size_of::<T>();
        let most = cached.min(affordable).max(FEWEST);
        // As many blocks as that takes, and all of a size.
        let block = n.div_ceil(n.div_ceil(most).max(1)).next_multiple_of(TILE).clamp(TILE, most);
        Layout { d, c, width, panels, group, block, slopes }
    }

    pub(super) fn groups(self) -> usize {
        self.panels.div_ceil(self.group)
    }

    /// Scores of a panel.
    pub(super) fn tile(self) -> usize {
        self.block * self.width
    }

    /// Scores and slopes of a group of panels.
    pub(super) fn region(self) -> usize {
        self.group * self.tile() * if self.slopes { 2 } else { 1 }
    }

    /// Where a panel's scores of a row begin.
    pub(super) fn row(self, panel: usize, row: usize) -> usize {
        panel / self.group * self.region() + panel % self.group * self.tile() + row * self.width
    }

    pub(super) fn place(self, panel: usize) -> Place {
        let first_class = panel * self.width;
        Place { first_class, classes: self.width.min(self.c - first_class), width: self.width }
    }
}

/// Which rows a block has.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) rows: usize,
}
