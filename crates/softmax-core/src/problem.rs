use crate::{Element, Error, Objective, Result};
use ndarray::{Array1, Array2, ArrayView, ArrayView1, ArrayView2, Dimension};

/// One evaluation's inputs, checked: shapes agree, labels are in range; class weights, sample weights and soft
/// targets are finite and not negative; options are in their ranges, also when they are rounded to `T`; and there is at least one class. Backends rely on all of it.
///
/// It borrows its arrays, contiguous or not, in any memory order. Features, weights and bias may hold any
/// number, NaN and infinities too; N and D may be zero.
#[derive(Clone, Debug)]
pub struct Problem<'a, T> {
    features: ArrayView2<'a, T>,
    weights: ArrayView2<'a, T>,
    targets: Targets<'a, T>,
    bias: Option<ArrayView1<'a, T>>,
    class_weights: Option<ArrayView1<'a, T>>,
    sample_weights: Option<ArrayView1<'a, T>>,
    objective: Objective,
}

/// A problem's arrays, owned: what a file or a generator gives. Nothing is checked until [`problem`](Self::problem).
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedProblem<T> {
    /// X (N×D).
    pub features: Array2<T>,
    /// W (D×C).
    pub weights: Array2<T>,
    /// Labels (N) or soft targets (N×C).
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
    Labels(Array1<usize>),
    /// A mass for every class (N×C).
    Soft(Array2<T>),
}

impl<T: Element> OwnedProblem<T> {
    /// Features, weights and targets, with no bias, unit weights and the plain objective.
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
    /// As [`ProblemBuilder::build`].
    pub fn problem(&self) -> Result<Problem<'_, T>> {
        let targets = match &self.targets {
            OwnedTargets::Labels(labels) => Targets::Labels(labels.view()),
            OwnedTargets::Soft(soft) => Targets::Soft(soft.view()),
        };
        let mut builder = Problem::builder(self.features.view(), self.weights.view(), targets);
        builder.0.bias = self.bias.as_ref().map(|a| a.view());
        builder.0.class_weights = self.class_weights.as_ref().map(|a| a.view());
        builder.0.sample_weights = self.sample_weights.as_ref().map(|a| a.view());
        builder.objective(self.objective).build()
    }
}

/// What each sample should be classified as.
#[derive(Clone, Debug)]
pub enum Targets<'a, T> {
    /// One class per sample (N), or the ignored value.
    Labels(ArrayView1<'a, usize>),
    /// A mass for every class (N×C), finite and not negative. Rows need not sum to one.
    Soft(ArrayView2<'a, T>),
}

impl<'a, T> From<ArrayView1<'a, usize>> for Targets<'a, T> {
    fn from(labels: ArrayView1<'a, usize>) -> Self {
        Targets::Labels(labels)
    }
}

impl<'a, T> From<&'a [usize]> for Targets<'a, T> {
    fn from(labels: &'a [usize]) -> Self {
        Targets::Labels(labels.into())
    }
}

impl<'a, T> From<ArrayView2<'a, T>> for Targets<'a, T> {
    fn from(soft: ArrayView2<'a, T>) -> Self {
        Targets::Soft(soft)
    }
}

/// A [`Problem`] in the making; see [`Problem::builder`].
#[derive(Clone, Debug)]
#[must_use = "a problem is made by `build`"]
pub struct ProblemBuilder<'a, T>(Problem<'a, T>);

impl<'a, T: Element> ProblemBuilder<'a, T> {
    /// The bias b (C), added to every sample's raw scores. −∞ masks a class.
    pub fn bias(mut self, bias: ArrayView1<'a, T>) -> Self {
        self.0.bias = Some(bias);
        self
    }

    /// Class weights w (C), finite and not negative. Default 1.
    pub fn class_weights(mut self, class_weights: ArrayView1<'a, T>) -> Self {
        self.0.class_weights = Some(class_weights);
        self
    }

    /// Sample weights u (N), finite and not negative. Default 1.
    pub fn sample_weights(mut self, sample_weights: ArrayView1<'a, T>) -> Self {
        self.0.sample_weights = Some(sample_weights);
        self
    }

    /// The options of the loss. Default [`Objective::default`].
    pub fn objective(mut self, objective: Objective) -> Self {
        self.0.objective = objective;
        self
    }

    /// Checks everything, once.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::Shape`], [`Error::Option`], [`Error::Label`] or [`Error::Value`],
    /// whichever is met first in that order.
    pub fn build(self) -> Result<Problem<'a, T>> {
        let problem = self.0;
        problem.check_shapes()?;
        problem.objective.check()?;
        check_rounded::<T>(&problem.objective)?;
        problem.check_targets()?;
        if let Some(class_weights) = problem.class_weights {
            check_weights("class weights", class_weights)?;
        }
        if let Some(sample_weights) = problem.sample_weights {
            check_weights("sample weights", sample_weights)?;
        }
        Ok(problem)
    }
}

/// Refuses options that `T` does not hold: as infinity, or as a divisor that is next to nothing.
fn check_rounded<T: Element>(objective: &Objective) -> Result<()> {
    let require = |option, found, holds, expected| {
        if holds { Ok(()) } else { Err(Error::Option { option, expected, found }) }
    };
    for (option, value) in [("l2", objective.l2), ("z_loss", objective.z_loss)] {
        let holds = T::narrow(value).is_finite();
        require(option, value, holds, "a number that is finite in the element type")?;
    }
    for (option, value) in
        [("softcap", objective.softcap.unwrap_or(1.0)), ("temperature", objective.temperature)]
    {
        let holds = T::narrow(value).is_normal();
        require(option, value, holds, "a normal number of the element type")?;
    }
    Ok(())
}

