//! CIFAR-10's binary batches: each record is a label byte and 3072 bytes, the red, green and blue planes of 32×32
//! pixels.
//! <https://www.cs.toronto.edu/~kriz/cifar.html>

use crate::dataset::Dataset;
use crate::error::{DataError, Place, Result};
use crate::source::{cut_short, open, reserve};
use crate::stores::TargetStore;
use ndarray::{Array1, Array2};
use softmax_core::{Element, ndarray};
use std::io::Read;
use std::path::{Path, PathBuf};

const PIXELS: usize = 3072;
const CLASSES: u8 = 10;
const EXPECTED: &str = "a CIFAR-10 batch, records of 3073 bytes";

/// Reads one batch, or all training batches in the folder of the unpacked archive.
pub(crate) fn read_cifar<T: Element>(path: &Path, limit: Option<usize>) -> Result<Dataset<T>> {
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for batch in batches(path)? {
        let mut reader = open(&batch)?.reader;
        let mut record = [0; 1 + PIXELS];
        let before = labels.len();
        while limit.is_none_or(|limit| labels.len() < limit) {
            if reader.fill_buf().map_err(|error| cut_short(&batch, EXPECTED, error))?.is_empty() {
                break;
            }
            reader.read_exact(&mut record).map_err(|error| cut_short(&batch, EXPECTED, error))?;
            let [label, pixels @ ..] = &record;
            if *label >= CLASSES {
                return Err(DataError::part(
                    batch.display().to_string(),
                    Place::RecordLabel(labels.len() - before),
                    "classes from 0 to 9",
                    label.to_string(),
                ));
            }
            labels.push(i64::from(*label));
            reserve(&batch, &mut features, PIXELS)?;
            features.extend(pixels.iter().map(|&pixel| T::narrow(f64::from(pixel))));
        }
        if labels.len() == before && limit.is_none_or(|limit| before < limit) {
            return Err(DataError::File { path: batch, expected: EXPECTED, found: "found none".to_owned() });
        }
    }
    let features = Array2::from_shape_vec((labels.len(), PIXELS), features).map_err(|error| {
        DataError::File { path: path.to_owned(), expected: EXPECTED, found: error.to_string() }
    })?;
    Ok(Dataset::new(path.display().to_string(), features, TargetStore::Labels(Array1::from(labels))))
}

/// The file itself, or for a folder those of `data_batch_1.bin` to `data_batch_5.bin` that exist.
pub(crate) fn batches(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let named = (1..=5).map(|k| path.join(format!("data_batch_{k}.bin")));
    let batches: Vec<PathBuf> = named.filter(|batch| batch.is_file()).collect();
    if batches.is_empty() {
        return Err(DataError::File {
            path: path.to_owned(),
            expected: "a folder with data_batch_1.bin in it",
            found: "found none".to_owned(),
        });
    }
    Ok(batches)
}
