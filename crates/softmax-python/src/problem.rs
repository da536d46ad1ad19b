//! A problem whose arrays are Python objects.

use crate::array::{Matrix, Number, ReadMatrix, bfloat16s, matrix, vector};
use crate::crew;
use crate::csr::{ReadSparse, SparseMatrix, SparseParts};
use crate::error::{CallError, Result};
use crate::labels::ReadLabels;
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax::{ArrayName, Dtype, Error, Features, Objective, ProblemBuilder, Targets, Weights};

/// The arrays and options of an evaluation. It refers to its arrays without copying them; each call that computes with
/// it checks their contents.
#[pyclass(frozen, module = "softmax_fused._core")]
pub(crate) struct Problem {
    names: &'static Names,
    features: Storage,
    weights: Matrix,
    labels: Option<Py<PyAny>>,
    soft_targets: Option<Py<PyAny>>,
    bias: Option<Py<PyAny>>,
    class_weights: Option<Py<PyAny>>,
    sample_weights: Option<Py<PyAny>>,
    pub(crate) objective: Objective,
    pub(crate) dtype: Dtype,
}

/// The names of the arrays in error messages: those of the caller's arguments.
#[derive(Debug)]
struct Names {
    features: &'static str,
    weights: &'static str,
    labels: &'static str,
    soft_targets: &'static str,
    bias: &'static str,
    class_weights: &'static str,
    expected_weights: &'static str,
    /// The axes of the weights, after a space.
    weights_shape: &'static str,
    /// What labels must be.
    expected_labels: &'static str,
}

const NUMPY: Names = Names {
    features: "X",
    weights: "W",
    labels: "y",
    soft_targets: "Y",
    bias: "b",
    class_weights: "class_weight",
    expected_weights: "numbers of X's type, or of half precision",
    weights_shape: " (features, classes)",
    expected_labels: "integers in 1 axis; soft targets are the argument Y",
};

const TORCH: Names = Names {
    features: "input",
    weights: "linear_weight",
    labels: "target",
    soft_targets: "target",
    bias: "linear_bias",
    class_weights: "weight",
    expected_weights: "numbers of input's type, or of half precision",
    weights_shape: " (classes, features)",
    expected_labels: "integers in 1 axis, or soft targets of input's type in 2 axes",
};

impl Names {
    /// The error with the names of the caller's arguments.
    fn of_caller(&self, error: Error) -> CallError {
        match error {
            Error::Shape { array, axis, expected, found } => {
                let name = match array {
                    ArrayName::Weights => self.weights,
                    ArrayName::Labels => self.labels,
                    ArrayName::SoftTargets => self.soft_targets,
                    ArrayName::Bias => self.bias,
                    ArrayName::ClassWeights => self.class_weights,
                    ArrayName::SampleWeights => "sample_weight",
                    _ => return error.into(),
                };
                let hint = if array == ArrayName::Weights { self.weights_shape } else { "" };
                CallError::Shape { name, hint, axis, expected, found }
            }
            Error::Label { sample, label, classes, ignore_index } => {
                CallError::Label { name: self.labels, sample, label, classes, ignore_index }
            }
            other => other.into(),
        }
    }
}

enum Storage {
    Dense(Matrix),
    Sparse(SparseMatrix),
}

/// Calls a generic method with the problem's element type.
macro_rules! by_dtype {
    ($dtype:expr, $T:ident => $call:expr) => {
        match $dtype {
            softmax::Dtype::F32 => {
                type $T = f32;
                $call
            }
            softmax::Dtype::F64 => {
                type $T = f64;
                $call
            }
        }
    };
}
pub(crate) use by_dtype;

