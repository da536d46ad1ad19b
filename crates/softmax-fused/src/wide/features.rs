//! The gradient dX of a block of rows.

use super::pack::pack_panels;
use super::plan::{Block, Plan};
use super::scratch::{Scratch, Spare};
use crate::columns::ROWS;
use crate::kernel::ahead::Ahead;
use crate::kernel::lanes::{Kernel, Lanes};
use crate::kernel::level::FusedElement;
use crate::kernel::tile::{Destination, Panels, TILE, Want, product};
use crate::orders::GROUP;
use crate::rounds::Crew;
use crate::stored::{Stored, with_numbers};
use softmax_core::ndarray::{ArrayViewMut2, Axis};

/// Panels of features that are computed together from a group's rows of G.
const TOGETHER: usize = 4;

/// Computes G·Wᵀ of the block, and overwrites dX or adds to it.
///
/// ```text
/// for some panels of features                                              a task
///     for each group of classes
///         pack the group's part of Wᵀ, for the panels
///         for each tile of rows, for each panel
///             dX[tile][panel] += G[tile][group] · Wᵀ[group][panel]         kernel/tile.rs
/// ```
pub(super) fn features_gradient<T: FusedElement>(
    scratch: &mut Scratch<T>,
    problem: &Stored<'_, T>,
    plan: Plan,
    block: Block,
    dx: &mut ArrayViewMut2<'_, T>,
    adds: bool,
    crew: Crew<'_>,
) {
    let padded = block.rows.next_multiple_of(TILE);
    let panel = padded * plan.width;
    scratch.dx.resize(plan.d.div_ceil(plan.width) * panel);
    let mut rows = dx.slice_axis_mut(Axis(0), (block.first..block.first + block.rows).into());
    if adds {
        // Continues the sums over the earlier classes.
        let packed = scratch.dx.chunks_exact_mut(panel);
        for (columns, packed) in rows.axis_chunks_iter(Axis(1), plan.width).zip(packed) {
            for (row, to) in columns.rows().into_iter().zip(packed.chunks_exact_mut(plan.width)) {
                to.iter_mut().zip(row).for_each(|(to, &sum)| *to = sum);
            }
        }
    }
    let (regions, spare) = (&*scratch.regions, &scratch.spare);
    crew.for_each(scratch.dx.chunks_mut(TOGETHER * panel), |some, dx| {
        T::run(
            crew.level,
            Features { dx, regions, problem, spare, plan, block, first_panel: some * TOGETHER, adds },
        );
    });
    let packed = &*scratch.dx;
    crew.for_each(rows.axis_chunks_iter_mut(Axis(0), ROWS), |some, mut rows| {
        for (k, mut row) in (some * ROWS..).zip(rows.rows_mut()) {
            let panels = packed.chunks_exact(panel);
            for (mut row, panel) in row.axis_chunks_iter_mut(Axis(0), plan.width).zip(panels) {
                row.iter_mut().zip(&panel[k * plan.width..]).for_each(|(dx, &sum)| *dx = sum);
            }
        }
    });
}

struct Features<'t, 'p, T> {
    dx: &'t mut [T],
    regions: &'t [T],
    problem: &'t Stored<'p, T>,
    spare: &'t Spare<T>,
    plan: Plan,
    block: Block,
    first_panel: usize,
    adds: bool,
}

impl<T: FusedElement> Kernel<T> for Features<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<T>>(self, lanes: L) {
        let Features { dx, regions, problem, spare, plan, block, first_panel, adds } = self;
        let width = plan.width;
        let padded = block.rows.next_multiple_of(TILE);
        let mut packed = spare.take(TOGETHER * GROUP * width * width);
        for (group, regions) in regions.chunks(plan.strips() * plan.region()).enumerate().take(plan.groups())
        {
            let (class, classes) = plan.group_classes(group);
            let first = first_panel * width;
            let features = first..plan.d.min(first + TOGETHER * width);
            let of_panel = classes * width;
            with_numbers!(problem.weights, weights => {
                pack_panels(lanes, &weights.t(), class..class + classes, features, width, &mut packed);
            });
            for (strip, region) in regions.chunks(plan.region()).enumerate() {
                let rows = block.rows_of(plan, strip);
                for first in (0..rows).step_by(TILE) {
                    let row = strip * plan.strip + first;
                    let panels = dx.chunks_exact_mut(padded * width).zip(packed.chunks_exact(of_panel));
                    for (p, (dx, w)) in panels.enumerate() {
                        let out = &mut dx[row * width..(row + TILE) * width];
                        let numbers = &region[first * width..];
                        let g = Panels { numbers, pitch: plan.tile() };
                        let vectors = plan.vectors(plan.d - (first_panel + p) * width);
                        let want = Want { rows: rows - first, vectors, ahead: Ahead::of(w) };
                        product(lanes, g, w, want, Destination { out, adds: adds || group > 0 });
                    }
                }
            }
        }
    }
}
