use crate::error::{DataError, Result};
use crate::synthetic::random_weights;
use ndarray::{Array, Array1, Array2, ArrayView, Axis, Dimension, RemoveAxis, Slice};
use softmax_core::{Element, Objective, OwnedProblem, OwnedTargets, ndarray};

/// Data as it comes from a source, finite, and not yet a problem: labels may be negative, weights missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<T> {
    /// Where it came from, for messages and reports.
    pub origin: String,
    /// X (N×D).
    pub features: Array2<T>,
    /// y (N) or Y (N×C).
    pub labels: Labels<T>,
    /// W (D×C).
    pub weights: Option<Array2<T>>,
    /// b (C).
    pub bias: Option<Array1<T>>,
    /// w (C).
    pub class_weights: Option<Array1<T>>,
    /// u (N).
    pub sample_weights: Option<Array1<T>>,
}

/// The targets of a data set.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels<T> {
    /// Class numbers as files have them (N): PyTorch's ignored −100 may be among them.
    Hard(Array1<i64>),
    /// Target masses (N×C).
    Soft(Array2<T>),
}

impl<T: Element> Dataset<T> {
    /// Features and targets alone.
    pub fn new(origin: impl Into<String>, features: Array2<T>, labels: Labels<T>) -> Self {
        Dataset {
            origin: origin.into(),
            features,
            labels,
            weights: None,
            bias: None,
            class_weights: None,
            sample_weights: None,
        }
    }

    /// C: the width of the weights, bias, class weights or soft targets, or one more than the largest label
    /// that is not `ignored`.
    pub fn n_classes(&self, ignored: Option<i64>) -> usize {
        let given = [
            self.weights.as_ref().map(|w| w.ncols()),
            self.bias.as_ref().map(|b| b.len()),
            self.class_weights.as_ref().map(|w| w.len()),
        ];
        match (given.into_iter().flatten().next(), &self.labels) {
            (Some(classes), _) => classes,
            (None, Labels::Soft(soft)) => soft.ncols(),
            (None, Labels::Hard(labels)) => {
                let largest = labels.iter().filter(|&&y| Some(y) != ignored).max();
                largest.map_or(0, |&y| usize::try_from(y).map_or(0, |y| y.saturating_add(1)))
            }
        }
    }

