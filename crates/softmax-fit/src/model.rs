use crate::error::{FitError, Result};
use crate::probabilities::log_probabilities;
use ndarray::{Array1, Array2};
use softmax::{BackendElement, Features, Objective, Outputs, Problem, SoftmaxBackend, Targets, ndarray};
use softmax_data::{Dataset, FeatureLayout, FeatureStore, MISSING_LABEL, Standardization, TargetStore};
use std::collections::{HashMap, HashSet};

/// A trained classifier: a sample's class is the one with the largest X·W + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<T> {
    /// W (D×C).
    pub weights: Array2<T>,
    /// b (C).
    pub bias: Option<Array1<T>>,
    /// The options of the training. Temperature and softcap also apply to the model's probabilities.
    pub objective: Objective,
    /// The names of the classes, and after them that of an ignored class without weights. `None`: their numbers.
    pub class_names: Option<Vec<String>>,
    /// The standardisation that features need before they are scored.
    pub standardization: Option<Standardization>,
    /// How the training file identified the features: the layout for reading samples to be classified.
    pub layout: FeatureLayout,
}

/// The most probable classes of each sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Top<T> {
    /// The classes (N×K), most probable first.
    pub classes: Array2<usize>,
    /// Their log p (N×K).
    pub log_probabilities: Array2<T>,
}

impl<T: BackendElement> Model<T> {
    /// The class of each sample (N).
    ///
    /// # Errors
    /// [`FitError::Features`] if the data has another number of features than the model, and [`FitError::Scores`] if
    /// scores overflow the element type.
    pub fn predict(&self, dataset: &Dataset<T>) -> Result<Array1<usize>> {
        self.evaluate(dataset, |backend, problem| {
            let mut predicted = Array1::zeros(problem.n_samples());
            let outputs = Outputs { predicted: Some(predicted.view_mut()), ..Outputs::default() };
            scored(backend, problem, outputs, &dataset.origin)?;
            Ok(predicted)
        })
    }

    /// The `k` most probable classes of each sample.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and if `k` exceeds C.
    pub fn top(&self, dataset: &Dataset<T>, k: usize) -> Result<Top<T>> {
        self.evaluate(dataset, |backend, problem| {
            let shape = (problem.n_samples(), k);
            let (mut classes, mut log_probabilities) = (Array2::zeros(shape), Array2::zeros(shape));
            let outputs = Outputs {
                top_classes: Some(classes.view_mut()),
                top_log_prob: Some(log_probabilities.view_mut()),
                ..Outputs::default()
            };
            scored(backend, problem, outputs, &dataset.origin)?;
            Ok(Top { classes, log_probabilities })
        })
    }

