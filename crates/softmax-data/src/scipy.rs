//! Sparse matrices from `scipy.sparse.save_npz`: the arrays `data`, `indices` and `indptr` of compressed sparse rows,
//! and the matrix's `shape`.
//! <https://docs.scipy.org/doc/scipy/reference/generated/scipy.sparse.save_npz.html>

use crate::dataset::Dataset;
use crate::elements::Admit;
use crate::error::{DataError, Result};
use crate::named::{NamedArrays, beside_features};
use crate::npz::NpzFile;
use crate::options::ReadOptions;
use crate::stores::FeatureStore;
use ndarray::Array1;
use softmax_core::{Element, Error, OwnedCsr, ndarray};

/// Whether the archive holds a SciPy matrix instead of an array X.
pub(crate) fn is_scipy(file: &NpzFile) -> bool {
    ["data", "indices", "indptr", "shape"].iter().all(|name| file.has(name)) && !file.has("X")
}

/// Reads X from the archive, and the arrays that a program may add to it, such as y (N). `labels` replace its targets.
pub(crate) fn dataset<T: Element>(
    file: &mut NpzFile,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let format = if file.has("format") { file.bytes("format")? } else { b"csr".to_vec() };
    if !format.ends_with(b"csr") && !format.ends_with(b"c\0\0\0s\0\0\0r\0\0\0") {
        return Err(file.refuse(
            "format",
            "compressed sparse rows (csr)",
            "another format; tocsr() converts it",
        ));
    }
    let origin = file.origin();
    let refuse = |found: String| {
        DataError::field(&origin, "indptr, indices and shape", "a matrix in compressed sparse rows", found)
    };
    let whole =
        |numbers: Array1<i64>| numbers.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
    let shape = whole(file.open("shape")?.integers()?);
    let pointers = whole(file.open("indptr")?.integers()?);
    let indices = file.open("indices")?.integers()?;
    let values = file.numbers::<T, ndarray::Ix1>("data", Admit::Finite)?;
    let columns: Option<Vec<u32>> = indices.iter().map(|&k| u32::try_from(k).ok()).collect();
    let (Some(&[rows, width]), Some(pointers), Some(columns)) = (shape.as_deref(), pointers, columns) else {
        return Err(refuse("negative or too large numbers, or another number of axes".to_owned()));
    };
    let (columns, values) = sorted(&pointers, columns, values.to_vec());
    let matrix = OwnedCsr::new((rows, width), pointers, columns, values);
    let matrix = matrix.map_err(|error: Error| refuse(error.to_string()))?;
    let has_targets = labels.is_some() || file.has("y") || file.has("Y");
    if !has_targets && options.unlabelled.is_none() {
        return Err(DataError::NoLabels { origin, beside: None });
    }
    beside_features(file, (FeatureStore::Csr(matrix), rows), labels, options)
}

/// Sorts the entries of each row by column: SciPy may leave them in the order in which they were computed.
fn sorted<T: Element>(pointers: &[usize], mut columns: Vec<u32>, mut values: Vec<T>) -> (Vec<u32>, Vec<T>) {
    for row in pointers.windows(2) {
        // Inconsistent arrays are refused later, by `OwnedCsr::new`.
        let Some(of_row) = columns.get(row[0]..row[1]).filter(|_| values.len() == columns.len()) else {
            continue;
        };
        if of_row.is_sorted() {
            continue;
        }
        let mut entries: Vec<(u32, T)> =
            of_row.iter().copied().zip(values[row[0]..row[1]].iter().copied()).collect();
        entries.sort_by_key(|entry| entry.0);
        for (k, (column, value)) in (row[0]..).zip(entries) {
            (columns[k], values[k]) = (column, value);
        }
    }
    (columns, values)
}
