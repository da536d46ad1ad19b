//! Shared by both backends: copying outputs to the host, and what is computed there.

use crate::facts::{Facts, FactsWanted};
use crate::transfer::{count_correct, download_classes, download_f64, download_matrix, download_vector, l2};
use burn::tensor::{Device, Int, Tensor, TensorData};
use softmax_core::ndarray::{ArrayViewMut2, CowArray, Ix2};
use softmax_core::{Element, Evaluation, Feature, OutputKind, Outputs, Problem, Result};

/// Writes the requested outputs of the forward pass. Returns the sum of the losses in f64, and the predicted classes.
/// `losses` are in units of `unit`, the results are not.
pub(crate) fn write<T: Element>(
    losses: Tensor<2>,
    lse: Tensor<2>,
    best: Tensor<2, Int>,
    unit: f64,
    outputs: &mut Outputs<'_, T>,
    backend: &str,
) -> Result<(f64, Vec<usize>)> {
    let losses: Vec<f64> = download_f64::<T>(losses, backend)?.iter().map(|loss| loss * unit).collect();
    let predicted = download_classes(best, backend)?;
    if let Some(out) = &mut outputs.sample_losses {
        out.iter_mut().zip(&losses).for_each(|(out, &loss)| *out = T::narrow(loss));
    }
    if let Some(out) = &mut outputs.log_sum_exp {
        download_vector(lse, out, false, backend)?;
    }
    if let Some(out) = &mut outputs.predicted {
        out.iter_mut().zip(&predicted).for_each(|(out, &class)| *out = class);
    }
    Ok((losses.iter().sum(), predicted))
}

/// The requested row facts, with each sample's label on the device. `None` if no row fact is requested.
pub(crate) fn facts_wanted<T: Element>(
    problem: &Problem<'_, T>,
    outputs: &Outputs<'_, T>,
    device: &Device,
) -> Option<FactsWanted> {
    if !outputs.needs(problem).iter().any(Feature::is_row_fact) {
        return None;
    }
    let n = problem.n_samples();
    let label = |i| problem.labelled_class(i).map_or(-1, |class| class as i64);
    let labels = Tensor::from_data(TensorData::new((0..n).map(label).collect::<Vec<i64>>(), [n, 1]), device);
    let kinds = OutputKind::ALL.iter().copied().filter(|&kind| outputs.wants(kind)).collect();
    Some(FactsWanted { kinds, labels, top: outputs.top().unwrap_or(0) })
}

/// Writes the requested row facts.
pub(crate) fn write_facts<T: Element>(
    facts: Facts,
    outputs: &mut Outputs<'_, T>,
    backend: &str,
) -> Result<()> {
    if let (Some(out), Some(column)) = (&mut outputs.entropy, facts.entropy) {
        download_vector(column, out, false, backend)?;
    }
    if let (Some(out), Some(column)) = (&mut outputs.label_log_prob, facts.label_log_prob) {
        download_vector(column, out, false, backend)?;
    }
    if let (Some(out), Some(column)) = (&mut outputs.label_rank, facts.label_rank) {
        out.iter_mut().zip(download_classes(column, backend)?).for_each(|(out, rank)| *out = rank);
    }
    if let (Some(out), Some(classes)) = (&mut outputs.top_classes, facts.top_classes) {
        out.iter_mut().zip(download_classes(classes, backend)?).for_each(|(out, class)| *out = class);
    }
    if let (Some(out), Some(log_prob)) = (&mut outputs.top_log_prob, facts.top_log_prob) {
        download_matrix(log_prob, out, false, backend)?;
    }
    Ok(())
}

/// The loss (7). The penalty is summed on the host in f64, because W² may overflow in the device's type.
pub(crate) fn loss<T: Element>(loss_sum: f64, problem: &Problem<'_, T>) -> f64 {
    mean_loss(loss_sum, problem) + penalty(problem)
}

/// (λ/2)·‖W‖². Returns 0 for λ = 0 without reading W, because 0·∞ would be NaN for an infinite weight.
fn penalty<T: Element>(problem: &Problem<'_, T>) -> f64 {
    let squares = |weights: CowArray<'_, T, Ix2>| weights.iter().map(|w| w.widen() * w.widen()).sum::<f64>();
    match l2(problem) {
        0.0 => 0.0,
        lambda => lambda / 2.0 * squares(problem.weights().to_dense()),
    }
}

fn mean_loss<T: Element>(loss_sum: f64, problem: &Problem<'_, T>) -> f64 {
    if problem.has_targets() { loss_sum / problem.total_weight() } else { 0.0 }
}

/// The outputs and loss of a problem without samples, computed on the host: Burn's operations fail on tensors of zero
/// rows.
pub(crate) fn evaluate_nothing<T: Element>(
    problem: &Problem<'_, T>,
    outputs: &mut Outputs<'_, T>,
) -> Evaluation {
    let lambda = l2(problem);
    let weights = problem.weights().to_dense();
    let accumulate = outputs.accumulate;
    if let Some(dw) = &mut outputs.weights_gradient {
        if !accumulate {
            dw.fill(T::zero());
        }
        if lambda != 0.0 {
            dw.scaled_add(T::narrow(lambda), &weights);
        }
    }
    if let Some(db) = outputs.bias_gradient.as_mut().filter(|_| !accumulate) {
        db.fill(T::zero());
    }
    Evaluation {
        loss: loss(0.0, problem),
        total_weight: problem.total_weight(),
        correct: count_correct(problem, &[]),
    }
}

/// Sets dX to 0 for samples that do not count: the product G·Wᵀ has 0·∞ = NaN there if a weight is infinite.
pub(crate) fn clear_uncounted_rows<T: Element>(problem: &Problem<'_, T>, dx: &mut ArrayViewMut2<'_, T>) {
    for i in (0..problem.n_samples()).filter(|&i| !problem.counts(i)) {
        dx.row_mut(i).fill(T::zero());
    }
}
