//! The samples of `fit --validation`. They are read before the fit, so that a mistake in them costs no training.

use crate::data_args::DataArgs;
use crate::flags::{in_words_of_flags, of_fit};
use anyhow::Context;
use softmax::BackendElement;
use softmax_data::{DataError, Dataset, ReadOptions, TargetStore, printable};
use softmax_fit::FitError;
use std::path::Path;

/// Reads the file of validation samples, in the layout of the training samples.
pub(crate) fn read<T: BackendElement>(
    path: &Path,
    args: &DataArgs,
    training: &Dataset<T>,
    ignore_index: Option<i64>,
) -> anyhow::Result<Dataset<T>> {
    let layout = training.layout.clone();
    let mut options = ReadOptions { labels: None, limit: None, ignore_index, ..args.options() };
    if layout.label_column.is_some() {
        // A position in the training table need not be that of the label in this one.
        options.label_column = None;
    }
    options.layout = Some(layout);
    let expected = training.features.dim().1;
    let read = || {
        let dataset = softmax_data::read::<T>(path, &options).map_err(|error| match error {
            DataError::NoLabels { origin, .. } => {
                anyhow::anyhow!("{}: expected samples with labels, found none", printable(&origin))
            }
            other => in_words_of_flags(other),
        })?;
        let dataset = dataset.with_features(expected);
        let (whose, found) = (dataset.origin.clone(), dataset.features.dim().1);
        if found != expected {
            return Err(of_fit(FitError::Features { whose, expected, found }));
        }
        check_labels(&dataset)?;
        Ok(dataset)
    };
    read().context("--validation")
}

/// Fails unless the samples have labels: an accuracy needs them.
pub(crate) fn check_labels<T>(dataset: &Dataset<T>) -> anyhow::Result<()> {
    match dataset.targets {
        TargetStore::Labels(_) => Ok(()),
        TargetStore::Soft(_) | TargetStore::None => {
            anyhow::bail!("{}: expected labels, found soft targets or none", printable(&dataset.origin))
        }
    }
}
