//! The derivative of G along a direction, between the products of a panel. The formula is in direction.rs.

use super::layout::PANEL;
use crate::columns::Columns;
use crate::kernel::level::FusedElement;
use crate::terms::Terms;
use softmax_core::ndarray::ArrayView1;

/// A direction of W and b, as the tasks use it.
#[derive(Clone, Copy)]
pub(super) struct Direction<'t, T> {
    /// Vᵀ, packed like Wᵀ.
    pub(super) weights: &'t [T],
    pub(super) bias: Option<ArrayView1<'t, T>>,
}

/// Turns X·V into t. `changes` has a row of `PANEL` numbers per class; so has `slopes`, if there is a softcap.
#[inline(always)]
pub(super) fn changes_of_scores<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    bias: Option<ArrayView1<'_, T>>,
    slopes: &[T],
    changes: &mut [T],
) {
    let per_temperature = T::narrow(1.0 / terms.temperature());
    for (class, changes) in changes.chunks_exact_mut(PANEL).enumerate() {
        let of_bias = bias.map_or(T::zero(), |bias| bias[class]);
        changes.iter_mut().for_each(|t| *t = (*t + of_bias) * per_temperature);
    }
    changes.iter_mut().zip(slopes).for_each(|(t, &slope)| *t *= slope);
}

/// Turns exponentials (0 at the best class) into the derivative of G. The changes are measured from that of the best
/// class, so that t − t̄ keeps its digits if that class has nearly all of the probability.
#[inline(always)]
pub(super) fn change_of_gradient<T: FusedElement>(
    terms: &Terms<'_, '_, T>,
    tile: &mut [T],
    (scores, slopes): (&[T], &[T]),
    changes: &[T],
    columns: &Columns<T>,
) {
    let rows = columns.rows;
    let (mut of_best, mut mean, mut bend) = ([T::zero(); PANEL], [T::zero(); PANEL], [T::zero(); PANEL]);
    for k in 0..rows {
        of_best[k] = changes[columns.best(k) * PANEL + k];
    }
    for (e, t) in tile.chunks_exact(PANEL).zip(changes.chunks_exact(PANEL)) {
        let terms = e.iter().zip(t).zip(&of_best);
        mean.iter_mut().zip(terms).for_each(|(mean, ((&e, &t), &of_best))| *mean += e * (t - of_best));
    }
    let twice_z = terms.z_loss() + terms.z_loss();
    for k in 0..rows {
        let sum = T::one() + columns.rest[k];
        mean[k] /= sum;
        bend[k] = columns.scale[k] * twice_z * (of_best[k] + mean[k]) / sum;
        tile[columns.best(k) * PANEL + k] = T::one() + columns.defect(k);
    }
    let factor = &columns.factor;
    match terms.softcap() {
        None => {
            for (e, t) in tile.chunks_exact_mut(PANEL).zip(changes.chunks_exact(PANEL)) {
                for k in 0..PANEL {
                    e[k] *= factor[k] * ((t[k] - of_best[k]) - mean[k]) + bend[k];
                }
            }
        }
        Some(cap) => {
            let two = T::one() + T::one();
            for k in 0..rows {
                for (class, at) in (k..tile.len()).step_by(PANEL).enumerate() {
                    let mass = columns.scale[k] * terms.mass(columns.first_sample + k, class);
                    let swing = tile[at] * factor[k];
                    let unbent = swing * ((changes[at] - of_best[k]) - mean[k]) + tile[at] * bend[k];
                    let bent = (swing - mass) * two * (scores[at] / cap) * (changes[at] / cap);
                    tile[at] = unbent * slopes[at] - bent;
                }
            }
        }
    }
    for k in (0..rows).filter(|&k| terms.is_ignored(columns.first_sample + k)) {
        tile.iter_mut().skip(k).step_by(PANEL).for_each(|g| *g = T::zero());
    }
}