#[pymethods]
impl Problem {
    #[new]
    #[pyo3(signature = (X, W, y, Y, b, class_weight, sample_weight, options, *, of_torch=false))]
    #[allow(non_snake_case, reason = "the names that Python's callers use")]
    #[allow(clippy::too_many_arguments, reason = "the arrays of a problem")]
    fn new(
        X: &Bound<'_, PyAny>,
        W: &Bound<'_, PyAny>,
        y: Option<Py<PyAny>>,
        Y: Option<Py<PyAny>>,
        b: Option<Py<PyAny>>,
        class_weight: Option<Py<PyAny>>,
        sample_weight: Option<Py<PyAny>>,
        options: &Bound<'_, PyDict>,
        of_torch: bool,
    ) -> Result<Self> {
        let names = if of_torch { &TORCH } else { &NUMPY };
        if y.is_some() && Y.is_some() {
            return Err(CallError::of_type("y, Y", "labels or soft targets", "both"));
        }
        let features = match SparseMatrix::new(names.features, X)? {
            Some(sparse) => Storage::Sparse(sparse),
            None => Storage::Dense(Matrix::new(names.features, X)?),
        };
        let weights = Matrix::new(names.weights, W)?;
        let dtype = element_type(names, &features, &weights)?;
        let objective = objective(options)?;
        let (labels, soft_targets, bias) = (y, Y, b);
        let (class_weights, sample_weights) = (class_weight, sample_weight);
        Ok(Problem {
            names,
            features,
            weights,
            labels,
            soft_targets,
            bias,
            class_weights,
            sample_weights,
            objective,
            dtype,
        })
    }

    /// The element type of the results: "float32" or "float64".
    #[getter]
    fn dtype(&self) -> &'static str {
        name_of(self.dtype)
    }

    /// The addresses of the first elements of X and W as they are read, to test that nothing is copied.
    fn addresses(&self, py: Python<'_>) -> Result<(usize, usize)> {
        by_dtype!(self.dtype, T => {
            let read = self.read::<T>(py)?;
            let parts = read.parts()?;
            let problem = read.builder(&parts)?.build().map_err(|error| read.of_caller(error))?;
            let x = match problem.features() {
                Features::Dense(x) => x.as_ptr() as usize,
                Features::F16(x) => x.as_ptr() as usize,
                Features::Bf16(x) => x.as_ptr() as usize,
                Features::Csr(x) => x.row(0).1.as_ptr() as usize,
            };
            let w = match problem.weights() {
                Weights::Dense(w) => w.as_ptr() as usize,
                Weights::F16(w) => w.as_ptr() as usize,
                Weights::Bf16(w) => w.as_ptr() as usize,
            };
            Ok((x, w))
        })
    }
}

impl Problem {
    /// Borrows the arrays for reading. `T` must be the problem's element type.
    pub(crate) fn read<'py, T: crew::Computed>(&self, py: Python<'py>) -> Result<ReadProblem<'py, T>> {
        let of = |name, object: &Option<Py<PyAny>>| {
            object.as_ref().map(|object| vector::<T>(name, object.bind(py))).transpose()
        };
        let targets = match (&self.labels, &self.soft_targets) {
            (Some(labels), _) => ReadTargets::Labels(ReadLabels::new(
                self.names.labels,
                self.names.expected_labels,
                labels.bind(py),
            )?),
            (None, Some(soft)) => ReadTargets::Soft(matrix(self.names.soft_targets, soft.bind(py))?),
            (None, None) => ReadTargets::None,
        };
        Ok(ReadProblem {
            names: self.names,
            features: match &self.features {
                Storage::Dense(matrix) => ReadFeatures::Dense(matrix.read(py)?),
                Storage::Sparse(sparse) => ReadFeatures::Sparse(sparse.read(py)?),
            },
            weights: self.weights.read(py)?,
            targets,
            bias: of(self.names.bias, &self.bias)?,
            class_weights: of(self.names.class_weights, &self.class_weights)?,
            sample_weights: of("sample_weight", &self.sample_weights)?,
            objective: self.objective,
        })
    }
}

/// A problem whose arrays are borrowed for reading.
pub(crate) struct ReadProblem<'py, T: crew::Computed> {
    names: &'static Names,
    features: ReadFeatures<'py, T>,
    weights: ReadMatrix<'py, T>,
    targets: ReadTargets<'py, T>,
    bias: Option<PyReadonlyArray1<'py, T>>,
    class_weights: Option<PyReadonlyArray1<'py, T>>,
    sample_weights: Option<PyReadonlyArray1<'py, T>>,
    objective: Objective,
}

