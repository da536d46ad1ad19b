//! Files of named arrays: X (N×D), y (N) or Y (N×C), and optionally W (D×C), b (C), class_weight (C) and
//! sample_weight (N).

use crate::array::{FileArray, axes_of};
use crate::dataset::Dataset;
use crate::elements::Admit;
use crate::error::{DataError, Result};
use crate::options::ReadOptions;
use crate::storage::Storage;
use crate::stores::{FeatureStore, TargetStore, WeightStore};
use ndarray::{Array, Array1, Dimension, Ix1, Ix2};
use softmax_core::{Element, ndarray};

/// A file of named arrays; its errors name the file and the array.
pub(crate) trait NamedArrays {
    fn origin(&self) -> String;

    fn names(&self) -> &[String];

    /// Opens an existing array; its reader is at the first entry.
    fn open(&mut self, name: &str) -> Result<FileArray<'_>>;

    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|n| n == name)
    }

    /// Opens a required array. If it is missing, the error says that one with `axes` was expected.
    fn require(&mut self, name: &str, axes: &str) -> Result<FileArray<'_>> {
        if !self.has(name) {
            let expected = format!("an array of this name, with {axes}");
            return Err(self.refuse(name, &expected, &self.inventory()));
        }
        self.open(name)
    }

    fn inventory(&self) -> String {
        match self.names() {
            [] => "no arrays".to_owned(),
            names => format!("only {}", names.join(", ")),
        }
    }

    fn refuse(&self, name: &str, expected: &str, found: &str) -> DataError {
        DataError::field(self.origin(), name, expected, found)
    }

    /// Reads the numbers of an array, if the file has it.
    fn optional<T: Element, D: Dimension>(
        &mut self,
        name: &str,
        admit: Admit,
    ) -> Result<Option<Array<T, D>>> {
        if self.has(name) { self.open(name)?.numbers(admit).map(Some) } else { Ok(None) }
    }

    fn numbers<T: Element, D: Dimension>(&mut self, name: &str, admit: Admit) -> Result<Array<T, D>> {
        self.require(name, &axes_of::<D>())?.numbers(admit)
    }
}

/// Reads a data set with all arrays that the file has. `labels` replace the file's own targets.
pub(crate) fn dataset<T: Element>(
    file: &mut impl NamedArrays,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let features = file.require("X", &axes_of::<Ix2>())?;
    let samples = features.rows();
    let features = features.features(options.storage, options.limit)?;
    beside_features(file, (features, samples), labels, options)
}

/// Reads the arrays beside the features of `samples` samples.
pub(crate) fn beside_features<T: Element>(
    file: &mut impl NamedArrays,
    (features, samples): (FeatureStore<T>, usize),
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let targets = match (labels, file.has("y"), file.has("Y")) {
        (Some(labels), _, _) => TargetStore::Labels(labels),
        (None, true, true) => return Err(file.refuse("y and Y", "one of the two", "both")),
        (None, true, false) => TargetStore::Labels(file.open("y")?.integers()?),
        (None, false, true) => TargetStore::Soft(file.numbers::<T, Ix2>("Y", Admit::Finite)?),
        (None, false, false) if options.unlabelled.is_some() => TargetStore::None,
        (None, false, false) => {
            return Err(file.refuse("y or Y", "labels or soft targets", &file.inventory()));
        }
    };
    let mut dataset = Dataset::new(file.origin(), features, targets);
    if file.has("W") {
        dataset.weights = Some(file.open("W")?.weights(options.storage)?);
    }
    dataset.bias = file.optional::<T, Ix1>("b", Admit::FiniteOrMask)?;
    dataset.class_weights = file.optional::<T, Ix1>("class_weight", Admit::Finite)?;
    dataset.sample_weights = file.optional::<T, Ix1>("sample_weight", Admit::Finite)?;
    dataset.of_samples(samples)
}

/// Reads W and b; or `weight` (C×D) and `bias`, the names and layout of PyTorch's `Linear`.
pub(crate) fn weights<T: Element>(
    file: &mut impl NamedArrays,
    storage: Storage,
) -> Result<(WeightStore<T>, Option<Array1<T>>)> {
    if !file.has("W") && file.has("weight") {
        let weights = file.open("weight")?.weights(storage)?.transposed();
        return Ok((weights, file.optional("bias", Admit::FiniteOrMask)?));
    }
    let weights = file.require("W", &axes_of::<Ix2>())?.weights(storage)?;
    Ok((weights, file.optional("b", Admit::FiniteOrMask)?))
}
