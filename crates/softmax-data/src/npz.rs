//! NumPy's `.npz`: named arrays.

use crate::array::{FileArray, one_line};
use crate::elements::ElementType;
use crate::error::{DataError, Result};
use crate::named::NamedArrays;
use crate::npy::read_header;
use crate::shown::shown;
use crate::source::{ALWAYS_FREE_ARRAY, most_inflated, open_regular};
use softmax_core::Dtype;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// The element type that suits the file's X: f64 for NumPy's float64, f32 for anything else.
///
/// # Errors
/// As [`read`](crate::read).
pub fn float_type_of_npz(path: &Path) -> Result<Dtype> {
    let mut file = NpzFile::open(path)?;
    let is_double = file.require("X", "2 axes")?.header.element == ElementType::F64;
    Ok(if is_double { Dtype::F64 } else { Dtype::F32 })
}

/// An open `.npz` archive.
pub(crate) struct NpzFile {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl NpzFile {
    /// Opens an archive. Refuses one whose directory claims implausible sizes, before inflating anything.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = open_regular(path)?;
        let refuse = |found: String| DataError::File {
            path: path.to_owned(),
            expected: "an .npz archive as numpy.savez writes it",
            found,
        };
        let not_npz = |error: ZipError| match error {
            ZipError::InvalidArchive(_) => refuse("found another file, or an incomplete one".to_owned()),
            other => refuse(one_line(&other.to_string())),
        };
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(not_npz)?;
        let mut names = Vec::new();
        for k in 0..zip.len() {
            let entry = zip.by_index_raw(k).map_err(not_npz)?;
            let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
            if entry.size() > most_inflated(entry.compressed_size(), ALWAYS_FREE_ARRAY) {
                let (from, to) = (entry.compressed_size(), entry.size());
                return Err(refuse(format!("{} would inflate from {from} to {to} bytes", shown(&name))));
            }
            names.push(name);
        }
        Ok(NpzFile { path: path.to_owned(), zip, names })
    }

    /// A reader of an array's file, limited to one byte more than the size that the directory claims: only at the end of
    /// the file does the archive compare its checksum.
    fn entry<'s>(&'s mut self, name: &str) -> Result<impl Read + use<'s>> {
        let place = self.names.iter().position(|n| n == name).unwrap_or(usize::MAX);
        match self.zip.by_index(place) {
            Ok(entry) => {
                let size = entry.size();
                Ok(entry.take(size.saturating_add(1)))
            }
            Err(error) => {
                let found = one_line(&error.to_string());
                Err(DataError::field(self.path.display().to_string(), name, "an array", found))
            }
        }
    }
}

impl NpzFile {
    /// The bytes of a small array's file, including its header; at most 4096.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        const MOST: u64 = 4096;
        let origin = self.path.display().to_string();
        let mut bytes = Vec::new();
        let read = self.entry(name)?.take(MOST).read_to_end(&mut bytes);
        read.map_err(|error| DataError::field(origin, name, "an array", one_line(&error.to_string())))?;
        Ok(bytes)
    }
}

impl NamedArrays for NpzFile {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn open(&mut self, name: &str) -> Result<FileArray<'_>> {
        let origin = self.origin();
        Ok(read_header(Box::new(self.entry(name)?), &origin, name)?.array)
    }
}
