//! NumPy's `.npy`: one array.

use crate::dataset::{Dataset, Labels, check_finite};
use crate::error::{DataError, Result};
use crate::named::{axes, one_line};
use crate::npy_elements::{Integer, Number};
use ndarray::{Array, Array1, Array2, Dimension, Ix1, Ix2};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use softmax_core::{Element, ndarray};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

/// X (N×D) from one file, y (N) from another.
pub(crate) fn read_npy<T: Element>(path: &Path, labels: Option<Array1<i64>>) -> Result<Dataset<T>> {
    let features: Array2<T> = read_file::<Number<T>, Ix2>(path)?.mapv(|number| number.0);
    let origin = path.display().to_string();
    check_finite(&origin, "X", features.view(), false)?;
    let Some(labels) = labels else {
        return Err(DataError::Field {
            origin,
            field: "labels".to_owned(),
            expected: "--labels FILE beside an .npy".to_owned(),
            found: "none".to_owned(),
        });
    };
    Ok(Dataset::new(origin, features, Labels::Hard(labels)))
}

/// y (N).
pub(crate) fn read_npy_labels(path: &Path) -> Result<Array1<i64>> {
    Ok(read_file::<Integer, Ix1>(path)?.mapv(|integer| integer.0))
}

fn read_file<E: ReadableElement, D: Dimension>(path: &Path) -> Result<Array<E, D>> {
    let file = File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    read_array(BufReader::new(file), &path.display().to_string(), "array")
}

/// The reader, if the header that begins there, which is read whole and parsed by recursion, is no longer than that of any
/// array of numbers; else what was found.
pub(crate) fn with_short_header(mut reader: impl Read) -> std::result::Result<impl Read, String> {
    const LONGEST: u32 = 4096;
    // Six bytes of magic, two of the version, two or four of the length.
    let mut start = Vec::with_capacity(12);
    reader.by_ref().take(12).read_to_end(&mut start).map_err(|error| one_line(&error.to_string()))?;
    let length = match start[..] {
        [_, _, _, _, _, _, 1, _, low, high, ..] => u16::from_le_bytes([low, high]).into(),
        [_, _, _, _, _, _, _, _, a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    };
    if length > LONGEST {
        return Err(format!("a header of {length} bytes"));
    }
    Ok(Cursor::new(start).chain(reader))
}

/// The array of an `.npy`, wherever that is; errors name `origin` and `name`.
pub(crate) fn read_array<E: ReadableElement, D: Dimension>(
    reader: impl Read,
    origin: &str,
    name: &str,
) -> Result<Array<E, D>> {
    let refuse = |expected: &str, found: &str| DataError::Field {
        origin: origin.to_owned(),
        field: name.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    let wanted = format!("an array of {}", axes(D::NDIM));
    let reader = with_short_header(reader).map_err(|found| refuse(&wanted, &found))?;
    Array::<E, D>::read_npy(reader).map_err(|error| match error {
        ReadNpyError::WrongNdim(_, found) => refuse(&wanted, &axes(Some(found))),
        ReadNpyError::MissingData => refuse("as many entries as its shape says", "the end of the file"),
        ReadNpyError::ParseData(error) => {
            // The element readers put what they expected before the comma.
            let text = error.to_string();
            let (expected, found) = text.split_once(", found ").unwrap_or((wanted.as_str(), &text));
            refuse(expected, found)
        }
        other => refuse(&wanted, &one_line(&other.to_string())),
    })
}
