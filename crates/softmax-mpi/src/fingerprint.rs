//! Hashes of the values that must be the same on all ranks.

use ndarray::ArrayView1;
use softmax_core::{Element, OutputKind, Outputs, Problem, Targets};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A hash of the options, the element type, the number of features, the total number of classes, the kind of targets
/// and the requested outputs. Ranks that disagree on any of these have different hashes, except for collisions.
pub(crate) fn fingerprint<T: Element>(problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let objective = problem.objective();
    (problem.n_features(), problem.total_classes(), T::DTYPE.name()).hash(&mut hasher);
    objective.reduction.name().hash(&mut hasher);
    objective.ignore_index.hash(&mut hasher);
    objective.softcap.map(f64::to_bits).hash(&mut hasher);
    for number in [objective.label_smoothing, objective.l2, objective.z_loss, objective.temperature] {
        number.to_bits().hash(&mut hasher);
    }
    let targets = match problem.targets() {
        Targets::Labels(_) => 0,
        Targets::Soft(_) => 1,
        Targets::None => 2,
    };
    targets.hash(&mut hasher);
    for &kind in OutputKind::ALL {
        outputs.wants(kind).hash(&mut hasher);
    }
    (outputs.top(), outputs.accumulate).hash(&mut hasher);
    hasher.finish()
}

/// A hash of numbers in their order.
pub(crate) fn fingerprint_of<T: Element>(numbers: ArrayView1<'_, T>) -> u64 {
    let mut hasher = DefaultHasher::new();
    numbers.iter().for_each(|x| x.widen().to_bits().hash(&mut hasher));
    hasher.finish()
}