    /// The first samples, at most `limit` of them.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        fn first<A: Clone, D: RemoveAxis>(array: Array<A, D>, limit: usize) -> Array<A, D> {
            let length = array.len_of(Axis(0));
            if length <= limit { array } else { array.slice_axis(Axis(0), Slice::from(..limit)).to_owned() }
        }
        self.features = first(self.features, limit);
        self.labels = match self.labels {
            Labels::Hard(labels) => Labels::Hard(first(labels, limit)),
            Labels::Soft(soft) => Labels::Soft(first(soft, limit)),
        };
        self.sample_weights = self.sample_weights.map(|u| first(u, limit));
        self
    }

    /// Takes each feature's mean from it and divides by its standard deviation, in f64; a feature that is constant
    /// becomes 0.
    #[must_use]
    pub fn standardize(mut self) -> Self {
        let count = self.features.nrows() as f64;
        for mut column in self.features.columns_mut() {
            let mean = column.iter().map(|x| x.widen()).sum::<f64>() / count;
            let variance = column.iter().map(|x| (x.widen() - mean).powi(2)).sum::<f64>() / count;
            let deviation = variance.sqrt();
            // What rounding leaves of a constant is no deviation.
            let scale = if deviation > mean.abs() * 1e-14 { deviation.recip() } else { 0.0 };
            column.mapv_inplace(|x| T::narrow((x.widen() - mean) * scale));
        }
        self
    }

    /// Adds a last feature that is 1 for every sample, so that the last row of W is the bias.
    #[must_use]
    pub fn with_bias_column(mut self) -> Self {
        let (rows, columns) = self.features.dim();
        let mut features = Array2::ones((rows, columns + 1));
        features.slice_axis_mut(Axis(1), Slice::from(..columns)).assign(&self.features);
        self.features = features;
        self
    }

    /// Refuses targets or sample weights for another number of samples.
    pub(crate) fn check_lengths(&self) -> Result<()> {
        let rows = self.features.nrows();
        let targets = match &self.labels {
            Labels::Hard(labels) => ("y", labels.len()),
            Labels::Soft(soft) => ("Y", soft.nrows()),
        };
        let weights = self.sample_weights.as_ref().map(|u| ("sample_weight", u.len()));
        match [Some(targets), weights].into_iter().flatten().find(|&(_, length)| length != rows) {
            None => Ok(()),
            Some((field, length)) => Err(DataError::Field {
                origin: self.origin.clone(),
                field: field.to_owned(),
                expected: format!("one for each of {rows} samples"),
                found: length.to_string(),
            }),
        }
    }

    /// Where there are no weights, refuses labels from which no one would count the classes: weights for them all might
    /// not fit into memory.
    ///
    /// # Errors
    /// [`DataError::Field`] naming the largest class.
    pub fn check_classes(&self, ignored: Option<i64>) -> Result<()> {
        // Weights for so many classes and features, and so many classes for each sample.
        const ALWAYS: usize = 1 << 26;
        const PER_SAMPLE: usize = 64;
        let classes = self.n_classes(ignored);
        let (samples, features) = self.features.dim();
        let entries = features.max(1).saturating_mul(classes);
        let is_meant = entries <= ALWAYS || classes <= samples.saturating_mul(PER_SAMPLE);
        if self.weights.is_some() || is_meant && entries <= isize::MAX as usize / 8 {
            return Ok(());
        }
        Err(DataError::Field {
            origin: self.origin.clone(),
            field: "y".to_owned(),
            expected: "class numbers from 0 on, or weights that say how many classes there are".to_owned(),
            found: format!(
                "class {} among {samples} samples of {features} features",
                classes.saturating_sub(1)
            ),
        })
    }

    /// Refuses weights for another number of features: else their number of classes would be blamed on the labels. `origin`
    /// is where the weights came from.
    ///
    /// # Errors
    /// [`DataError::Field`] naming W.
    pub fn check_weights(&self, origin: &str) -> Result<()> {
        let features = self.features.ncols();
        let Some((rows, columns)) =
            self.weights.as_ref().map(|w| w.dim()).filter(|&(rows, _)| rows != features)
        else {
            return Ok(());
        };
        let hint = if columns == features { ": is it transposed?" } else { "" };
        Err(DataError::Field {
            origin: origin.to_owned(),
            field: "W".to_owned(),
            expected: format!("{features} rows, one for each feature"),
            found: format!("{rows} rows of {columns}{hint}"),
        })
    }

    /// The problem of this data under `objective`. The ignored label is the one in `ignored`, as files write it, or if there
    /// is none the objective's. Where the data has no weights, they are small and random, from `seed`.
    ///
    /// # Errors
    /// [`DataError::Field`] for a label that is neither a class nor the ignored one, and for one that stands for more classes
    /// than can be meant.
    pub fn into_problem(
        self,
        objective: Objective,
        ignored: Option<i64>,
        seed: u64,
    ) -> Result<OwnedProblem<T>> {
        let ignored =
            ignored.or_else(|| objective.ignore_index.map(|index| i64::try_from(index).unwrap_or(i64::MAX)));
        let classes = self.n_classes(ignored);
        self.check_classes(ignored)?;
        self.check_weights(&self.origin)?;
        let targets = match self.labels {
            Labels::Soft(soft) => OwnedTargets::Soft(soft),
            Labels::Hard(labels) => {
                OwnedTargets::Labels(checked_labels(&self.origin, &labels, classes, ignored)?)
            }
        };
        // The ignored value is outside the classes or one of them; either way it keeps its identity.
        let ignore_index = ignored.map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        let features = self.features.ncols();
        let weights = self.weights.unwrap_or_else(|| random_weights(features, classes, seed));
        let mut problem = OwnedProblem::new(self.features, weights, targets);
        problem.bias = self.bias;
        problem.class_weights = self.class_weights;
        problem.sample_weights = self.sample_weights;
        problem.objective = Objective { ignore_index, ..objective };
        Ok(problem)
    }
}

fn checked_labels(
    origin: &str,
    labels: &Array1<i64>,
    classes: usize,
    ignored: Option<i64>,
) -> Result<Array1<usize>> {
    let checked: Option<Vec<usize>> = labels
        .iter()
        .map(|&y| match usize::try_from(y) {
            _ if Some(y) == ignored => Some(usize::try_from(y).unwrap_or(usize::MAX)),
            Ok(class) if class < classes => Some(class),
            _ => None,
        })
        .collect();
    if let Some(checked) = checked {
        return Ok(checked.into());
    }
    let wrong = |y: i64| Some(y) != ignored && !usize::try_from(y).is_ok_and(|class| class < classes);
    let (row, label) = labels.iter().enumerate().find(|&(_, &y)| wrong(y)).map_or((0, 0), |(i, &y)| (i, y));
    let or_ignored = ignored.map_or(String::new(), |value| format!(" or the ignored {value}"));
    Err(DataError::Field {
        origin: origin.to_owned(),
        field: "y".to_owned(),
        expected: format!("classes from 0 to {}{or_ignored}", classes.saturating_sub(1)),
        found: format!("{label} at row {row}"),
    })
}

/// Refuses the first entry that is not a finite number, or for a bias also −∞.
pub(crate) fn check_finite<T: Element, D: Dimension>(
    origin: &str,
    field: &str,
    array: ArrayView<'_, T, D>,
    masks: bool,
) -> Result<()> {
    let admitted = |x: T| x.is_finite() || (masks && x == T::neg_infinity());
    let Some((position, x)) = array.iter().enumerate().find(|&(_, &x)| !admitted(x)) else {
        return Ok(());
    };
    let index = match array.shape() {
        [_, columns] => format!("row {}, column {}", position / columns, position % columns),
        _ => format!("index {position}"),
    };
    Err(DataError::Field {
        origin: origin.to_owned(),
        field: field.to_owned(),
        expected: if masks { "finite numbers or -inf" } else { "finite numbers" }.to_owned(),
        found: format!("{x} at {index}"),
    })
}
