//! Where things lie, and how much there is of them: all of it follows from the problem and
//! the memory allowed, none from threads.

use crate::columns::ROWS;
use crate::kernel::level::FusedElement;
use crate::stored::Dense;

/// Classes at most: more are the wide kernel's, which is the faster one from here on (ARCHITECTURE.md has the times).
pub(crate) const MOST_CLASSES: usize = 64;

/// Rows of a panel at most, and the distance between classes in a panel's tile of scores.
pub(super) const PANEL: usize = ROWS;

/// Bytes of a panel of X: with Wᵀ and dWᵀ it is to stay in the L2 cache.
const PANEL_BYTES: usize = 200 << 10;

/// A panel has a multiple of so many rows.
const TILE: usize = 6;

/// Features at a time, so that their part of Wᵀ stays in the L1 cache. A multiple of any vector's length, and of
/// [`BLOCK`].
pub(super) const CHUNK: usize = 448;

/// Features that are packed or unpacked together: their rows of W stay in the L1 cache meanwhile.
pub(super) const BLOCK: usize = 32;

/// Tasks at most, and rows that one is worth.
pub(super) const TASKS: usize = 32;
const TASK_ROWS: usize = 96;

/// Sizes that hold for the whole call, and where things lie in packed weights: by chunks of features, in each by
/// classes, each with its features and zeros up to a whole vector.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) d: usize,
    pub(super) c: usize,
    /// Elements of a vector.
    pub(super) lanes: usize,
    /// Rows of a panel.
    pub(super) panel: usize,
    pub(super) groups: Groups,
}

impl Layout {
    /// With the largest panels.
    pub(super) fn new<T: FusedElement>(problem: &Dense<'_, T>) -> Self {
        let (d, c) = problem.weights.dim();
        // Or as much again as Wᵀ and dWᵀ, which each panel goes through.
        let entries = (PANEL_BYTES / size_of::<T>()).max(2 * d * c);
        let panel = entries / d.max(1) / TILE * TILE;
        let panel = panel.clamp(TILE, PANEL / TILE * TILE);
        Layout { d, c, lanes: T::LANES, panel, groups: Groups::new(c) }
    }

    /// With panels of one size for tasks of so many rows.
    pub(super) fn with_even_panels(self, rows: usize) -> Self {
        let panels = rows.div_ceil(self.panel).max(1);
        let panel = rows.div_ceil(panels).next_multiple_of(TILE).min(PANEL / TILE * TILE);
        Layout { panel, ..self }
    }

    /// Length of packed weights.
    pub(super) fn packed(self) -> usize {
        self.d.next_multiple_of(self.lanes) * self.c
    }

    pub(super) fn chunks(self) -> impl Iterator<Item = Chunk> {
        (0..self.d).step_by(CHUNK).map(move |first| self.chunk_at(first))
    }

    /// The chunk that a feature is in.
    pub(super) fn chunk_at(self, feature: usize) -> Chunk {
        let first = feature / CHUNK * CHUNK;
        let length = CHUNK.min(self.d - first);
        Chunk { first, length, offset: first * self.c, stride: length.next_multiple_of(self.lanes) }
    }
}

/// Some features.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) first: usize,
    pub(super) length: usize,
    /// Where its first class lies in packed weights, and how far from it the next.
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

/// The classes in as few groups of at most five as it takes, all about as large: of each the first, and how many.
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

    /// How many the largest has.
    pub(super) fn largest(&self) -> usize {
        self.iter().map(|(_, count)| count).max().unwrap_or(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.groups[..self.count].iter().copied()
    }
}

/// How many tasks there are for `n` samples, of how many rows: a power of two, so that two, four or eight threads have the
/// same number each. The order of dW's sums is that of the tasks, so that nothing but `n` decides.
pub(super) fn tasks(n: usize) -> (usize, usize) {
    let most = (n / TASK_ROWS).clamp(1, TASKS);
    let count = 1 << most.ilog2();
    let rows = n.div_ceil(count).max(1);
    (n.div_ceil(rows), rows)
}

/// Lengths of what a task needs for its panels.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    pub(super) scores: usize,
    pub(super) slopes: usize,
    /// For H·V, t, and the scores under a softcap.
    pub(super) changes: usize,
    pub(super) capped: usize,
    /// The vectors in which scores are summed.
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
            // Where rows of X cannot be used as they are.
            copies: if problem.features.plain_rows().is_some() { 0 } else { layout.panel * layout.d },
            dx: if dx { layout.panel * CHUNK } else { 0 },
        }
    }

    pub(super) fn total(self) -> usize {
        let Tiles { scores, slopes, changes, capped, sums, copies, dx } = self;
        (scores + slopes + changes + capped + sums + copies + dx).next_multiple_of(16)
    }
}