impl<'a, T: Element> Problem<'a, T> {
    /// Starts a problem from features X (N×D), weights W (D×C), and labels (N) or soft targets (N×C).
    pub fn builder(
        features: ArrayView2<'a, T>,
        weights: ArrayView2<'a, T>,
        targets: impl Into<Targets<'a, T>>,
    ) -> ProblemBuilder<'a, T> {
        ProblemBuilder(Problem {
            features,
            weights,
            targets: targets.into(),
            bias: None,
            class_weights: None,
            sample_weights: None,
            objective: Objective::default(),
        })
    }

    /// The number of samples N.
    pub fn n_samples(&self) -> usize {
        self.features.nrows()
    }

    /// The number of features D.
    pub fn n_features(&self) -> usize {
        self.features.ncols()
    }

    /// The number of classes C, at least 1.
    pub fn n_classes(&self) -> usize {
        self.weights.ncols()
    }

    /// X (N×D).
    pub fn features(&self) -> ArrayView2<'a, T> {
        self.features
    }

    /// W (D×C).
    pub fn weights(&self) -> ArrayView2<'a, T> {
        self.weights
    }

    /// Labels (N) or soft targets (N×C).
    pub fn targets(&self) -> &Targets<'a, T> {
        &self.targets
    }

    /// b (C).
    pub fn bias(&self) -> Option<ArrayView1<'a, T>> {
        self.bias
    }

    /// w (C).
    pub fn class_weights(&self) -> Option<ArrayView1<'a, T>> {
        self.class_weights
    }

    /// u (N).
    pub fn sample_weights(&self) -> Option<ArrayView1<'a, T>> {
        self.sample_weights
    }

    /// The options of the loss.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// Whether a hard label is the ignored value.
    pub fn is_ignored(&self, label: usize) -> bool {
        self.objective.ignore_index == Some(label)
    }

    /// Checks the shapes of a direction in the space of W and of a Hessian-vector product; a backend calls this
    /// first.
    ///
    /// # Errors
    /// [`Error::Shape`] where either is not D×C.
    pub fn check_direction(&self, direction: ArrayView2<'_, T>, product: ArrayView2<'_, T>) -> Result<()> {
        for (array, found) in [("direction", direction.dim()), ("Hessian-vector product", product.dim())] {
            let (expected, found) = ((self.n_features(), self.n_classes()), found);
            if expected.0 != found.0 {
                return Err(Error::Shape { array, axis: "features", expected: expected.0, found: found.0 });
            }
            if expected.1 != found.1 {
                return Err(Error::Shape { array, axis: "classes", expected: expected.1, found: found.1 });
            }
        }
        Ok(())
    }

    fn check_shapes(&self) -> Result<()> {
        let (n, d, c) = (self.n_samples(), self.n_features(), self.n_classes());
        if c == 0 {
            return Err(Error::NoClasses);
        }
        let require = |array, axis, expected, found| {
            if expected == found { Ok(()) } else { Err(Error::Shape { array, axis, expected, found }) }
        };
        require("weights", "features", d, self.weights.nrows())?;
        match &self.targets {
            Targets::Labels(labels) => require("labels", "samples", n, labels.len())?,
            Targets::Soft(soft) => {
                require("soft targets", "samples", n, soft.nrows())?;
                require("soft targets", "classes", c, soft.ncols())?;
            }
        }
        if let Some(bias) = self.bias {
            require("bias", "classes", c, bias.len())?;
        }
        if let Some(class_weights) = self.class_weights {
            require("class weights", "classes", c, class_weights.len())?;
        }
        if let Some(sample_weights) = self.sample_weights {
            require("sample weights", "samples", n, sample_weights.len())?;
        }
        Ok(())
    }

    fn check_targets(&self) -> Result<()> {
        match &self.targets {
            Targets::Labels(labels) => {
                let classes = self.n_classes();
                match labels.iter().position(|&y| y >= classes && !self.is_ignored(y)) {
                    None => Ok(()),
                    Some(sample) => Err(Error::Label {
                        sample,
                        label: labels[sample],
                        classes,
                        ignore_index: self.objective.ignore_index,
                    }),
                }
            }
            Targets::Soft(soft) => check_weights("soft targets", *soft),
        }
    }
}

fn check_weights<T: Element, D: Dimension>(array: &'static str, weights: ArrayView<'_, T, D>) -> Result<()> {
    let admitted = |w: T| w.is_finite() && w >= T::zero();
    if weights.iter().all(|&w| admitted(w)) {
        return Ok(());
    }
    let refused = weights.iter().enumerate().find(|&(_, &w)| !admitted(w));
    let (position, found) = refused.map_or((0, f64::NAN), |(position, w)| (position, w.widen()));
    let index = unravel(position, weights.shape());
    Err(Error::Value { array, index, expected: "a finite number, at least 0", found })
}

/// The index per axis of the `position`-th entry in logical order.
fn unravel(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (slot, &length) in index.iter_mut().zip(shape).rev() {
        *slot = position % length;
        position /= length;
    }
    index
}
