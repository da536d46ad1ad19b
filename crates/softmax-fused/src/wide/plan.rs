//! Sizes that follow the caches, the memory limit and the number of threads. They decide the order of work, but not the
//! order of any sum.

use crate::kernel::lanes::VECTOR;
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{PANEL, TILE};
use crate::orders::{CHUNK, GROUP, SUMMED};
use crate::params::{KernelParams, LEAST_FEATURES};
use crate::stored::{Samples, Stored};
use softmax_core::Outputs;

/// Maximum elements of a panel's row: two vectors of f32.
pub(super) const MOST_WIDTH: usize = PANEL * VECTOR / size_of::<f32>();

/// Sizes that are constant during a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) d: usize,
    pub(super) c: usize,
    /// Classes per panel.
    pub(super) width: usize,
    pub(super) panels: usize,
    /// Rows of a block, and rows of the strips that it is divided into.
    pub(super) block: usize,
    pub(super) strip: usize,
    /// Whether each score has a slope, and whether its distance from the maximum is stored.
    pub(super) slopes: bool,
    pub(super) distances: bool,
    /// Whether the block's scores are stored for the gradients.
    pub(super) stores: bool,
    /// Features of dW in one task of a group.
    pub(super) features: usize,
    /// Elements of W that a thread keeps packed.
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
        // Memory per row: scores and slopes for the gradients, packed features, dX, and the state of each group.
        let stores = outputs.wants_gradient();
        let per_score = 1 + usize::from(slopes) + usize::from(distances);
        let scores = if stores { panels * width * per_score } else { 0 };
        let groups = panels.div_ceil(GROUP);
        // This many pieces per group give each thread enough tasks.
        let pieces = (params.tasks * threads).div_ceil(groups);
        let part = (d.div_ceil(pieces))
            .next_multiple_of(TILE)
            .clamp(LEAST_FEATURES.min(params.features), params.features);
        let (of_features, most, features) = match &problem.features {
            Samples::Dense(_) => {
                (d + d.div_ceil(CHUNK) * TILE, params.block.max(pieces * params.strip), part)
            }
            // Non-zeros that are transposed for dW.
            Samples::Csr(csr) => (2 * csr.n_entries() / n.max(1), usize::MAX, d.div_ceil(pieces).max(TILE)),
        };
        let dx = if outputs.features_gradient.is_some() { d.next_multiple_of(width) } else { 0 };
        // Per group: the maximum, the best class and five sums. Per row: the best classes.
        let top = 4 * outputs.top().unwrap_or(0);
        let per_row = scores + of_features + dx + groups * 7 + top + 32;
        let affordable = memory / size_of::<T>() / per_row;
        let most = if affordable >= SUMMED { affordable.min(most) / SUMMED * SUMMED } else { SUMMED };
        // As few blocks as the limit allows, of nearly equal size.
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
            stores,
            features,
            kept: params.kept,
        }
    }

    pub(super) fn groups(self) -> usize {
        self.panels.div_ceil(GROUP)
    }

    /// Whether there are enough groups to give each thread whole groups.
    pub(super) fn has_groups_for(self, threads: usize) -> bool {
        self.groups() >= 2 * threads
    }

    /// Whether a thread may keep a group's part of W packed.
    pub(super) fn keeps_weights(self) -> bool {
        self.d * GROUP * self.width <= self.kept
    }

    /// Panels in a group.
    pub(super) fn panels_of(self, group: usize) -> usize {
        GROUP.min(self.panels - group * GROUP)
    }

    /// The first class of a group and its number of classes.
    pub(super) fn group_classes(self, group: usize) -> (usize, usize) {
        let first = group * GROUP * self.width;
        (first, (GROUP * self.width).min(self.c - first))
    }

    /// Vectors of a panel that hold classes, if `classes` remain from the panel's first on.
    pub(super) fn vectors(self, classes: usize) -> usize {
        if classes > self.width / PANEL { PANEL } else { 1 }
    }

    /// Number of scores in one panel of a strip.
    pub(super) fn tile(self) -> usize {
        self.strip * self.width
    }

    /// Number of scores in one group of a strip.
    pub(super) fn scores(self) -> usize {
        GROUP.min(self.panels) * self.tile()
    }

    /// Length of a region: the scores of a group's strip, panel by panel, then the slopes and distances.
    pub(super) fn region(self) -> usize {
        self.scores() * (1 + usize::from(self.slopes) + usize::from(self.distances))
    }

    /// Splits a region into scores, slopes and distances.
    pub(super) fn parts<T>(self, region: &mut [T]) -> (&mut [T], &mut [T], &mut [T]) {
        let (scores, rest) = region.split_at_mut(self.scores());
        let (slopes, distances) = rest.split_at_mut(if self.slopes { self.scores() } else { 0 });
        (scores, slopes, distances)
    }

    pub(super) fn strips(self) -> usize {
        self.block.div_ceil(self.strip)
    }
}

/// The rows of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) rows: usize,
}

impl Block {
    /// Number of rows in a strip.
    pub(super) fn rows_of(self, plan: Plan, strip: usize) -> usize {
        plan.strip.min(self.rows.saturating_sub(strip * plan.strip))
    }
}
