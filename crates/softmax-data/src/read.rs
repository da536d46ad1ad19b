//! Any of the formats, told by a file's name or by who asks.

use crate::Labels;
use crate::cifar::read_cifar;
use crate::csv::read_csv;
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::idx::{read_idx, read_idx_labels};
use crate::named::{dataset, weights};
use crate::npy::{read_npy, read_npy_labels};
use crate::npz::NpzFile;
use crate::safetensors::SafetensorsFile;
use crate::svmlight::read_svmlight;
use ndarray::{Array1, Array2};
use softmax_core::{Element, ndarray};
use std::path::{Path, PathBuf};

/// How data lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// NumPy's archive of arrays: X, y or Y, and what else there is.
    Npz,
    /// One array of NumPy's: X, with the labels in another file.
    Npy,
    /// A table with a row per sample, with a header or none.
    Csv,
    /// MNIST's images, with the labels in another file.
    Idx,
    /// CIFAR-10's binary batches, one or a folder of them.
    Cifar10,
    /// svmlight's or libsvm's text.
    Svmlight,
    /// Named tensors: X, y or Y, and what else there is.
    Safetensors,
}

impl Format {
    /// The format that a file's name suggests, whatever of `.gz` it has.
    pub fn of_name(path: &Path) -> Option<Format> {
        if path.is_dir() {
            return Some(Format::Cifar10);
        }
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        match () {
            () if ends(&[".npz"]) => Some(Format::Npz),
            () if ends(&[".npy"]) => Some(Format::Npy),
            () if ends(&[".csv", ".tsv", ".data"]) => Some(Format::Csv),
            () if ends(&["-ubyte", ".idx", "-idx1", "-idx3"]) => Some(Format::Idx),
            () if ends(&[".svm", ".svmlight", ".libsvm", ".scale", ".txt"]) => Some(Format::Svmlight),
            () if ends(&[".safetensors"]) => Some(Format::Safetensors),
            () if ends(&[".bin"]) => Some(Format::Cifar10),
            () => None,
        }
    }
}

/// How a file is to be read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The format, where the file's name does not tell.
    pub format: Option<Format>,
    /// Where the labels are, if they are in another file: `.npy`, or IDX.
    pub labels: Option<PathBuf>,
    /// A table's column of labels: its name, or its place from 0, or from the end if negative.
    pub label_column: Option<String>,
    /// The first so many samples.
    pub limit: Option<usize>,
}

/// Reads a data set.
///
/// # Errors
/// [`DataError`] naming the file, the field or the line, and what was expected, for whatever is not as the format has it;
/// sizes in a header are held against the file before memory is asked for.
pub fn read<T: Element>(path: &Path, options: &ReadOptions) -> Result<Dataset<T>> {
    // A misspelt name is no question of formats.
    std::fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let format = options.format.or_else(|| Format::of_name(path)).ok_or_else(|| DataError::File {
        path: path.to_owned(),
        expected: "a name that tells the format (.npz, .npy, .csv, .svm, -ubyte, .bin, the last four with .gz too, \
                   or .safetensors)",
        found: "and no --data-format was given".to_owned(),
    })?;
    let labels = options.labels.as_deref().map(read_labels).transpose()?;
    let limit = options.limit;
    // Labels in another file stand in for those that this one has, or need not have.
    let mut dataset = match format {
        Format::Npz => dataset(&mut NpzFile::open(path)?, labels)?,
        Format::Npy => read_npy(path, labels)?,
        Format::Csv => read_csv(path, options.label_column.as_deref(), labels, limit)?,
        Format::Idx => read_idx(path, labels, limit)?,
        Format::Cifar10 => with_labels(read_cifar(path, limit)?, labels),
        Format::Svmlight => with_labels(read_svmlight(path, limit)?, labels),
        Format::Safetensors => dataset(&mut SafetensorsFile::open(path)?, labels)?,
    };
    if let Some(limit) = limit {
        dataset = dataset.limit(limit);
    }
    dataset.check_lengths()?;
    Ok(dataset)
}

fn with_labels<T>(mut dataset: Dataset<T>, labels: Option<Array1<i64>>) -> Dataset<T> {
    if let Some(labels) = labels {
        dataset.labels = Labels::Hard(labels);
    }
    dataset
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

/// Reads W (D×C), and b (C) where there is one, from an `.npz` or a safetensors file; or `weight` (C×D) and `bias`, as
/// PyTorch's Linear has them.
///
/// # Errors
/// As [`read`].
pub fn read_weights<T: Element>(path: &Path) -> Result<(Array2<T>, Option<Array1<T>>)> {
    match Format::of_name(path) {
        Some(Format::Safetensors) => weights(&mut SafetensorsFile::open(path)?),
        _ => weights(&mut NpzFile::open(path)?),
    }
}
