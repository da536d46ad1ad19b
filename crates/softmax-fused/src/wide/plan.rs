//! Sizes that follow the caches, the memory allowed and the threads: they decide what is done when, and no order of a sum.

use crate::kernel::lanes::VECTOR;
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{PANEL, TILE};
use crate::orders::{CHUNK, GROUP, SUMMED};
use crate::params::KernelParams;
use crate::stored::{Samples, Stored};
use softmax_core::Outputs;

/// Numbers of a panel's row at most: two vectors of f32.
pub(super) const MOST_WIDTH: usize = PANEL * VECTOR / size_of::<f32>();

/// Features of dW that a task takes at least.
const LEAST_FEATURES: usize = 4 * TILE;

/// Sizes that hold for the whole call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) d: usize,
    pub(super) c: usize,
    /// Classes of a panel.
    pub(super) width: usize,
    pub(super) panels: usize,
    /// Rows of a block, and of the strips that it is cut into.
    pub(super) block: usize,
    pub(super) strip: usize,
    /// Whether each score has a slope, and whether its distance from the maximum is kept.
    pub(super) slopes: bool,
    pub(super) distances: bool,
    /// Features of dW that a group's rows meet together.
    pub(super) features: usize,
    /// Numbers of W that a thread keeps packed.
    kept: usize,
}

impl Plan {
    pub(super) fn new<T: FusedElement>(
        problem: &Stored<'_, T>,
        outputs: &Outputs<'_, T>,
        (slopes, distances): (bool, bool),
        memory: usize,
        threads: usize,
        params: KernelParams,
    ) -> Self {
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let width = PANEL * T::LANES;
        let panels = c.div_ceil(width);
        // What a row costs: scores, slopes, copies of its features, dX, and what is known of each group.
        let scores = panels * width * (1 + usize::from(slopes) + usize::from(distances));
        let groups = panels.div_ceil(GROUP);
        // So many pieces of a group give each thread enough of them.
        let pieces = (params.tasks * threads).div_ceil(groups);
        let part = (d.div_ceil(pieces))
            .next_multiple_of(TILE)
            .clamp(LEAST_FEATURES.min(params.features), params.features);
        let (of_features, most, features) = match &problem.features {
            Samples::Dense(_) => {
                (d + d.div_ceil(CHUNK) * TILE, params.block.max(pieces * params.strip), part)
            }
            // Entries that are turned for dW.
            Samples::Csr(csr) => (2 * csr.n_entries() / n.max(1), usize::MAX, d.div_ceil(pieces).max(TILE)),
        };
        let dx = if outputs.features_gradient.is_some() { d.next_multiple_of(width) } else { 0 };
        // Of each group the maximum, the best class and five sums; of each row the best classes.
        let top = 4 * outputs.top().unwrap_or(0);
        let per_row = scores + of_features + dx + groups * 7 + top + 32;
        let affordable = memory / size_of::<T>() / per_row;
        let most = if affordable >= SUMMED { affordable.min(most) / SUMMED * SUMMED } else { SUMMED };
        // As many blocks as that takes, and all of about a size.
        let blocks = n.div_ceil(most).max(1);
        let block = n.div_ceil(blocks).next_multiple_of(if n > SUMMED { SUMMED } else { TILE });
        let block = block.clamp(TILE, most);
        Plan {
            d,
            c,
            width,
            panels,
            block,
            strip: params.strip.min(block),
            slopes,
            distances,
            features,
            kept: params.kept,
        }
    }

    pub(super) fn groups(self) -> usize {
        self.panels.div_ceil(GROUP)
    }

    /// Whether there are groups enough to give each thread whole ones.
    pub(super) fn has_groups_for(self, threads: usize) -> bool {
        self.groups() >= 2 * threads
    }

    /// Whether a thread may keep a group's part of W packed.
    pub(super) fn keeps_weights(self) -> bool {
        self.d * GROUP * self.width <= self.kept
    }

    /// Panels of a group.
    pub(super) fn panels_of(self, group: usize) -> usize {
        GROUP.min(self.panels - group * GROUP)
    }

    /// The first class of a group, and how many it has.
    pub(super) fn group_classes(self, group: usize) -> (usize, usize) {
        let first = group * GROUP * self.width;
        (first, (GROUP * self.width).min(self.c - first))
    }

    /// Vectors of a panel that have classes, of so many from the panel's first on.
    pub(super) fn vectors(self, classes: usize) -> usize {
        if classes > self.width / PANEL { PANEL } else { 1 }
    }

    /// Scores of a panel's strip.
    pub(super) fn tile(self) -> usize {
        self.strip * self.width
    }

    /// Scores of a group's strip.
    pub(super) fn scores(self) -> usize {
        GROUP.min(self.panels) * self.tile()
    }

    /// Scores, slopes and distances of a group's strip: panel by panel the scores, and then the others.
    pub(super) fn region(self) -> usize {
        self.scores() * (1 + usize::from(self.slopes) + usize::from(self.distances))
    }

    /// The parts of a region: scores, slopes and distances.
    pub(super) fn parts<T>(self, region: &mut [T]) -> (&mut [T], &mut [T], &mut [T]) {
        let (scores, rest) = region.split_at_mut(self.scores());
        let (slopes, distances) = rest.split_at_mut(if self.slopes { self.scores() } else { 0 });
        (scores, slopes, distances)
    }

    pub(super) fn strips(self) -> usize {
        self.block.div_ceil(self.strip)
    }
}

/// Which rows a block has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) rows: usize,
}

impl Block {
    /// The rows of a strip.
    pub(super) fn rows_of(self, plan: Plan, strip: usize) -> usize {
        plan.strip.min(self.rows.saturating_sub(strip * plan.strip))
    }
}
