//! One array of a file: its header, and a reader positioned at its first entry. Arrays are read, converted and
//! validated in one pass.

use crate::elements::{
    Admit, ElementType, Order, ReadError, read_bf16, read_f16, read_integers, read_numbers,
};
use crate::error::{DataError, Place, Result};
use crate::mapped::{MappedFile, MappedMatrix};
use crate::storage::Storage;
use crate::stores::{FeatureStore, WeightStore};
use ndarray::{Array, Array1, Array2, Dimension, Ix2, IxDyn, ShapeBuilder, StrideShape};
use softmax_core::{Element, Features, ndarray};
use std::io::{self, Read};
use std::ops::Range;

/// The contents of an array's header.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) element: ElementType,
    /// The file's name for that type.
    pub(crate) kind: String,
    pub(crate) order: Order,
    pub(crate) shape: Vec<usize>,
    pub(crate) by_columns: bool,
}

impl Header {
    /// The number of entries; `None` if their bytes exceed `isize::MAX`.
    pub(crate) fn len(&self) -> Option<usize> {
        let entries = self.shape.iter().try_fold(1, |product: usize, &size| product.checked_mul(size))?;
        entries
            .checked_mul(self.element.size())
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .map(|_| entries)
    }
}

/// An array that is about to be read.
pub(crate) struct FileArray<'r> {
    /// The file, and the array's name in it.
    pub(crate) origin: String,
    pub(crate) name: String,
    pub(crate) header: Header,
    /// Positioned at the first entry.
    pub(crate) reader: Box<dyn Read + 'r>,
    /// The mapped file and the range of the array's bytes in it, if the file is mapped.
    pub(crate) mapped: Option<(MappedFile, Range<usize>)>,
}

