//! Row facts: entropy, log-probabilities, ranks and the best classes, from the scores and their softmax.

use crate::forward::Softmax;
use crate::rows::take_along_rows;
use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};
use softmax_core::{Element, Feature, Outputs, Problem};

/// Whether any row fact is requested.
pub(crate) fn wants_facts<T: Element>(problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> bool {
    outputs.needs(problem).iter().any(Feature::is_row_fact)
}

/// Writes the requested row facts.
pub(crate) fn write_facts<T: Element>(
    problem: &Problem<'_, T>,
    scores: &Array2<T>,
    softmax: &Softmax<T>,
    outputs: &mut Outputs<'_, T>,
) {
    let max = take_along_rows(scores.view(), &softmax.best);
    // log p as −((m − s) + log(1 + rest)). Both terms are non-negative, so they do not cancel.
    let log_prob = |i: usize, c: usize| -((max[i] - scores[[i, c]]) + softmax.log_rest[i]);
    if let Some(out) = &mut outputs.entropy {
        let spread = spread(scores, &max, &softmax.exps);
        out.assign(&(spread / (&softmax.rest + T::one()) + &softmax.log_rest));
    }
    if let Some(out) = &mut outputs.label_log_prob {
        let of = |i| problem.labelled_class(i).map_or(T::nan(), |label| log_prob(i, label));
        out.assign(&Array1::from_shape_fn(scores.nrows(), of));
    }
    if let Some(out) = &mut outputs.label_rank {
        let above =
            |i: usize, label: usize| scores.row(i).iter().filter(|&&s| s > scores[[i, label]]).count();
        let of = |i| problem.labelled_class(i).map_or(scores.ncols(), |label| above(i, label));
        out.assign(&Array1::from_shape_fn(scores.nrows(), of));
    }
    let Some(k) = outputs.top() else { return };
    for (i, row) in scores.rows().into_iter().enumerate() {
        for (j, class) in largest(row, k).into_iter().enumerate() {
            if let Some(classes) = &mut outputs.top_classes {
                classes[[i, j]] = class;
            }
            if let Some(out) = &mut outputs.top_log_prob {
                out[[i, j]] = log_prob(i, class);
            }
        }
    }
}

/// Σ_c exp(s − m)·(m − s) (N). The entropy (10) is log(1 + rest) + Σ p·(m − s) = log(1 + rest) + spread / (1 + rest).
pub(crate) fn spread<T: Element>(scores: &Array2<T>, max: &Array1<T>, exps: &Array2<T>) -> Array1<T> {
    let mut products = exps.clone();
    Zip::from(products.rows_mut()).and(scores.rows()).and(max).for_each(|mut products, scores, &max| {
        products.zip_mut_with(&scores, |product, &score| {
            // A masked class has exp = 0 and m − s = ∞; 0·∞ would be NaN.
            *product = if *product == T::zero() { T::zero() } else { *product * (max - score) };
        });
    });
    products.sum_axis(Axis(1))
}

/// The indices of the `k` largest entries, largest first; the lower index first on ties.
pub(crate) fn largest<T: Element>(row: ArrayView1<'_, T>, k: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(k + 1);
    for (place, &entry) in row.iter().enumerate() {
        if best.len() == k && best.last().is_none_or(|&last| entry <= row[last]) {
            continue;
        }
        best.insert(best.partition_point(|&other| row[other] >= entry), place);
        best.truncate(k);
    }
    best
}
