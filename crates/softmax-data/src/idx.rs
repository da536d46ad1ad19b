//! IDX, the format of MNIST: a magic number, sizes, and the entries, all big-endian. Also reads `.gz`.
//! <http://yann.lecun.com/exdb/mnist/>

use crate::dataset::Dataset;
use crate::elements::{Admit, ElementType, Order, ReadError, read_integers, read_numbers};
use crate::error::{DataError, Place, Result};
use crate::options::ReadOptions;
use crate::source::{Source, cut_short, open};
use crate::stores::TargetStore;
use ndarray::{Array1, Array2};
use softmax_core::{Element, ndarray};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const EXPECTED: &str = "an IDX file, the format of MNIST";

/// Reads images or other vectors, and their labels: `labels` if given, otherwise the file in the same folder that
/// follows MNIST's naming.
pub(crate) fn read_idx<T: Element>(
    path: &Path,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let mut file = IdxFile::open(path)?;
    let [n, sizes @ ..] = file.sizes.as_slice() else { return Err(file.refuse("has no sizes")) };
    if sizes.is_empty() {
        return Err(file.refuse("found labels, with one size, where the samples should be"));
    }
    let d = sizes.iter().product();
    let samples = *n;
    let n = options.limit.map_or(samples, |limit| limit.min(samples));
    let entries = read_numbers(&mut file.reader, file.element, Order::Big, n * d, Admit::Finite);
    let entries = entries.map_err(|error| match error {
        ReadError::Entry { position, value } if value.is_finite() => DataError::Range {
            origin: path.display().to_string(),
            place: Place::Field(format!("features at row {}, column {}", position / d, position % d)),
            dtype: T::DTYPE,
            found: value,
        },
        ReadError::Entry { position, value } => {
            let place = format!("{value} at row {}, column {}", position / d, position % d);
            DataError::field(path.display().to_string(), "features", Admit::Finite.name(), place)
        }
        error => cut_off(path, error),
    })?;
    let features = Array2::from_shape_vec((n, d), entries).map_err(|_| file.refuse("found other sizes"))?;
    if n == samples {
        file.expect_end()?;
    }

    let targets = match (labels, labels_beside(path)) {
        (Some(labels), _) => TargetStore::Labels(labels),
        (None, Some(beside)) => TargetStore::Labels(read_idx_labels(&beside)?),
        (None, None) if options.unlabelled.is_some() => TargetStore::None,
        (None, None) => {
            let origin = path.display().to_string();
            return Err(DataError::NoLabels { origin, beside: Some("labels-idx1".to_owned()) });
        }
    };
    Dataset::new(path.display().to_string(), features, targets).of_samples(samples)
}

/// Reads a file of labels.
pub(crate) fn read_idx_labels(path: &Path) -> Result<Array1<i64>> {
    let mut file = IdxFile::open(path)?;
    let &[n] = file.sizes.as_slice() else {
        return Err(file.refuse(&format!("found {} sizes where labels have one", file.sizes.len())));
    };
    let labels =
        read_integers(&mut file.reader, file.element, Order::Big, n).map_err(|error| cut_off(path, error))?;
    let labels = labels.ok_or_else(|| file.refuse("found floats where labels are integers"))?;
    file.expect_end()?;
    Ok(Array1::from(labels))
}

fn cut_off(path: &Path, error: ReadError) -> DataError {
    let error = match error {
        ReadError::Io(error) => error,
        ReadError::Entry { .. } | ReadError::Integer(_) => io::ErrorKind::InvalidData.into(),
    };
    cut_short(path, "as many entries as its header says", error)
}

/// The existing file of labels that belongs to a file of images: `train-labels-idx1-ubyte` for
/// `train-images-idx3-ubyte`, with or without `.gz`.
pub(crate) fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let plain = labels.trim_end_matches(".gz");
    let candidates = [labels.clone(), plain.to_owned(), format!("{plain}.gz")];
    candidates.iter().filter(|l| *l != name).map(|l| images.with_file_name(l)).find(|path| path.is_file())
}

struct IdxFile {
    path: PathBuf,
    reader: Box<dyn std::io::BufRead>,
    element: ElementType,
    sizes: Vec<usize>,
}

impl IdxFile {
    /// Reads the header, and validates its sizes against the number of bytes that the file can hold.
    fn open(path: &Path) -> Result<Self> {
        let Source { mut reader, at_most } = open(path)?;
        let mut magic = [0; 4];
        reader.read_exact(&mut magic).map_err(|error| cut_short(path, EXPECTED, error))?;
        let refuse = |found: String| DataError::File { path: path.to_owned(), expected: EXPECTED, found };
        let element = match magic {
            [0, 0, 0x08, _] => ElementType::U8,
            [0, 0, 0x09, _] => ElementType::I8,
            [0, 0, 0x0b, _] => ElementType::I16,
            [0, 0, 0x0c, _] => ElementType::I32,
            [0, 0, 0x0d, _] => ElementType::F32,
            [0, 0, 0x0e, _] => ElementType::F64,
            [a, b, c, d] => {
                return Err(refuse(format!("found the first bytes {a:02x} {b:02x} {c:02x} {d:02x}")));
            }
        };
        let mut sizes = Vec::new();
        let mut bytes = element.size() as u64;
        for _ in 0..magic[3] {
            let mut size = [0; 4];
            reader.read_exact(&mut size).map_err(|error| cut_short(path, EXPECTED, error))?;
            let size = u32::from_be_bytes(size);
            sizes.push(size as usize);
            bytes = bytes.saturating_mul(u64::from(size));
        }
        // Zeros are skipped, so that the product of any of the sizes is known not to overflow.
        let nonzero = sizes.iter().filter(|&&size| size > 0);
        let count = nonzero.copied().try_fold(1, usize::checked_mul);
        if bytes > at_most || count.is_none() {
            let sizes = sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
            return Err(refuse(format!("found sizes {sizes}, which exceed the length of the file")));
        }
        Ok(IdxFile { path: path.to_owned(), reader, element, sizes })
    }

    /// Refuses bytes after the last entry.
    fn expect_end(&mut self) -> Result<()> {
        let mut next = [0];
        match self.reader.read(&mut next) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.refuse("found more bytes than its header says")),
            Err(error) => Err(cut_short(&self.path, EXPECTED, error)),
        }
    }

    fn refuse(&self, found: &str) -> DataError {
        DataError::File { path: self.path.clone(), expected: EXPECTED, found: found.to_owned() }
    }
}
