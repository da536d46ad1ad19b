//! NumPy arrays as Rust views, without a copy.

use crate::error::{CallError, Result};
use numpy::{
    Element, Ix1, Ix2, PyArray, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray, PyReadonlyArray1,
    PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use softmax::half::{bf16, f16};
use softmax::ndarray::{ArrayView2, Dimension};

/// An array of bfloat16 numbers, given by their bits as uint16. For libraries such as PyTorch, whose bfloat16 NumPy
/// does not know.
#[pyclass(frozen, module = "softmax_fused._core")]
pub(crate) struct BFloat16 {
    bits: Py<PyUntypedArray>,
}

#[pymethods]
impl BFloat16 {
    #[new]
    fn new(bits: Py<PyUntypedArray>) -> Self {
        BFloat16 { bits }
    }
}

/// The element types of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    F32,
    F64,
    F16,
    BF16,
}

impl Number {
    fn of(name: &'static str, array: &Bound<'_, PyUntypedArray>) -> Result<Self> {
        let (py, dtype) = (array.py(), array.dtype());
        if dtype.is_equiv_to(&numpy::dtype::<f32>(py)) {
            Ok(Number::F32)
        } else if dtype.is_equiv_to(&numpy::dtype::<f64>(py)) {
            Ok(Number::F64)
        } else if dtype.is_equiv_to(&numpy::dtype::<f16>(py)) {
            Ok(Number::F16)
        } else if dtype.to_string() == "bfloat16" {
            Ok(Number::BF16)
        } else {
            Err(CallError::of_type(name, "numbers of float32, float64, float16 or ml_dtypes.bfloat16", dtype))
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Number::F32 => "float32",
            Number::F64 => "float64",
            Number::F16 => "float16",
            Number::BF16 => "bfloat16",
        }
    }
}

/// A matrix that is read in place.
pub(crate) struct Matrix {
    name: &'static str,
    /// An array of type `number`; for bfloat16 its bits, as uint16.
    array: Py<PyUntypedArray>,
    pub(crate) number: Number,
}

impl Matrix {
    /// Takes a [`BFloat16`], a NumPy array, or an object that NumPy converts to an array.
    pub(crate) fn new(name: &'static str, object: &Bound<'_, PyAny>) -> Result<Self> {
        let (array, number) = if let Ok(bfloat16) = object.cast::<BFloat16>() {
            (bfloat16.get().bits.bind(object.py()).clone(), Number::BF16)
        } else {
            let array = as_numbers(name, object)?;
            match Number::of(name, &array)? {
                Number::BF16 => (untyped(array.call_method1("view", ("uint16",))?)?, Number::BF16),
                number => (array, number),
            }
        };
        if array.ndim() != 2 {
            return Err(CallError::value(name, "2 axes", array.ndim()));
        }
        if !is_readable(&array)? {
            let expected = "an aligned array, as numpy.ascontiguousarray makes one";
            return Err(CallError::value(
                name,
                expected,
                "an unaligned array, or one with strides that are not multiples of the element size",
            ));
        }
        Ok(Matrix { name, array: array.unbind(), number })
    }

    /// Borrows the array for reading. Its elements must be `T` or of half precision.
    pub(crate) fn read<'py, T: Element>(&self, py: Python<'py>) -> Result<ReadMatrix<'py, T>> {
        let array = self.array.bind(py);
        Ok(match self.number {
            Number::F32 | Number::F64 => ReadMatrix::Dense(of_numpy(self.name, array)?),
            Number::F16 => ReadMatrix::F16(of_numpy(self.name, array)?),
            Number::BF16 => ReadMatrix::BF16(of_numpy(self.name, array)?),
        })
    }
}