impl FileArray<'_> {
    fn refuse(&self, expected: impl Into<String>, found: impl Into<String>) -> DataError {
        DataError::field(&self.origin, &self.name, expected, found)
    }

    /// The shape, if the array has `AXES` axes.
    fn shape<const AXES: usize>(&self) -> Result<[usize; AXES]> {
        let shape = self.header.shape.as_slice();
        shape
            .try_into()
            .map_err(|_| self.refuse(format!("an array of numbers with {}", axes(AXES)), axes(shape.len())))
    }

    /// The length of the first axis.
    pub(crate) fn rows(&self) -> usize {
        self.header.shape.first().copied().unwrap_or(1)
    }

    /// Reads numbers of any type, converted to `T`.
    pub(crate) fn numbers<T: Element, D: Dimension>(mut self, admit: Admit) -> Result<Array<T, D>> {
        let wanted = axes_of::<D>();
        if D::NDIM.is_some_and(|axes| axes != self.header.shape.len()) {
            let found = axes(self.header.shape.len());
            return Err(self.refuse(format!("an array of numbers with {wanted}"), found));
        }
        let len = self.len()?;
        let Header { element, order, by_columns, .. } = self.header;
        let entries = read_numbers(&mut self.reader, element, order, len, admit);
        let entries = entries.map_err(|error| self.failed::<T>(error, admit))?;
        self.expect_end()?;
        let array = Array::from_shape_vec(IxDyn(&self.header.shape).set_f(by_columns), entries);
        let array = array.map_err(|error| self.refuse(&wanted, error.to_string()))?;
        array.into_dimensionality().map_err(|error| self.refuse(&wanted, error.to_string()))
    }

    /// Reads a vector of integers.
    pub(crate) fn integers(mut self) -> Result<Array1<i64>> {
        let [len] = self.shape()?;
        let Header { element, order, .. } = self.header;
        let integers = read_integers(&mut self.reader, element, order, len);
        let integers = integers.map_err(|error| self.failed::<f64>(error, Admit::Any))?;
        let integers = integers
            .ok_or_else(|| self.refuse("integers", format!("elements of type {}", self.header.kind)))?;
        self.expect_end()?;
        Ok(integers.into())
    }

    /// Reads X: at most `limit` of the first rows. Maps them instead if possible.
    pub(crate) fn features<T: Element>(
        mut self,
        storage: Storage,
        limit: Option<usize>,
    ) -> Result<FeatureStore<T>> {
        let [n, d] = self.shape()?;
        let len = self.len()?;
        let Header { element, order, by_columns, .. } = self.header;
        let is_half = matches!(element, ElementType::F16 | ElementType::Bf16);
        let stays = !is_half || storage == Storage::Keep;
        if let (Some((file, place)), true) = (&self.mapped, stays) {
            let bytes = place.start..place.start + len * element.size();
            let extra = place.end.saturating_sub(bytes.end);
            if let Some(matrix) = MappedMatrix::new(file, bytes, element, order, (n, d), by_columns) {
                if extra > 0 {
                    return Err(self.refuse_extra(extra as u64));
                }
                let matrix = matrix.limit(limit.unwrap_or(n));
                self.check_mapped(&matrix)?;
                return Ok(FeatureStore::Mapped(matrix));
            }
        }
        // A column-major matrix must be read whole to get its first rows.
        let rows = if by_columns { n } else { limit.map_or(n, |limit| limit.min(n)) };
        let len = if rows == n { len } else { rows * d };
        let shape = (rows, d).set_f(by_columns).into();
        let features = match (element, stays) {
            (ElementType::F16, true) => {
                let entries = read_f16(&mut self.reader, order, len);
                FeatureStore::F16(self.matrix::<T, _>(shape, entries)?)
            }
            (ElementType::Bf16, true) => {
                let entries = read_bf16(&mut self.reader, order, len);
                FeatureStore::Bf16(self.matrix::<T, _>(shape, entries)?)
            }
            _ => {
                let entries = read_numbers(&mut self.reader, element, order, len, Admit::Finite);
                FeatureStore::Dense(self.matrix::<T, _>(shape, entries)?)
            }
        };
        if rows == n {
            self.expect_end()?;
        }
        Ok(features)
    }

    fn matrix<T: Element, E>(
        &self,
        shape: StrideShape<Ix2>,
        entries: Result<Vec<E>, ReadError>,
    ) -> Result<Array2<E>> {
        let entries = entries.map_err(|error| self.failed::<T>(error, Admit::Finite))?;
        Array2::from_shape_vec(shape, entries).map_err(|error| self.refuse("a matrix", error.to_string()))
    }

    /// Reads W. Never maps it.
    pub(crate) fn weights<T: Element>(self, storage: Storage) -> Result<WeightStore<T>> {
        let unmapped = FileArray { mapped: None, ..self };
        Ok(match unmapped.features(storage, None)? {
            FeatureStore::F16(w) => WeightStore::F16(w),
            FeatureStore::Bf16(w) => WeightStore::Bf16(w),
            other => WeightStore::Dense(other.into_dense()),
        })
    }

    /// Checks in one pass that every entry of a mapped matrix is finite.
    fn check_mapped<T: Element>(&self, matrix: &MappedMatrix<T>) -> Result<()> {
        let bad = match matrix.features() {
            Features::Dense(x) => first_bad(x.indexed_iter(), |x| x.is_finite(), |x| x.widen()),
            Features::F16(x) => first_bad(x.indexed_iter(), |x| x.is_finite(), |x| x.to_f64()),
            Features::Bf16(x) => first_bad(x.indexed_iter(), |x| x.is_finite(), |x| x.to_f64()),
            Features::Csr(_) => None,
        };
        match bad {
            None => Ok(()),
            Some(((row, column), value)) => {
                Err(self.refuse(Admit::Finite.name(), format!("{value} at row {row}, column {column}")))
            }
        }
    }

    fn len(&self) -> Result<usize> {
        let sizes = || self.header.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        self.header.len().ok_or_else(|| {
            self.refuse("an array that fits into the address space", format!("sizes {}", sizes()))
        })
    }

    /// Refuses bytes after the last entry.
    fn expect_end(&mut self) -> Result<()> {
        match io::copy(&mut self.reader, &mut io::sink()) {
            Ok(0) => Ok(()),
            Ok(extra) => Err(self.refuse_extra(extra)),
            Err(error) => Err(self.failed::<f64>(error.into(), Admit::Any)),
        }
    }

    fn refuse_extra(&self, bytes: u64) -> DataError {
        self.refuse("as many entries as its shape says", format!("{bytes} extra bytes"))
    }

    fn failed<T: Element>(&self, error: ReadError, admit: Admit) -> DataError {
        match error {
            ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.refuse("as many entries as its shape says", "the end of the file")
            }
            ReadError::Io(source) if source.kind() == io::ErrorKind::OutOfMemory => {
                DataError::Io { path: self.origin.clone().into(), source }
            }
            ReadError::Io(error) => self.refuse("an array", one_line(&error.to_string())),
            ReadError::Integer(x) => self.refuse("integers below 2^63", x.to_string()),
            ReadError::Entry { position, value } => {
                let place = match *self.header.shape.as_slice() {
                    [rows, _] if self.header.by_columns => {
                        format!("row {}, column {}", position % rows, position / rows)
                    }
                    [_, columns] => format!("row {}, column {}", position / columns, position % columns),
                    _ => format!("index {position}"),
                };
                if value.is_finite() {
                    let (origin, place) =
                        (self.origin.clone(), Place::Field(format!("{} at {place}", self.name)));
                    return DataError::Range { origin, place, dtype: T::DTYPE, found: value };
                }
                self.refuse(admit.name(), format!("{value} at {place}"))
            }
        }
    }
}

/// The first non-finite entry: its row and column, and its value.
fn first_bad<'a, E: Copy + 'a>(
    mut entries: impl Iterator<Item = ((usize, usize), &'a E)>,
    is_finite: impl Fn(E) -> bool,
    value: impl Fn(E) -> f64,
) -> Option<((usize, usize), f64)> {
    entries.find(|&(_, &x)| !is_finite(x)).map(|(place, &x)| (place, value(x)))
}

pub(crate) fn axes(count: usize) -> String {
    if count == 1 { "1 axis".to_owned() } else { format!("{count} axes") }
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The number of axes of a dimension type, in words.
pub(crate) fn axes_of<D: Dimension>() -> String {
    D::NDIM.map_or("any axes".to_owned(), axes)
}
