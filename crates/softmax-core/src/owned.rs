use crate::element::Element;
use crate::error::Result;
use crate::objective::Objective;
use crate::problem::{Problem, ProblemBuilder};
use crate::targets::Targets;
use ndarray::{Array1, Array2};

/// A problem with owned, dense arrays, for generators and tests. [`problem`](Self::problem) checks them.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedProblem<T> {
    /// X (N×D).
    pub features: Array2<T>,
    /// W (D×C).
    pub weights: Array2<T>,
    /// Labels (N), soft targets (N×C), or none.
    pub targets: OwnedTargets<T>,
    /// b (C).
    pub bias: Option<Array1<T>>,
    /// w (C).
    pub class_weights: Option<Array1<T>>,
    /// u (N).
    pub sample_weights: Option<Array1<T>>,
    /// The options of the loss.
    pub objective: Objective,
}

/// [`Targets`], owned.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedTargets<T> {
    /// One class per sample (N), or the ignored value.
    Labels(Array1<i64>),
    /// A mass for every class (N×C).
    Soft(Array2<T>),
    /// No targets.
    None,
}

impl<T: Element> OwnedProblem<T> {
    /// A problem without a bias, class weights or sample weights, with the default objective.
    pub fn new(features: Array2<T>, weights: Array2<T>, targets: OwnedTargets<T>) -> Self {
        OwnedProblem {
            features,
            weights,
            targets,
            bias: None,
            class_weights: None,
            sample_weights: None,
            objective: Objective::default(),
        }
    }

    /// Views of these arrays as a checked problem.
    ///
    /// # Errors
    /// The same as [`ProblemBuilder::build`].
    pub fn problem(&self) -> Result<Problem<'_, T>> {
        self.builder().build()
    }

    /// A builder with views of these arrays, to change parts of the problem before it is built.
    pub fn builder(&self) -> ProblemBuilder<'_, T> {
        let targets = match &self.targets {
            OwnedTargets::Labels(labels) => Targets::Labels(labels.view().into()),
            OwnedTargets::Soft(soft) => Targets::Soft(soft.view()),
            OwnedTargets::None => Targets::None,
        };
        Problem::builder(self.features.view(), self.weights.view(), targets)
            .bias(self.bias.as_ref().map(|b| b.view()))
            .class_weights(self.class_weights.as_ref().map(|w| w.view()))
            .sample_weights(self.sample_weights.as_ref().map(|u| u.view()))
            .objective(self.objective)
    }
}
