//! dX of a block of rows.

use super::layout::{Block, Layout};
use super::scratch::Scratch;
use crate::columns::ROWS;
use crate::kernel::lanes::{FusedElement, Kernel, Lanes};
use crate::kernel::products::{TILE, turned_tile};
use crate::rounds::Crew;
use softmax_core::ndarray::{ArrayViewMut2, Axis};

/// Bytes of W that are turned at a time, so that the features are in the lanes, and stay in the first cache; elements at
/// most, and one panel of the widest vectors at least.
const TURNED_BYTES: usize = 16 << 10;
const TURNED: usize = 4096;

/// G·Wᵀ of the block, by panels of features: a group of panels of classes after the other.
pub(super) fn features_gradient<T: FusedElement>(
    scratch: &mut Scratch<T>,
    layout: Layout,
    block: Block,
    dx: &mut ArrayViewMut2<'_, T>,
    crew: Crew<'_>,
) {
    let (d, width) = (layout.d, layout.width);
    let padded = layout.block.next_multiple_of(TILE);
    scratch.dx.resize(d.div_ceil(width) * padded * width);
    let (scores, weights) = (&*scratch.scores, &*scratch.weights);
    // A few panels of features share what they read of G.
    const TOGETHER: usize = 4;
    crew.for_each(scratch.dx.chunks_mut(TOGETHER * padded * width), |some, dx| {
        T::run(crew.level, Features { dx, scores, weights, layout, block, first_panel: some * TOGETHER });
    });
    let packed = &*scratch.dx;
    let mut rows = dx.slice_axis_mut(Axis(0), (block.first..block.first + block.rows).into());
    crew.for_each(rows.axis_chunks_iter_mut(Axis(0), ROWS), |some, mut rows| {
        for (k, mut row) in (some * ROWS..).zip(rows.rows_mut()) {
            let panels = packed.chunks_exact(padded * width);
            for (mut row, panel) in row.axis_chunks_iter_mut(Axis(0), width).zip(panels) {
                row.iter_mut().zip(&panel[k * width..]).for_each(|(dx, &sum)| *dx = sum);
            }
        }
    });
}

struct Features<'t, T> {
    dx: &'t mut [T],
    scores: &'t [T],
    weights: &'t [T],
    layout: Layout,
    block: Block,
    first_panel: usize,
}

impl<T: FusedElement> Kernel<T> for Features<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let layout = self.layout;
        let (d, width) = (layout.d, layout.width);
        let padded = layout.block.next_multiple_of(TILE);
        self.dx.fill(T::zero());
        let mut turned = [T::zero(); TURNED];
        let together = (TURNED_BYTES / size_of::<T>() / (width * width)).max(1);
        for first in (0..layout.panels).step_by(together) {
            let panels = together.min(layout.panels - first);
            for (k, out) in self.dx.chunks_exact_mut(padded * width).enumerate() {
                let column = (self.first_panel + k) * width;
                let count = width.min(d - column);
                for (p, turned) in turned.chunks_exact_mut(width * width).enumerate().take(panels) {
                    let panel = &self.weights[((first + p) * d + column) * width..][..count * width];
                    for (j, w) in panel.chunks_exact(width).enumerate() {
                        w.iter().enumerate().for_each(|(class, &w)| turned[class * width + j] = w);
                    }
                }
                let turned = &turned[..panels * width * width];
                for (tile, out) in out.chunks_exact_mut(TILE * width).enumerate() {
                    let row = tile * TILE;
                    let rows = TILE.min(self.block.rows.saturating_sub(row));
                    let g = |p: usize| &self.scores[layout.row(first + p, row)..][..rows * width];
                    turned_tile::<T, L>(lanes, g, panels, turned, out);
                }
            }
        }
    }
}
