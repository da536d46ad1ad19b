//! NumPy's `.npz`: X (N×D), y (N) or Y (N×C), W (D×C), and b (C), class_weight (C), sample_weight (N) where
//! there are any.

use crate::dataset::{Dataset, Labels, check_finite};
use crate::error::{DataError, Result};
use crate::npy_elements::{Integer, Number, Unread};
use crate::output::write_atomically;
use ndarray::{Array, Array0, Array1, Array2, Dimension, Ix1, Ix2, IxDyn};
use ndarray_npy::{NpzReader, NpzWriter, ReadNpyError, ReadNpzError, ReadableElement, WriteNpzError};
use softmax_core::{Dtype, Element, Evaluation, OwnedOutputs, OwnedProblem, OwnedTargets, ndarray};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// Reads a data set. Integer arrays are taken as numbers; floats are rounded to `T` where they are wider.
///
/// # Errors
/// [`DataError`] naming the file and the array: where X or both of y and Y are missing, an array has another
/// number of axes or an element type that is no real number, an entry is not finite (a bias may be −∞), or
/// the file is not an npz or is cut short.
pub fn read_npz<T: Element>(path: &Path) -> Result<Dataset<T>> {
    let mut file = NpzFile::open(path)?;
    let features = file.require::<T, Ix2>("X", false)?;
    let labels = match (file.has("y"), file.has("Y")) {
        (true, true) => return Err(file.field("y and Y", "one of the two", "both")),
        (true, false) => Labels::Hard(file.labels()?),
        (false, true) => Labels::Soft(file.require::<T, Ix2>("Y", false)?),
        (false, false) => return Err(file.field("y or Y", "labels or soft targets", &file.inventory())),
    };
    let mut dataset = Dataset::new(path.display().to_string(), features, labels);
    dataset.weights = file.optional::<T, Ix2>("W", false)?;
    dataset.bias = file.optional::<T, Ix1>("b", true)?;
    dataset.class_weights = file.optional::<T, Ix1>("class_weight", false)?;
    dataset.sample_weights = file.optional::<T, Ix1>("sample_weight", false)?;
    Ok(dataset)
}

/// Reads W, and b where there is one.
///
/// # Errors
/// As [`read_npz`].
pub fn read_weights_npz<T: Element>(path: &Path) -> Result<(Array2<T>, Option<Array1<T>>)> {
    let mut file = NpzFile::open(path)?;
    Ok((file.require("W", false)?, file.optional("b", true)?))
}

/// The element type that the file's X suggests: f64 for NumPy's float64, f32 for anything else.
///
/// # Errors
/// As [`read_npz`].
pub fn float_type_of_npz(path: &Path) -> Result<Dtype> {
    let mut file = NpzFile::open(path)?;
    Ok(if file.type_name("X")?.ends_with("f8") { Dtype::F64 } else { Dtype::F32 })
}

/// Writes an evaluation: loss (0-d float64), and those of dW, dX, db, sample_loss, lse and predicted (int64)
/// that there are. The file appears whole or not at all.
///
/// # Errors
/// [`DataError::Io`] naming the file.
pub fn write_npz<T: Element>(path: &Path, evaluation: &Evaluation, outputs: &OwnedOutputs<T>) -> Result<()> {
    write_atomically(path, |file| {
        let mut npz = NpzWriter::new(file);
        let mut write = || -> Result<(), WriteNpzError> {
            npz.add_array("loss", &Array0::from_elem((), evaluation.loss))?;
            add(&mut npz, "dW", outputs.weights_gradient.as_ref())?;
            add(&mut npz, "dX", outputs.features_gradient.as_ref())?;
            add(&mut npz, "db", outputs.bias_gradient.as_ref())?;
            add(&mut npz, "sample_loss", outputs.sample_losses.as_ref())?;
            add(&mut npz, "lse", outputs.log_sum_exp.as_ref())?;
            if let Some(predicted) = &outputs.predicted {
                npz.add_array("predicted", &predicted.mapv(|class| class as i64))?;
            }
            Ok(())
        };
        write().map_err(io::Error::other)?;
        npz.finish().map_err(io::Error::other)?;
        Ok(())
    })
}

/// Writes a problem with hard labels as [`read_npz`] reads it: X, W and y (int64). The file appears whole or not at
/// all.
///
/// # Errors
/// [`DataError::Io`] naming the file; its source says so where the targets are soft.
pub fn write_problem_npz<T: Element>(path: &Path, problem: &OwnedProblem<T>) -> Result<()> {
    write_atomically(path, |file| {
        let OwnedTargets::Labels(labels) = &problem.targets else {
            return Err(io::Error::other("expected hard labels"));
        };
        let mut npz = NpzWriter::new(file);
        let mut write = || -> Result<(), WriteNpzError> {
            add(&mut npz, "X", Some(&problem.features))?;
            add(&mut npz, "W", Some(&problem.weights))?;
            npz.add_array("y", &labels.mapv(|label| label as i64))
        };
        write().map_err(io::Error::other)?;
        npz.finish().map_err(io::Error::other)?;
        Ok(())
    })
}