/// A matrix that is borrowed for reading.
pub(crate) enum ReadMatrix<'py, T: Element> {
    Dense(PyReadonlyArray2<'py, T>),
    F16(PyReadonlyArray2<'py, f16>),
    /// The bits of bfloat16 numbers.
    BF16(PyReadonlyArray2<'py, u16>),
}

/// Views bits as the bfloat16 numbers that they represent.
pub(crate) fn bfloat16s(bits: ArrayView2<'_, u16>) -> ArrayView2<'_, bf16> {
    // SAFETY: `bf16` is a transparent wrapper of `u16`, and every value of `u16` is valid for it. Shape, strides and
    // lifetime remain those of `bits`, a view that may be read.
    unsafe { bits.raw_view().cast::<bf16>().deref_into_view() }
}

/// A vector of `T`: `object` itself, or a copy if it has another type or is not readable in place.
pub(crate) fn vector<'py, T: Element>(
    name: &'static str,
    object: &Bound<'py, PyAny>,
) -> Result<PyReadonlyArray1<'py, T>> {
    converted::<T, Ix1>(name, "1 axis", object)
}

/// A matrix of `T`: `object` itself, or a copy if it has another type or is not readable in place.
pub(crate) fn matrix<'py, T: Element>(
    name: &'static str,
    object: &Bound<'py, PyAny>,
) -> Result<PyReadonlyArray2<'py, T>> {
    converted::<T, Ix2>(name, "2 axes", object)
}

fn converted<'py, T: Element, D: Dimension>(
    name: &'static str,
    axes: &'static str,
    object: &Bound<'py, PyAny>,
) -> Result<PyReadonlyArray<'py, T, D>> {
    let given = as_numbers(name, object)?;
    if D::NDIM.is_some_and(|ndim| ndim != given.ndim()) {
        return Err(CallError::value(name, axes, given.ndim()));
    }
    let dtype = given.dtype();
    let is_half = Number::of(name, &given).is_ok();
    if !is_half && !matches!(dtype.kind(), b'f' | b'i' | b'u' | b'b') {
        return Err(CallError::of_type(name, "real numbers", dtype));
    }
    if dtype.is_equiv_to(&numpy::dtype::<T>(object.py())) && is_readable(&given)? {
        return of_numpy(name, &given);
    }
    let copy = given.call_method1("astype", (numpy::dtype::<T>(object.py()),))?;
    of_numpy(name, &untyped(copy)?)
}

/// `object` as a NumPy array, converted by `numpy.asarray` if it is not one. Masked arrays are refused.
pub(crate) fn as_array<'py>(
    name: &'static str,
    object: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyUntypedArray>> {
    let numpy = object.py().import("numpy")?;
    if object.is_instance(&numpy.getattr("ma")?.getattr("MaskedArray")?)? {
        return Err(CallError::of_type(name, "an array without a mask", "a masked one"));
    }
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    let array = numpy.call_method1("asarray", (object,));
    untyped(array.map_err(|error| {
        let complaint = error.value(object.py()).to_string();
        CallError::of_type(name, "an array of numbers", complaint.lines().next().unwrap_or_default())
    })?)
}

/// `object` as a NumPy array, as in [`as_array`]. A list or tuple of integers becomes float64.
fn as_numbers<'py>(name: &'static str, object: &Bound<'py, PyAny>) -> Result<Bound<'py, PyUntypedArray>> {
    let array = as_array(name, object)?;
    let is_list = object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>();
    if is_list && matches!(array.dtype().kind(), b'i' | b'u') {
        return untyped(array.call_method1("astype", ("float64",))?);
    }
    Ok(array)
}

/// Borrows an array for reading. It must have the element type and the number of axes. An array that is borrowed for
/// writing is refused.
pub(crate) fn of_numpy<'py, A: Element, D: Dimension>(
    name: &'static str,
    array: &Bound<'py, PyUntypedArray>,
) -> Result<PyReadonlyArray<'py, A, D>> {
    let array = array.cast::<PyArray<A, D>>().map_err(PyErr::from)?;
    let is_written = |_| CallError::value(name, "an array that is not borrowed for writing", "one that is");
    array.try_readonly().map_err(is_written)
}

pub(crate) fn untyped(array: Bound<'_, PyAny>) -> Result<Bound<'_, PyUntypedArray>> {
    Ok(array.cast_into::<PyUntypedArray>().map_err(PyErr::from)?)
}

/// Whether a Rust view can read the array: it is aligned, and its strides are multiples of the element size. Fields of
/// packed records are not.
pub(crate) fn is_readable(array: &Bound<'_, PyUntypedArray>) -> Result<bool> {
    let size = array.dtype().itemsize() as isize;
    let is_aligned: bool = array.getattr("flags")?.getattr("aligned")?.extract()?;
    Ok(is_aligned && array.strides().iter().all(|stride| stride % size == 0))
}
