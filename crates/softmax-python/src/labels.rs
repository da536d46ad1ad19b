//! Labels of any integer type.

use crate::array::{as_array, is_readable, of_numpy, untyped};
use crate::error::{CallError, Result};
use numpy::{Element, PyArrayDescrMethods, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use softmax::Labels;

/// Labels that are borrowed for reading: in place if [`Labels`] supports their type, else as a 64-bit copy.
pub(crate) enum ReadLabels<'py> {
    U8(PyReadonlyArray1<'py, u8>),
    U32(PyReadonlyArray1<'py, u32>),
    Usize(PyReadonlyArray1<'py, usize>),
    I32(PyReadonlyArray1<'py, i32>),
    I64(PyReadonlyArray1<'py, i64>),
}

impl<'py> ReadLabels<'py> {
    /// Takes a one-dimensional array of integers, or an object that NumPy converts to one.
    /// `expected` says what labels must be.
    pub(crate) fn new(
        name: &'static str,
        expected: &'static str,
        object: &Bound<'py, PyAny>,
    ) -> Result<Self> {
        let array = as_array(name, object)?;
        let dtype = array.dtype();
        // NumPy makes float64 of an empty list, so an empty array may have any type.
        if !matches!(dtype.kind(), b'i' | b'u') && !array.is_empty() {
            return Err(CallError::of_type(name, expected, dtype));
        }
        if array.ndim() != 1 {
            return Err(CallError::value(name, expected, format_args!("{} axes", array.ndim())));
        }
        if !is_readable(&array)? {
            return Self::copied(name, &array);
        }
        if is_of::<u8>(&array) {
            Ok(ReadLabels::U8(of_numpy(name, &array)?))
        } else if is_of::<u32>(&array) {
            Ok(ReadLabels::U32(of_numpy(name, &array)?))
        } else if is_of::<usize>(&array) {
            Ok(ReadLabels::Usize(of_numpy(name, &array)?))
        } else if is_of::<i32>(&array) {
            Ok(ReadLabels::I32(of_numpy(name, &array)?))
        } else if is_of::<i64>(&array) {
            Ok(ReadLabels::I64(of_numpy(name, &array)?))
        } else {
            Self::copied(name, &array)
        }
    }

    fn copied(name: &'static str, array: &Bound<'py, PyUntypedArray>) -> Result<Self> {
        let copy = |dtype: &str| untyped(array.call_method1("astype", (dtype,))?);
        Ok(match array.dtype().kind() {
            b'u' => ReadLabels::Usize(of_numpy(name, &copy("uintp")?)?),
            _ => ReadLabels::I64(of_numpy(name, &copy("int64")?)?),
        })
    }

    pub(crate) fn view(&self) -> Labels<'_> {
        match self {
            ReadLabels::U8(labels) => labels.as_array().into(),
            ReadLabels::U32(labels) => labels.as_array().into(),
            ReadLabels::Usize(labels) => labels.as_array().into(),
            ReadLabels::I32(labels) => labels.as_array().into(),
            ReadLabels::I64(labels) => labels.as_array().into(),
        }
    }
}

fn is_of<A: Element>(array: &Bound<'_, PyUntypedArray>) -> bool {
    array.dtype().is_equiv_to(&numpy::dtype::<A>(array.py()))
}
