//! NumPy's `.npz`: named arrays.

use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::named::{NamedArrays, dataset, one_line};
use crate::npy::{read_array, with_short_header};
use crate::npy_elements::{Integer, Number, Unread};
use crate::output::write_atomically;
use crate::source::{ALWAYS_FREE_ARRAY, most_inflated};
use ndarray::{Array, Array0, Array1, Dimension, Ix1, IxDyn};
use ndarray_npy::{NpzWriter, ReadNpyError, ReadNpyExt, WriteNpzError};
use softmax_core::{Dtype, Element, Evaluation, OwnedOutputs, OwnedProblem, OwnedTargets, ndarray};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// Reads a data set. Integer arrays are taken as numbers; floats are rounded to `T` where they are wider.
///
/// # Errors
/// [`DataError`] naming the file and the array: where X or both of y and Y are missing, an array has another
/// number of axes or an element type that is no real number, an entry is not finite (a bias may be −∞), or
/// the file is not an npz or is cut short.
pub fn read_npz<T: Element>(path: &Path) -> Result<Dataset<T>> {
    dataset(&mut NpzFile::open(path)?, None)
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
pub fn write_evaluation_npz<T: Element>(
    path: &Path,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
) -> Result<()> {
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

/// Writes a problem's arrays as [`read_npz`] reads them: X, W, y (int64) or Y, and of b, class_weight and sample_weight those
/// that there are; the objective's numbers have no place there. The file appears whole or not at all.
///
/// # Errors
/// [`DataError::Io`] naming the file.
pub fn write_problem_npz<T: Element>(path: &Path, problem: &OwnedProblem<T>) -> Result<()> {
    write_atomically(path, |file| {
        let mut npz = NpzWriter::new(file);
        let mut write = || -> Result<(), WriteNpzError> {
            add(&mut npz, "X", Some(&problem.features))?;
            add(&mut npz, "W", Some(&problem.weights))?;
            add(&mut npz, "b", problem.bias.as_ref())?;
            add(&mut npz, "class_weight", problem.class_weights.as_ref())?;
            add(&mut npz, "sample_weight", problem.sample_weights.as_ref())?;
            match &problem.targets {
                OwnedTargets::Labels(labels) => npz.add_array("y", &labels.mapv(|label| label as i64)),
                OwnedTargets::Soft(soft) => add(&mut npz, "Y", Some(soft)),
            }
        };
        write().map_err(io::Error::other)?;
        npz.finish().map_err(io::Error::other)?;
        Ok(())
    })
}

/// Reads back what [`write_evaluation_npz`] wrote, or another program like it: the loss, dW, and dX where there is one.
///
/// # Errors
/// As [`read_npz`].
pub fn read_evaluation_npz<T: Element>(path: &Path) -> Result<(f64, OwnedOutputs<T>)> {
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

/// An npz that is being read.
pub(crate) struct NpzFile {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl NpzFile {
    /// Refuses an archive whose directory claims more than can be true, before any of it is inflated.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let refuse = |found: String| DataError::File {
            path: path.to_owned(),
            expected: "an .npz archive as numpy.savez writes it",
            found,
        };
        let not_npz = |error: ZipError| refuse(one_line(&error.to_string()));
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(not_npz)?;
        let mut names = Vec::new();
        for k in 0..zip.len() {
            let entry = zip.by_index_raw(k).map_err(not_npz)?;
            let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
            if entry.size() > most_inflated(entry.compressed_size(), ALWAYS_FREE_ARRAY) {
                let (from, to) = (entry.compressed_size(), entry.size());
                return Err(refuse(format!("{name} is to inflate from {from} to {to} bytes")));
            }
            names.push(name);
        }
        Ok(NpzFile { path: path.to_owned(), zip, names })
    }

    /// NumPy's name of an array's element type, such as `<f4`.
    fn type_name(&mut self, name: &str) -> Result<String> {
        if !self.has(name) {
            return Err(self.field(name, "an array of this name", &self.inventory()));
        }
        let origin = self.origin();
        let refuse = |found: String| DataError::Field {
            origin,
            field: name.to_owned(),
            expected: "an array".to_owned(),
            found,
        };
        let entry = match with_short_header(self.entry(name)?) {
            Ok(entry) => entry,
            Err(found) => return Err(refuse(found)),
        };
        match Array::<Unread, IxDyn>::read_npy(entry) {
            Err(ReadNpyError::WrongDescriptor(name)) => Ok(name.to_string().replace('\'', "")),
            Err(error) => Err(refuse(one_line(&error.to_string()))),
            Ok(_) => Ok(String::new()),
        }
    }

    /// What the directory says that an array has, and no byte more.
    fn entry(&mut self, name: &str) -> Result<impl Read> {
        let place = self.names.iter().position(|n| n == name).unwrap_or(usize::MAX);
        match self.zip.by_index(place) {
            Ok(entry) => {
                let size = entry.size();
                Ok(entry.take(size))
            }
            Err(error) => Err(DataError::Field {
                origin: self.path.display().to_string(),
                field: name.to_owned(),
                expected: "an array".to_owned(),
                found: one_line(&error.to_string()),
            }),
        }
    }
}

impl NamedArrays for NpzFile {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn numbers<T: Element, D: Dimension>(&mut self, name: &str) -> Result<Array<T, D>> {
        let origin = self.origin();
        Ok(read_array::<Number<T>, D>(self.entry(name)?, &origin, name)?.mapv(|number| number.0))
    }

    fn integers(&mut self, name: &str) -> Result<Array1<i64>> {
        let origin = self.origin();
        Ok(read_array::<Integer, Ix1>(self.entry(name)?, &origin, name)?.mapv(|integer| integer.0))
    }
}
