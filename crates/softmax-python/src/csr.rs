//! SciPy's matrices in compressed sparse rows, read from their three arrays. SciPy itself is not needed.

use crate::array::{is_readable, of_numpy, untyped};
use crate::error::{CallError, Result};
use numpy::{Element, PyArrayDescrMethods, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use softmax::{Csr, Dtype};
use std::borrow::Cow;

/// A sparse matrix whose format, element types and array layouts are checked.
pub(crate) struct SparseMatrix {
    name: &'static str,
    shape: (usize, usize),
    row_pointers: Py<PyUntypedArray>,
    columns: Py<PyUntypedArray>,
    values: Py<PyUntypedArray>,
    pub(crate) dtype: Dtype,
}

impl SparseMatrix {
    /// Takes a SciPy CSR matrix; other sparse formats are refused. `None` if `object` is not a sparse matrix.
    pub(crate) fn new(name: &'static str, object: &Bound<'_, PyAny>) -> Result<Option<Self>> {
        let (Ok(format), true) = (object.getattr("format"), object.hasattr("nnz")?) else { return Ok(None) };
        if format.to_string() != "csr" || !object.hasattr("indptr")? {
            return Err(CallError::of_type(name, "a sparse matrix in CSR, as .tocsr() makes it", format));
        }
        let array = |part| untyped(object.getattr(part)?);
        let (row_pointers, columns, values) = (array("indptr")?, array("indices")?, array("data")?);
        let py = object.py();
        let dtype = if values.dtype().is_equiv_to(&numpy::dtype::<f32>(py)) {
            Dtype::F32
        } else if values.dtype().is_equiv_to(&numpy::dtype::<f64>(py)) {
            Dtype::F64
        } else {
            return Err(CallError::of_type(name, "sparse numbers of float32 or float64", values.dtype()));
        };
        let shape = object.getattr("shape")?.extract()?;
        for array in [&row_pointers, &columns, &values] {
            if array.ndim() != 1 || !array.is_c_contiguous() || !is_readable(array)? {
                return Err(CallError::value(
                    name,
                    "contiguous arrays of indptr, indices and data",
                    "others",
                ));
            }
        }
        let (row_pointers, columns, values) = (row_pointers.unbind(), columns.unbind(), values.unbind());
        Ok(Some(SparseMatrix { name, shape, row_pointers, columns, values, dtype }))
    }

    /// Borrows the arrays for reading. `T` must be the matrix's element type.
    pub(crate) fn read<'py, T: Element>(&self, py: Python<'py>) -> Result<ReadSparse<'py, T>> {
        let indices = |array: &Py<PyUntypedArray>| Indices::new(self.name, array.bind(py));
        Ok(ReadSparse {
            shape: self.shape,
            row_pointers: indices(&self.row_pointers)?,
            columns: indices(&self.columns)?,
            values: of_numpy(self.name, self.values.bind(py))?,
        })
    }
}

/// A sparse matrix that is borrowed for reading.
pub(crate) struct ReadSparse<'py, T: Element> {
    shape: (usize, usize),
    row_pointers: Indices<'py>,
    columns: Indices<'py>,
    values: PyReadonlyArray1<'py, T>,
}

/// The three arrays in the types of [`Csr`]. An array is copied only if SciPy stores another type.
pub(crate) struct SparseParts<'a, T> {
    shape: (usize, usize),
    row_pointers: Cow<'a, [usize]>,
    columns: Cow<'a, [u32]>,
    values: &'a [T],
}

impl<T: Element> ReadSparse<'_, T> {
    pub(crate) fn parts(&self) -> Result<SparseParts<'_, T>> {
        Ok(SparseParts {
            shape: self.shape,
            row_pointers: self.row_pointers.row_pointers()?,
            columns: self.columns.columns()?,
            values: slice(&self.values)?,
        })
    }
}

impl<T> SparseParts<'_, T> {
    pub(crate) fn view(&self) -> Result<Csr<'_, T>> {
        Ok(Csr::new(self.shape, &self.row_pointers, &self.columns, self.values)?)
    }
}

/// Indices of the types that SciPy uses.
enum Indices<'py> {
    I32(PyReadonlyArray1<'py, i32>),
    I64(PyReadonlyArray1<'py, i64>),
}

impl<'py> Indices<'py> {
    fn new(name: &'static str, array: &Bound<'py, PyUntypedArray>) -> Result<Self> {
        let py = array.py();
        if array.dtype().is_equiv_to(&numpy::dtype::<i32>(py)) {
            Ok(Indices::I32(of_numpy(name, array)?))
        } else if array.dtype().is_equiv_to(&numpy::dtype::<i64>(py)) {
            Ok(Indices::I64(of_numpy(name, array)?))
        } else {
            Err(CallError::of_type(name, "indices of int32 or int64", array.dtype()))
        }
    }

    /// The row pointers as `usize`. A negative one becomes so large that [`Csr::new`] refuses it.
    fn row_pointers(&self) -> Result<Cow<'_, [usize]>> {
        Ok(match self {
            Indices::I32(indices) => slice(indices)?.iter().map(|&i| i as usize).collect::<Vec<_>>().into(),
            Indices::I64(indices) => bytemuck::cast_slice(slice(indices)?).into(),
        })
    }

    fn columns(&self) -> Result<Cow<'_, [u32]>> {
        Ok(match self {
            Indices::I32(indices) => bytemuck::cast_slice(slice(indices)?).into(),
            Indices::I64(indices) => {
                let column = |&i: &i64| u32::try_from(i).unwrap_or(u32::MAX);
                slice(indices)?.iter().map(column).collect::<Vec<_>>().into()
            }
        })
    }
}

fn slice<'a, A: Element>(array: &'a PyReadonlyArray1<'_, A>) -> Result<&'a [A]> {
    Ok(array.as_slice().map_err(PyErr::from)?)
}
