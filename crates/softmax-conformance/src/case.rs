//! A case: a problem with a name, in f64 until a run narrows it to the element type under test.

use crate::storage::{Storage, StoredProblem};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, Objective, OwnedProblem, OwnedTargets};

/// A problem with a name.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique in its suite; words joined by `/` and `-`.
    pub name: String,
    /// The problem in f64. A run in f32 rounds it first, so that the oracle sees what the backend sees.
    pub problem: OwnedProblem<f64>,
    /// How features, weights and labels are stored.
    pub storage: Storage,
}

impl Case {
    /// A case with the default storage: dense X and W of the element type, `i64` labels.
    pub fn new(name: impl Into<String>, problem: OwnedProblem<f64>) -> Self {
        Case { name: name.into(), problem, storage: Storage::default() }
    }

    /// Sets the storage types of features, weights and labels.
    #[must_use]
    pub fn stored_as(self, storage: Storage) -> Self {
        Case { storage, ..self }
    }

    /// The problem in the element type `T`, dense.
    pub fn narrowed<T: Element>(&self) -> OwnedProblem<T> {
        converted(&self.problem, T::narrow)
    }

    /// The problem in the element type `T`, in the storage types of the case.
    pub fn stored<T: Element>(&self) -> StoredProblem<T> {
        StoredProblem::new(self.narrowed(), self.storage)
    }
}

/// Converts the numbers of a problem to another element type.
pub(crate) fn converted<A: Element, B: Element>(
    problem: &OwnedProblem<A>,
    convert: impl Fn(A) -> B + Copy,
) -> OwnedProblem<B> {
    OwnedProblem {
        features: problem.features.mapv(convert),
        weights: problem.weights.mapv(convert),
        targets: match &problem.targets {
            OwnedTargets::Labels(labels) => OwnedTargets::Labels(labels.clone()),
            OwnedTargets::Soft(soft) => OwnedTargets::Soft(soft.mapv(convert)),
            OwnedTargets::None => OwnedTargets::None,
        },
        bias: problem.bias.as_ref().map(|b| b.mapv(convert)),
        class_weights: problem.class_weights.as_ref().map(|w| w.mapv(convert)),
        sample_weights: problem.sample_weights.as_ref().map(|u| u.mapv(convert)),
        objective: problem.objective,
    }
}

/// A problem with given scores (N×C): the features are the identity, so W holds the scores.
pub(crate) fn problem_of_scores(scores: Array2<f64>, labels: &[i64]) -> OwnedProblem<f64> {
    let features = Array2::eye(scores.nrows());
    OwnedProblem::new(features, scores, OwnedTargets::Labels(Array1::from(labels.to_vec())))
}

pub(crate) fn with_objective(problem: OwnedProblem<f64>, objective: Objective) -> OwnedProblem<f64> {
    OwnedProblem { objective, ..problem }
}