/// Reads back what [`write_npz`] wrote, or another program like it: the loss, dW, and dX where there is one.
///
/// # Errors
/// As [`read_npz`].
pub fn read_answer_npz<T: Element>(path: &Path) -> Result<(f64, OwnedOutputs<T>)> {
    let mut file = NpzFile::open(path)?;
    let loss: Array0<f64> = file.require("loss", true)?;
    let outputs = OwnedOutputs {
        weights_gradient: Some(file.require("dW", true)?),
        features_gradient: file.optional("dX", true)?,
        ..OwnedOutputs::default()
    };
    Ok((loss.into_scalar(), outputs))
}

fn add<T: Element, D: Dimension, W: io::Write + io::Seek>(
    npz: &mut NpzWriter<W>,
    name: &str,
    array: Option<&Array<T, D>>,
) -> Result<(), WriteNpzError> {
    let Some(array) = array else { return Ok(()) };
    match T::DTYPE {
        Dtype::F32 => npz.add_array(name, &array.mapv(|x| x.widen() as f32)),
        Dtype::F64 => npz.add_array(name, &array.mapv(|x| x.widen())),
    }
}

/// An npz that is being read; its errors name the file and the array.
struct NpzFile {
    path: PathBuf,
    npz: NpzReader<BufReader<File>>,
    names: Vec<String>,
}

impl NpzFile {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let not_npz = |error: ReadNpzError| DataError::File {
            path: path.to_owned(),
            expected: "an .npz archive as numpy.savez writes it",
            found: one_line(&error.to_string()),
        };
        let mut npz = NpzReader::new(BufReader::new(file)).map_err(not_npz)?;
        let names = npz.names().map_err(not_npz)?;
        Ok(NpzFile { path: path.to_owned(), npz, names })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    fn inventory(&self) -> String {
        if self.names.is_empty() { "no arrays".to_owned() } else { format!("only {}", self.names.join(", ")) }
    }

    fn field(&self, field: &str, expected: &str, found: &str) -> DataError {
        DataError::Field {
            origin: self.path.display().to_string(),
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    fn require<T: Element, D: Dimension>(&mut self, name: &str, masks: bool) -> Result<Array<T, D>> {
        match self.optional(name, masks)? {
            Some(array) => Ok(array),
            None => Err(self.field(name, &format!("an array of {}", axes(D::NDIM)), &self.inventory())),
        }
    }

    fn optional<T: Element, D: Dimension>(&mut self, name: &str, masks: bool) -> Result<Option<Array<T, D>>> {
        if !self.has(name) {
            return Ok(None);
        }
        let array = self.read::<Number<T>, D>(name)?.mapv(|number| number.0);
        check_finite(&self.path.display().to_string(), name, array.view(), masks)?;
        Ok(Some(array))
    }

    fn labels(&mut self) -> Result<Array1<i64>> {
        Ok(self.read::<Integer, Ix1>("y")?.mapv(|integer| integer.0))
    }

    /// NumPy's name of an array's element type, such as `<f4`.
    fn type_name(&mut self, name: &str) -> Result<String> {
        if !self.has(name) {
            return Err(self.field(name, "an array", &self.inventory()));
        }
        match self.npz.by_name::<ndarray::OwnedRepr<Unread>, IxDyn>(name) {
            Err(ReadNpzError::Npy(ReadNpyError::WrongDescriptor(name))) => {
                Ok(name.to_string().replace('\'', ""))
            }
            Err(error) => Err(self.unreadable(name, "an array", &error)),
            Ok(_) => Ok(String::new()),
        }
    }

    fn read<E: ReadableElement, D: Dimension>(&mut self, name: &str) -> Result<Array<E, D>> {
        let read = self.npz.by_name::<ndarray::OwnedRepr<E>, D>(name);
        read.map_err(|error| self.unreadable(name, &format!("an array of {}", axes(D::NDIM)), &error))
    }

    fn unreadable(&self, name: &str, expected: &str, error: &ReadNpzError) -> DataError {
        match error {
            ReadNpzError::Npy(ReadNpyError::WrongNdim(_, found)) => {
                self.field(name, expected, &axes(Some(*found)))
            }
            ReadNpzError::Npy(ReadNpyError::MissingData) => {
                self.field(name, "as many entries as its shape says", "the end of the file")
            }
            ReadNpzError::Npy(ReadNpyError::ParseData(error)) => {
                // The element readers put what they expected before the comma.
                let text = error.to_string();
                let (expected, found) = text.split_once(", found ").unwrap_or((expected, &text));
                self.field(name, expected, found)
            }
            other => self.field(name, expected, &one_line(&other.to_string())),
        }
    }
}

fn axes(count: Option<usize>) -> String {
    match count {
        Some(1) => "1 axis".to_owned(),
        Some(count) => format!("{count} axes"),
        None => "any axes".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
