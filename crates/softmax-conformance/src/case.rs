//! A case: a problem with a name, in f64 until a run narrows it to the element type under test.

use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, Objective, OwnedProblem, OwnedTargets};

/// A problem with a name.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique in its suite; words joined by `/` and `-`.
    pub name: String,
    /// The problem in f64. A run in f32 rounds it first, so that the oracle sees what the backend sees.
    pub problem: OwnedProblem<f64>,
}

impl Case {
    /// A case of a suite.
    pub fn new(name: impl Into<String>, problem: OwnedProblem<f64>) -> Self {
        Case { name: name.into(), problem }
    }

    /// The problem in the element type `T`.
    pub fn narrowed<T: Element>(&self) -> OwnedProblem<T> {
        let problem = &self.problem;
        OwnedProblem {
            features: problem.features.mapv(T::narrow),
            weights: problem.weights.mapv(T::narrow),
            targets: match &problem.targets {
                OwnedTargets::Labels(labels) => OwnedTargets::Labels(labels.clone()),
                OwnedTargets::Soft(soft) => OwnedTargets::Soft(soft.mapv(T::narrow)),
            },
            bias: problem.bias.as_ref().map(|a| a.mapv(T::narrow)),
            class_weights: problem.class_weights.as_ref().map(|a| a.mapv(T::narrow)),
            sample_weights: problem.sample_weights.as_ref().map(|a| a.mapv(T::narrow)),
            objective: problem.objective,
        }
    }
}

/// Random problems of a shape, the same ones for the same seed.
pub(crate) struct Generator(XorShiftRng);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Generator(XorShiftRng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`.
    pub(crate) fn number(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    pub(crate) fn vector(&mut self, length: usize, low: f64, high: f64) -> Array1<f64> {
        Array1::from_shape_simple_fn(length, || self.number(low, high))
    }

    pub(crate) fn matrix(&mut self, rows: usize, columns: usize, low: f64, high: f64) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || self.number(low, high))
    }

    pub(crate) fn labels(&mut self, samples: usize, classes: usize) -> Array1<usize> {
        Array1::from_shape_simple_fn(samples, || self.below(classes))
    }

    /// Rows that sum to one, with a zero here and there.
    pub(crate) fn soft_targets(&mut self, samples: usize, classes: usize) -> Array2<f64> {
        let mut soft = self.matrix(samples, classes, -0.2, 1.0).mapv(|mass| mass.max(0.0));
        for mut row in soft.rows_mut() {
            let sum = row.sum();
            if sum > 0.0 {
                row /= sum;
            } else {
                row[0] = 1.0;
            }
        }
        soft
    }

    /// Hard labels; scores of a few units whatever the shape.
    pub(crate) fn problem(&mut self, n: usize, d: usize, c: usize) -> OwnedProblem<f64> {
        let spread = 3.0 / (d.max(1) as f64).sqrt();
        let features = self.matrix(n, d, -1.0, 1.0);
        let weights = self.matrix(d, c, -spread, spread);
        let labels = self.labels(n, c);
        OwnedProblem::new(features, weights, OwnedTargets::Labels(labels))
    }
}

/// Scores given outright: one-hot features pick rows of W. `scores` has a row per sample.
pub(crate) fn problem_of_scores(scores: Array2<f64>, labels: &[usize]) -> OwnedProblem<f64> {
    let features = Array2::eye(scores.nrows());
    OwnedProblem::new(features, scores, OwnedTargets::Labels(Array1::from(labels.to_vec())))
}

pub(crate) fn with_objective(problem: OwnedProblem<f64>, objective: Objective) -> OwnedProblem<f64> {
    OwnedProblem { objective, ..problem }
}
