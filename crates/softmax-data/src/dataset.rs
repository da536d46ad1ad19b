use crate::error::{DataError, Result};
use crate::layout::FeatureLayout;
use crate::random::random_weights;
use crate::standardization::Standardization;
use crate::stores::{FeatureStore, TargetStore, WeightStore};
use ndarray::{Array, Array1, Array2, ArrayView1, Axis, RemoveAxis, Slice};
use softmax_core::{ArrayName, AxisName, Element, Error, Objective, Problem, Weights, ndarray};

/// Finite data from a source: features, targets, and optional parts of a problem. Arrays with inconsistent shapes are
/// refused by [`problem`](Self::problem).
#[derive(Clone, Debug)]
pub struct Dataset<T> {
    /// The source of the data, for messages and reports.
    pub origin: String,
    /// X (N×D).
    pub features: FeatureStore<T>,
    /// y (N), Y (N×C), or no targets.
    pub targets: TargetStore<T>,
    /// W (D×C).
    pub weights: Option<WeightStore<T>>,
    /// The source of the weights, if it differs.
    pub weights_origin: Option<String>,
    /// b (C).
    pub bias: Option<Array1<T>>,
    /// w (C).
    pub class_weights: Option<Array1<T>>,
    /// u (N).
    pub sample_weights: Option<Array1<T>>,
    /// The names of the classes, if the labels were names.
    pub class_names: Option<Vec<String>>,
    /// How the file identifies the features.
    pub layout: FeatureLayout,
}

/// Transformations of the features before they are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preparation {
    /// Subtract each feature's mean and divide by its standard deviation; a constant feature becomes 0.
    pub standardize: bool,
    /// Add a feature that is always 1.
    pub bias_column: bool,
}

impl<T: Element> Dataset<T> {
    /// A data set with only features and targets.
    pub fn new(
        origin: impl Into<String>,
        features: impl Into<FeatureStore<T>>,
        targets: TargetStore<T>,
    ) -> Self {
        Dataset {
            origin: origin.into(),
            features: features.into(),
            targets,
            weights: None,
            weights_origin: None,
            bias: None,
            class_weights: None,
            sample_weights: None,
            class_names: None,
            layout: FeatureLayout::default(),
        }
    }

    /// C: the width of the weights, bias, class weights or soft targets, or one more than the largest label
    /// that is not `ignored`.
    pub fn n_classes(&self, ignored: Option<i64>) -> usize {
        let given = [
            self.weights.as_ref().map(|w| w.view().dim().1),
            self.bias.as_ref().map(|b| b.len()),
            self.class_weights.as_ref().map(|w| w.len()),
        ];
        match (given.into_iter().flatten().next(), &self.targets) {
            (Some(classes), _) => classes,
            (None, TargetStore::Soft(soft)) => soft.ncols(),
            (None, TargetStore::None) => 0,
            (None, TargetStore::Labels(labels)) => {
                let largest = labels.iter().filter(|&&y| Some(y) != ignored).max();
                largest.map_or(0, |&y| usize::try_from(y).map_or(0, |y| y.saturating_add(1)))
            }
        }
    }

    /// Checks that targets and sample weights have `samples` entries. The features may hold only the first of the
    /// samples.
    ///
    /// # Errors
    /// [`DataError::Part`] naming the array of another length.
    pub(crate) fn of_samples(self, samples: usize) -> Result<Self> {
        let targets = match &self.targets {
            TargetStore::Labels(labels) => Some(("y", labels.len())),
            TargetStore::Soft(soft) => Some(("Y", soft.nrows())),
            TargetStore::None => None,
        };
        let weights = self.sample_weights.as_ref().map(|u| ("sample_weight", u.len()));
        match [targets, weights].into_iter().flatten().find(|&(_, found)| found != samples) {
            None => Ok(self),
            Some((name, found)) => Err(self.not_for_each(name, samples, found)),
        }
    }

    fn not_for_each(&self, name: &str, samples: usize, found: usize) -> DataError {
        let expected = format!("one for each of {samples} samples");
        DataError::field(&self.origin, name, expected, found.to_string())
    }

