//! Sizes and memory layout. All of it follows from the problem and the memory limit, none from the number of threads.

use crate::columns::ROWS;
use crate::kernel::level::FusedElement;
use crate::stored::Dense;

/// Maximum number of classes. With more, the wide kernel is the faster one (ARCHITECTURE.md has the times).
pub(crate) const MOST_CLASSES: usize = 64;

/// Maximum rows of a panel, and the distance between classes in a panel's tile of scores.
pub(super) const PANEL: usize = ROWS;

/// Bytes of X in a panel. The panel stays in the L2 cache, together with Wᵀ and dWᵀ.
const PANEL_BYTES: usize = 200 << 10;

/// The rows of a panel are a multiple of this.
const TILE: usize = 6;

/// Features in a chunk, so that its part of Wᵀ stays in the L1 cache. A multiple of [`BLOCK`] and of the elements of
/// any vector.
pub(super) const CHUNK: usize = 448;

/// Features that are packed or unpacked together. Their rows of W stay in the L1 cache.
pub(super) const BLOCK: usize = 32;

/// Maximum number of tasks, and minimum number of rows of a task.
pub(super) const TASKS: usize = 32;
const TASK_ROWS: usize = 96;

/// Sizes that are constant during a call, and the layout of packed weights: by chunk of features, then by class; each
/// class has its features and zeros up to a whole vector.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) d: usize,
    pub(super) c: usize,
    /// Elements per vector.
    pub(super) lanes: usize,
    /// Rows of a panel.
    pub(super) panel: usize,
    pub(super) groups: Groups,
}

impl Layout {
    /// The layout with the largest panels.
    pub(super) fn new<T: FusedElement>(problem: &Dense<'_, T>) -> Self {
        let (d, c) = problem.weights.dim();
        // Or twice the size of W: each panel reads all of Wᵀ and updates all of dWᵀ.
        let entries = (PANEL_BYTES / size_of::<T>()).max(2 * d * c);
        let panel = entries / d.max(1) / TILE * TILE;
        let panel = panel.clamp(TILE, PANEL / TILE * TILE);
        Layout { d, c, lanes: T::LANES, panel, groups: Groups::new(c) }
    }

    /// The layout with panels of equal size for tasks of `rows` rows.
    pub(super) fn with_even_panels(self, rows: usize) -> Self {
        let panels = rows.div_ceil(self.panel).max(1);
        let panel = rows.div_ceil(panels).next_multiple_of(TILE).min(PANEL / TILE * TILE);
        Layout { panel, ..self }
    }

    /// Whether rows have elements beyond whole vectors.
    pub(super) fn has_tails(self) -> bool {
        !self.d.is_multiple_of(self.lanes)
    }

    /// Length of packed weights.
    pub(super) fn packed(self) -> usize {
        self.d.next_multiple_of(self.lanes) * self.c
    }

    pub(super) fn chunks(self) -> impl Iterator<Item = Chunk> {
        (0..self.d).step_by(CHUNK).map(move |first| self.chunk_at(first))
    }

    /// The chunk that contains a feature.
    pub(super) fn chunk_at(self, feature: usize) -> Chunk {
        let first = feature / CHUNK * CHUNK;
        let length = CHUNK.min(self.d - first);
        Chunk { first, length, offset: first * self.c, stride: length.next_multiple_of(self.lanes) }
    }
}

/// A chunk of features.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) first: usize,
    pub(super) length: usize,
    /// Index of its first class in packed weights, and the distance between classes.
    pub(super) offset: usize,
    pub(super) stride: usize,
}

impl Chunk {
    pub(super) fn of<'a, T>(&self, packed: &'a [T], c: usize) -> &'a [T] {
        &packed[self.offset..self.offset + c * self.stride]
    }

    pub(super) fn of_row<'a, T>(&self, row: &'a [T]) -> &'a [T] {
        row.get(self.first..self.first + self.length).unwrap_or(&[])
    }
}

/// The classes in as few groups as possible, of at most five and of nearly equal size. Yields the first class and the
/// size of each group.
#[derive(Clone, Copy)]
pub(super) struct Groups {
    groups: [(usize, usize); Self::MOST],
    count: usize,
}

impl Groups {
    const SIZE: usize = 5;
    const MOST: usize = MOST_CLASSES.div_ceil(Self::SIZE);

    pub(super) fn new(classes: usize) -> Self {
        let count = classes.div_ceil(Self::SIZE).clamp(1, Self::MOST);
        let first = |k: usize| k * classes / count;
        Groups { groups: std::array::from_fn(|k| (first(k), first(k + 1) - first(k))), count }
    }

    /// Size of the largest group.
    pub(super) fn largest(&self) -> usize {
        self.iter().map(|(_, count)| count).max().unwrap_or(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.groups[..self.count].iter().copied()
    }
}

/// The number of tasks for `n` samples, and rows per task. A power of two, so that two, four or eight threads get the
/// same number each. dW is summed in the order of the tasks, so the number depends on `n` alone.
pub(super) fn tasks(n: usize) -> (usize, usize) {
    let most = (n / TASK_ROWS).clamp(1, TASKS);
    let count = 1 << most.ilog2();
    let rows = n.div_ceil(count).max(1);
    (n.div_ceil(rows), rows)
}

/// Lengths of a task's buffers.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    pub(super) scores: usize,
    pub(super) slopes: usize,
    /// For H·V: t, and the scores if there is a softcap.
    pub(super) changes: usize,
    pub(super) capped: usize,
    /// Vectors of partial sums of scores.
    pub(super) sums: usize,
    pub(super) copies: usize,
    pub(super) dx: usize,
}

impl Tiles {
    pub(super) fn new<T: FusedElement>(
        problem: &Dense<'_, T>,
        layout: Layout,
        slopes: bool,
        (dx, hessian): (bool, bool),
    ) -> Self {
        Tiles {
            scores: layout.c * PANEL,
            slopes: if slopes { layout.c * PANEL } else { 0 },
            changes: if hessian { layout.c * PANEL } else { 0 },
            capped: if hessian && slopes { layout.c * PANEL } else { 0 },
            sums: layout.c * PANEL * layout.lanes,
            // Copies of rows of X that cannot be used in place.
            copies: if problem.features.plain_rows().is_some() { 0 } else { layout.panel * layout.d },
            dx: if dx { layout.panel * CHUNK } else { 0 },
        }
    }

    pub(super) fn total(self) -> usize {
        let Tiles { scores, slopes, changes, capped, sums, copies, dx } = self;
        (scores + slopes + changes + capped + sums + copies + dx).next_multiple_of(16)
    }
}