enum ReadFeatures<'py, T: crew::Computed> {
    Dense(ReadMatrix<'py, T>),
    Sparse(ReadSparse<'py, T>),
}

enum ReadTargets<'py, T: crew::Computed> {
    Labels(ReadLabels<'py>),
    Soft(PyReadonlyArray2<'py, T>),
    None,
}

impl<T: crew::Computed> ReadProblem<'_, T> {
    /// The arrays of sparse features, in the types of [`softmax::Csr`]; `None` for dense features.
    pub(crate) fn parts(&self) -> Result<Option<SparseParts<'_, T>>> {
        match &self.features {
            ReadFeatures::Dense(_) => Ok(None),
            ReadFeatures::Sparse(sparse) => sparse.parts().map(Some),
        }
    }

    /// The error of building the problem, with the names of the caller's arguments.
    pub(crate) fn of_caller(&self, error: Error) -> CallError {
        self.names.of_caller(error)
    }

    /// The builder of the problem. Its `build` runs the checks, which do not need the GIL.
    pub(crate) fn builder<'a>(
        &'a self,
        parts: &'a Option<SparseParts<'a, T>>,
    ) -> Result<ProblemBuilder<'a, T>> {
        let features = match (&self.features, parts) {
            (_, Some(parts)) => Features::Csr(parts.view()?),
            (ReadFeatures::Dense(ReadMatrix::Dense(x)), _) => Features::Dense(x.as_array()),
            (ReadFeatures::Dense(ReadMatrix::F16(x)), _) => Features::F16(x.as_array()),
            (ReadFeatures::Dense(ReadMatrix::BF16(x)), _) => Features::Bf16(bfloat16s(x.as_array())),
            (ReadFeatures::Sparse(_), None) => unreachable!("parts() has those of sparse features"),
        };
        let weights = match &self.weights {
            ReadMatrix::Dense(w) => Weights::Dense(w.as_array()),
            ReadMatrix::F16(w) => Weights::F16(w.as_array()),
            ReadMatrix::BF16(w) => Weights::Bf16(bfloat16s(w.as_array())),
        };
        let targets = match &self.targets {
            ReadTargets::Labels(labels) => Targets::Labels(labels.view()),
            ReadTargets::Soft(soft) => Targets::Soft(soft.as_array()),
            ReadTargets::None => Targets::None,
        };
        Ok(softmax::Problem::builder(features, weights, targets)
            .bias(self.bias.as_ref().map(|b| b.as_array()))
            .class_weights(self.class_weights.as_ref().map(|w| w.as_array()))
            .sample_weights(self.sample_weights.as_ref().map(|u| u.as_array()))
            .objective(self.objective))
    }
}

/// The element type of the computation: that of X or W, whichever is not of half precision. float32 if both are.
fn element_type(names: &Names, features: &Storage, weights: &Matrix) -> Result<Dtype> {
    let of = |number: Number| match number {
        Number::F32 => Some(Dtype::F32),
        Number::F64 => Some(Dtype::F64),
        Number::F16 | Number::BF16 => None,
    };
    let of_features = match features {
        Storage::Dense(matrix) => of(matrix.number),
        Storage::Sparse(sparse) => Some(sparse.dtype),
    };
    match (of_features, of(weights.number)) {
        (Some(x), Some(w)) if x != w => {
            Err(CallError::of_type(names.weights, names.expected_weights, weights.number.name()))
        }
        (x, w) => Ok(x.or(w).unwrap_or(Dtype::F32)),
    }
}

fn name_of(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => Number::F32.name(),
        Dtype::F64 => Number::F64.name(),
    }
}

/// The options by their names in Python. Missing ones have their defaults.
fn objective(options: &Bound<'_, PyDict>) -> Result<Objective> {
    let default = Objective::default();
    let reduction: Option<String> = option(options, "reduction", "mean or sum")?;
    let number = |name, default| Ok::<_, CallError>(option(options, name, "a number")?.unwrap_or(default));
    Ok(Objective {
        reduction: reduction.map_or(Ok(default.reduction), |name| name.parse())?,
        label_smoothing: number("label_smoothing", default.label_smoothing)?,
        ignore_index: option::<Option<i64>>(options, "ignore_index", "an integer or None")?.flatten(),
        l2: number("l2", default.l2)?,
        z_loss: number("z_loss", default.z_loss)?,
        softcap: option::<Option<f64>>(options, "softcap", "a number or None")?.flatten(),
        temperature: number("temperature", default.temperature)?,
    })
}

fn option<'py, V: FromPyObjectOwned<'py>>(
    options: &Bound<'py, PyDict>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<V>> {
    let Some(value) = options.get_item(name)? else { return Ok(None) };
    value.extract::<V>().map(Some).map_err(|error| {
        let error: PyErr = error.into();
        if error.is_instance_of::<PyOverflowError>(options.py()) {
            return CallError::value(name, "an integer of 64 bits", value.to_string());
        }
        CallError::of_type(name, expected, type_name(&value))
    })
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string())
}
