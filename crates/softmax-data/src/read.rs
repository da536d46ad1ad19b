//! Reads a file in any of the formats, chosen by the options or by the file's name.

use crate::cifar::{batches, read_cifar};
use crate::csv::read_csv;
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::format::Format;
use crate::idx::{labels_beside, read_idx, read_idx_labels};
use crate::named::{dataset, weights};
use crate::npy::{read_npy, read_npy_labels};
use crate::npz::NpzFile;
use crate::options::ReadOptions;
use crate::safetensors::SafetensorsFile;
use crate::scipy::{self, is_scipy};
use crate::storage::Storage;
use crate::stores::{TargetStore, WeightStore};
use crate::svmlight::read_svmlight;
use ndarray::Array1;
use softmax_core::{Element, ndarray};
use std::path::{Path, PathBuf};

/// Reads a data set.
///
/// An `.npy` or safetensors file whose features can be used in place is mapped, not read. It must not change while
/// the data set is in use: the numbers would change with it, and if it is truncated, the system terminates this
/// process (SIGBUS).
///
/// # Errors
/// [`DataError`] naming the file, the field or line, and what was expected, if the file violates its format. Sizes in
/// a header are validated against the file before memory is allocated.
pub fn read<T: Element>(path: &Path, options: &ReadOptions) -> Result<Dataset<T>> {
    // Report a missing file as such, before questioning its format.
    std::fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let format = options.format.or_else(|| Format::of_name(path));
    let format = format.ok_or_else(|| DataError::UnknownFormat { path: path.to_owned() })?;
    let labels = options.labels.as_deref().map(read_labels).transpose()?;
    let limit = options.limit;
    // Labels from another file replace those of this one, which may then have none.
    let dataset = match format {
        Format::Npz => read_npz(path, labels, options)?,
        Format::Npy => read_npy(path, labels, options)?,
        Format::Csv => read_csv(path, labels, options)?,
        Format::Idx => read_idx(path, labels, options)?,
        Format::Cifar10 => with_labels(read_cifar(path, limit)?, labels),
        Format::Svmlight => with_labels(read_svmlight(path, options)?, labels),
        Format::Safetensors => dataset(&mut SafetensorsFile::open(path)?, labels, options)?,
    };
    let dataset = match limit {
        None => dataset,
        Some(limit) => dataset.limit(limit),
    };
    let (samples, _) = dataset.features.dim();
    dataset.of_samples(samples)
}

/// The files that [`read`] opens: the file itself or the batches of a folder, and the file of labels, named or found
/// beside it.
pub fn files(path: &Path, options: &ReadOptions) -> Vec<PathBuf> {
    let format = options.format.or_else(|| Format::of_name(path));
    let mut files = match format {
        Some(Format::Cifar10) => batches(path).unwrap_or_default(),
        _ => vec![path.to_owned()],
    };
    match (&options.labels, format) {
        (Some(labels), _) => files.push(labels.clone()),
        (None, Some(Format::Idx)) => files.extend(labels_beside(path)),
        _ => {}
    }
    files
}

/// Reads an archive of a data set, or a SciPy archive of a sparse matrix.
fn read_npz<T: Element>(
    path: &Path,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let mut file = NpzFile::open(path)?;
    if is_scipy(&file) {
        scipy::dataset(&mut file, labels, options)
    } else {
        dataset(&mut file, labels, options)
    }
}

fn with_labels<T>(dataset: Dataset<T>, labels: Option<Array1<i64>>) -> Dataset<T> {
    match labels {
        None => dataset,
        Some(labels) => Dataset { targets: TargetStore::Labels(labels), class_names: None, ..dataset },
    }
}

fn read_labels(path: &Path) -> Result<Array1<i64>> {
    match Format::of_name(path) {
        Some(Format::Npy) => read_npy_labels(path),
        Some(Format::Idx) | None => read_idx_labels(path),
        Some(_) => Err(DataError::File {
            path: path.to_owned(),
            expected: "labels in an .npy or an IDX file",
            found: "found a name of another format".to_owned(),
        }),
    }
}

/// Reads W (D×C) and, if present, b (C) from an `.npz` or a safetensors file; or `weight` (C×D) and `bias`, the names
/// and layout of PyTorch's `Linear`.
///
/// # Errors
/// As [`read`].
pub fn read_weights<T: Element>(
    path: &Path,
    storage: Storage,
) -> Result<(WeightStore<T>, Option<Array1<T>>)> {
    match Format::of_name(path) {
        Some(Format::Safetensors) => weights(&mut SafetensorsFile::open(path)?, storage),
        _ => weights(&mut NpzFile::open(path)?, storage),
    }
}
