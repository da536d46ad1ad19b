//! log p, from the backend's outputs for the most probable classes.

use ndarray::{Array1, Array2, Axis};
use softmax::{Element, Outputs, Problem, Result, SoftmaxBackend, ndarray};

/// log p of the most probable class (N).
pub(crate) fn best_log_probabilities<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
) -> Result<Array1<T>> {
    let mut best = Array2::zeros((problem.n_samples(), 1));
    let mut outputs = Outputs { top_log_prob: Some(best.view_mut()), ..Outputs::default() };
    backend.evaluate(problem, &mut outputs)?;
    Ok(best.remove_axis(Axis(1)))
}

/// log p of every class (N×C).
pub(crate) fn log_probabilities<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
) -> Result<Array2<T>> {
    let shape = (problem.n_samples(), problem.n_classes());
    let (mut classes, mut best, mut all) = (Array2::zeros(shape), Array2::zeros(shape), Array2::zeros(shape));
    let mut outputs = Outputs {
        top_classes: Some(classes.view_mut()),
        top_log_prob: Some(best.view_mut()),
        ..Outputs::default()
    };
    backend.evaluate(problem, &mut outputs)?;
    for (((i, _), &class), &log_p) in classes.indexed_iter().zip(&best) {
        all[[i, class]] = log_p;
    }
    Ok(all)
}