    /// log p of every class (N×C).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn log_probabilities(&self, dataset: &Dataset<T>) -> Result<Array2<T>> {
        self.evaluate(dataset, |backend, problem| {
            scored(backend, problem, Outputs::default(), &dataset.origin)?;
            Ok(log_probabilities(backend, problem)?)
        })
    }

    /// The accuracy: the fraction of the labelled samples whose predicted class is their label. NaN if there are none.
    /// A label that is no class of the model counts as a miss.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn score(&self, dataset: &Dataset<T>) -> Result<f64> {
        let hits = self.hits(dataset, &self.predict(dataset)?);
        let known: Vec<bool> = hits.into_iter().flatten().collect();
        Ok(known.iter().filter(|&&is_hit| is_hit).count() as f64 / known.len() as f64)
    }

    /// Whether each sample's predicted class is its label (N); `None` for a sample that is ignored or has no label. Empty
    /// without labels. A label that is no class of the model is a miss.
    pub fn hits(&self, dataset: &Dataset<T>, predicted: &Array1<usize>) -> Vec<Option<bool>> {
        let labels = self.labels(dataset).into_iter().zip(predicted);
        labels.map(|(label, predicted)| Some(label?.as_ref() == Ok(predicted))).collect()
    }

    /// The labels that are no classes of the model, each once, in the order of the samples.
    pub fn unknown_labels(&self, dataset: &Dataset<T>) -> Vec<String> {
        let mut seen = HashSet::new();
        let unknown = self.labels(dataset).into_iter().filter_map(|label| label?.err());
        unknown.filter(|name| seen.insert(name.clone())).collect()
    }

    /// The name of a class, or its number if classes have no names.
    pub fn class_name(&self, class: usize) -> String {
        let name = self.class_names.as_ref().and_then(|names| names.get(class));
        name.cloned().unwrap_or_else(|| class.to_string())
    }

    /// The labels of a data set as classes of the model, matched by name if the classes have names. `Err` has a label that
    /// is no class of the model. `None` for a sample that is ignored or has no label; empty if the targets are not labels.
    fn labels(&self, dataset: &Dataset<T>) -> Vec<Option<std::result::Result<usize, String>>> {
        let TargetStore::Labels(labels) = &dataset.targets else { return Vec::new() };
        let ignored = self.objective.ignore_index;
        // In reverse, so that of equal names the first counts.
        let ours: Option<HashMap<&str, usize>> = self.class_names.as_ref().map(|names| {
            names.iter().enumerate().rev().map(|(class, name)| (name.as_str(), class)).collect()
        });
        let class_of = |label: i64| {
            let theirs = usize::try_from(label).ok();
            let name = theirs.and_then(|y| dataset.class_names.as_ref()?.get(y));
            let found = match (&ours, name) {
                (Some(ours), Some(name)) => ours.get(name.as_str()).copied(),
                (Some(ours), None) => ours.get(label.to_string().as_str()).copied(),
                (None, Some(name)) => name.parse().ok().filter(|&y| y < self.weights.ncols()),
                (None, None) => theirs.filter(|&y| y < self.weights.ncols()),
            };
            found.ok_or_else(|| name.cloned().unwrap_or_else(|| label.to_string()))
        };
        // A number is ignored as such; a name, if it is that of the ignored class of the model.
        let has_names = dataset.class_names.is_some();
        let is_known = |y: i64| y != MISSING_LABEL && (has_names || Some(y) != ignored);
        let is_ignored = |class: usize| has_names && i64::try_from(class).ok() == ignored;
        let label = |&y: &i64| {
            is_known(y)
                .then(|| class_of(y))
                .filter(|class| !class.as_ref().is_ok_and(|&class| is_ignored(class)))
        };
        labels.iter().map(label).collect()
    }

    /// Calls `ask` with the backend `fused` and the data's problem without targets. Features keep their storage,
    /// unless they are standardised.
    fn evaluate<R>(
        &self,
        dataset: &Dataset<T>,
        ask: impl FnOnce(&mut dyn SoftmaxBackend<T>, &Problem<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let standardized = self.standardization.as_ref().map(|standardization| {
            let mut features = dataset.features.view().to_dense().into_owned();
            standardization.apply(&mut features);
            FeatureStore::Dense(features)
        });
        let (expected, (_, found)) = (self.weights.nrows(), dataset.features.dim());
        if expected != found {
            return Err(FitError::Features { whose: dataset.origin.clone(), expected, found });
        }
        let features: Features<'_, T> = standardized.as_ref().unwrap_or(&dataset.features).view();
        let Objective { temperature, softcap, .. } = self.objective;
        let problem = Problem::builder(features, self.weights.view(), Targets::None)
            .bias(self.bias.as_ref().map(|bias| bias.view()))
            .objective(Objective { temperature, softcap, ..Objective::default() })
            .build()?;
        ask(&mut *fused(), &problem)
    }
}

/// Computes the outputs. A sample whose log-sum-exp is not finite is an error.
fn scored<T: BackendElement>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
    outputs: Outputs<'_, T>,
    whose: &str,
) -> Result<()> {
    let mut lse = Array1::zeros(problem.n_samples());
    let mut outputs = Outputs { log_sum_exp: Some(lse.view_mut()), ..outputs };
    backend.evaluate(problem, &mut outputs)?;
    match lse.iter().position(|lse: &T| !lse.is_finite()) {
        None => Ok(()),
        Some(sample) => Err(FitError::Scores { whose: whose.to_owned(), dtype: T::DTYPE, sample }),
    }
}

/// The default backend for training and prediction.
pub(crate) fn fused<T: BackendElement>() -> Box<dyn SoftmaxBackend<T>> {
    softmax::backend("fused").expect("the feature of this backend is on")
}