    /// Keeps at most `limit` of the first samples.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        fn first<A: Clone, D: RemoveAxis>(array: Array<A, D>, limit: usize) -> Array<A, D> {
            let length = array.len_of(Axis(0));
            if length <= limit { array } else { array.slice_axis(Axis(0), Slice::from(..limit)).to_owned() }
        }
        self.features = match self.features {
            FeatureStore::Dense(x) => FeatureStore::Dense(first(x, limit)),
            FeatureStore::F16(x) => FeatureStore::F16(first(x, limit)),
            FeatureStore::Bf16(x) => FeatureStore::Bf16(first(x, limit)),
            FeatureStore::Mapped(x) => FeatureStore::Mapped(x.limit(limit)),
            FeatureStore::Csr(x) => FeatureStore::Csr(x.first_rows(limit)),
        };
        self.targets = match self.targets {
            TargetStore::Labels(labels) => TargetStore::Labels(first(labels, limit)),
            TargetStore::Soft(soft) => TargetStore::Soft(first(soft, limit)),
            TargetStore::None => TargetStore::None,
        };
        self.sample_weights = self.sample_weights.map(|u| first(u, limit));
        self
    }

    /// Prepares the features. They become a dense array of `T`, unless the preparation does nothing.
    #[must_use]
    pub fn prepare(mut self, preparation: Preparation) -> Self {
        if preparation == Preparation::default() {
            return self;
        }
        let mut features = self.features.into_dense();
        let (n, d) = features.dim();
        if preparation.bias_column {
            let mut wider = Array2::ones((n, d + 1));
            wider.slice_axis_mut(Axis(1), Slice::from(..d)).assign(&features);
            features = wider;
        }
        if preparation.standardize {
            let of_features = Standardization::of(features.columns().into_iter().take(d), |_| true);
            of_features.apply(&mut features);
        }
        self.features = FeatureStore::Dense(features);
        self
    }

    /// Standardises the features by the means and deviations of the chosen samples, which are also returned.
    #[must_use]
    pub fn standardized(mut self, is_chosen: impl Fn(usize) -> bool) -> (Self, Standardization) {
        let mut features = self.features.into_dense();
        let standardization = Standardization::of(features.columns(), is_chosen);
        standardization.apply(&mut features);
        self.features = FeatureStore::Dense(features);
        (self, standardization)
    }

    /// Widens sparse features to at least `features` columns: a sparse file names only features that occur in its
    /// samples.
    #[must_use]
    pub fn with_features(mut self, features: usize) -> Self {
        if let FeatureStore::Csr(x) = self.features {
            self.features = FeatureStore::Csr(x.with_columns(features));
        }
        self
    }

    /// Converts features and weights to dense arrays of the element type, for backends that support no other storage.
    #[must_use]
    pub fn widened(self) -> Self {
        Dataset {
            features: FeatureStore::Dense(self.features.into_dense()),
            weights: self.weights.map(|w| WeightStore::Dense(w.into_dense())),
            ..self
        }
    }

    /// Adds small random weights from `seed`, if there are none.
    ///
    /// # Errors
    /// [`DataError::Part`] if the labels imply an implausible number of classes, see
    /// [`check_classes`](Self::check_classes).
    pub fn with_weights(mut self, seed: u64, ignored: Option<i64>) -> Result<Self> {
        if self.weights.is_none() {
            self.check_classes(ignored)?;
            let (_, features) = self.features.dim();
            self.weights = Some(random_weights(features, self.n_classes(ignored), seed).into());
        }
        Ok(self)
    }

    /// Without weights, refuses labels that imply an implausible number of classes: weights for all of them might not
    /// fit into memory.
    ///
    /// # Errors
    /// [`DataError::Part`] naming the largest class.
    pub fn check_classes(&self, ignored: Option<i64>) -> Result<()> {
        // Plausible: at most `ALWAYS` entries of W, or at most `PER_SAMPLE` classes per sample.
        const ALWAYS: usize = 1 << 26;
        const PER_SAMPLE: usize = 64;
        let classes = self.n_classes(ignored);
        let (samples, features) = self.features.dim();
        let entries = features.max(1).saturating_mul(classes);
        let is_meant = entries <= ALWAYS || classes <= samples.saturating_mul(PER_SAMPLE);
        if self.weights.is_some() || is_meant && entries <= isize::MAX as usize / 8 {
            return Ok(());
        }
        let largest = classes.saturating_sub(1);
        Err(DataError::field(
            &self.origin,
            "y",
            "class numbers from 0 on, or weights that say how many classes there are",
            format!("class {largest} among {samples} samples of {features} features"),
        ))
    }

    /// The problem of this data under `objective`. The data set must have weights.
    ///
    /// # Errors
    /// [`DataError`] naming the array that does not fit by its name in files, such as a W without a row for each
    /// feature or a y with a label that is neither a class nor the ignored label; otherwise [`DataError::Problem`].
    pub fn problem(&self, objective: Objective) -> Result<Problem<'_, T>> {
        let Some(weights) = &self.weights else {
            let (expected, found) = ("a matrix of D rows and C columns", "no array of that name");
            return Err(DataError::field(&self.origin, "W", expected, found));
        };
        self.problem_at(weights.view(), self.bias.as_ref().map(|b| b.view()), objective)
    }

    /// The problem of this data with other weights (D×C) and another bias (C).
    ///
    /// # Errors
    /// As [`problem`](Self::problem).
    pub fn problem_at<'a>(
        &'a self,
        weights: impl Into<Weights<'a, T>>,
        bias: Option<ArrayView1<'a, T>>,
        objective: Objective,
    ) -> Result<Problem<'a, T>> {
        let weights = weights.into();
        Problem::builder(self.features.view(), weights, self.targets.view())
            .bias(bias)
            .class_weights(self.class_weights.as_ref().map(|w| w.view()))
            .sample_weights(self.sample_weights.as_ref().map(|u| u.view()))
            .objective(objective)
            .build()
            .map_err(|error| self.in_words_of_files(error, weights.dim()))
    }

    /// Whether the labels run from 1 to C instead of 0 to C − 1.
    fn counts_from_one(&self, classes: usize, ignored: Option<i64>) -> bool {
        let TargetStore::Labels(labels) = &self.targets else { return false };
        let counted = || labels.iter().copied().filter(|&y| Some(y) != ignored);
        counted().min().is_some_and(|least| least >= 1)
            && counted().max().and_then(|most| usize::try_from(most).ok()) == Some(classes)
    }

    /// Converts an error of the problem so that it uses the names that arrays have in files.
    fn in_words_of_files(&self, error: Error, (rows, columns): (usize, usize)) -> DataError {
        let (samples, features) = self.features.dim();
        match error {
            Error::Shape { array: ArrayName::Weights, axis: AxisName::Features, .. } => {
                let hint = if columns == features { ": is it transposed?" } else { "" };
                DataError::field(
                    self.weights_origin.as_ref().unwrap_or(&self.origin),
                    "W",
                    format!("{features} rows, one for each feature"),
                    format!("{rows} rows of {columns}{hint}"),
                )
            }
            Error::Shape { array: ArrayName::Labels, found, .. } => self.not_for_each("y", samples, found),
            Error::Shape { array: ArrayName::SoftTargets, axis: AxisName::Samples, found, .. } => {
                self.not_for_each("Y", samples, found)
            }
            Error::Shape { array: ArrayName::SampleWeights, found, .. } => {
                self.not_for_each("sample_weight", samples, found)
            }
            Error::Label { sample, label, classes, ignore_index } => DataError::Label {
                origin: self.origin.clone(),
                row: sample,
                label,
                classes,
                ignored: ignore_index,
                from_one: self.counts_from_one(classes, ignore_index),
            },
            Error::NoClasses if self.weights.is_none() && matches!(self.targets, TargetStore::Labels(_)) => {
                let found = if samples == 0 { "no samples" } else { "ignored samples alone" };
                DataError::field(&self.origin, "y", "at least one sample with a class", found)
            }
            source => DataError::Problem { origin: self.origin.clone(), source },
        }
    }
}
