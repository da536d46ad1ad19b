//! Copies of problems, to be changed.

use softmax_core::{Element, OwnedProblem, OwnedTargets, Problem, Targets};

/// A copy of the problem in its own arrays.
pub(crate) fn owned<T: Element>(problem: &Problem<'_, T>) -> OwnedProblem<T> {
    let ignored = problem.objective().ignore_index.unwrap_or_default();
    let label = |i| problem.label(i).map_or(ignored, |y| y as i64);
    OwnedProblem {
        features: problem.features().to_dense().into_owned(),
        weights: problem.weights().to_dense().into_owned(),
        targets: match problem.targets() {
            Targets::Labels(labels) => OwnedTargets::Labels((0..labels.len()).map(label).collect()),
            Targets::Soft(soft) => OwnedTargets::Soft(soft.to_owned()),
            Targets::None => OwnedTargets::None,
        },
        bias: problem.bias().map(|b| b.to_owned()),
        class_weights: problem.class_weights().map(|w| w.to_owned()),
        sample_weights: problem.sample_weights().map(|u| u.to_owned()),
        objective: *problem.objective(),
    }
}
