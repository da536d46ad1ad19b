//! Errors of a call, as Python exceptions.

use pyo3::PyErr;
use pyo3::exceptions::{PyTypeError, PyValueError};
use std::fmt;

/// The reason why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// An argument of an unsupported type.
    #[error("{name}: expected {expected}, found {found}")]
    Type { name: &'static str, expected: &'static str, found: String },
    /// An argument of a supported type with an invalid value.
    #[error("{name}: expected {expected}, found {found}")]
    Value { name: &'static str, expected: &'static str, found: String },
    /// The length of an array's axis does not agree with the other arrays.
    #[error("{name}{hint}: expected {expected} {axis}, found {found}")]
    Shape {
        name: &'static str,
        /// The array's axes, or nothing.
        hint: &'static str,
        axis: softmax::AxisName,
        expected: usize,
        found: usize,
    },
    /// A label that is neither a class nor the ignored value.
    #[error("{name}: expected classes from 0 to {}{}, found {label} at sample {sample}{}", classes - 1,
        ignore_index.map_or(String::new(), |ignored| format!(" or the ignored {ignored}")),
        if *label < 0 && ignore_index.is_none() { format!("; ignore_index={label} leaves such samples out") }
        else { String::new() })]
    Label { name: &'static str, sample: usize, label: i128, classes: usize, ignore_index: Option<i64> },
    #[error(transparent)]
    Loss(#[from] softmax::Error),
    #[error(transparent)]
    Fit(#[from] softmax_fit::FitError),
    #[error(transparent)]
    Backend(#[from] softmax::NoSuchBackend),
    #[error("simd: {0}")]
    Level(#[from] softmax::NoSuchLevel),
    #[error(transparent)]
    Name(#[from] softmax::UnknownName),
    #[error("threads: the system could not start them ({0})")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    #[error("threads: the system could not start a thread ({0})")]
    Thread(#[source] std::io::Error),
    /// An exception raised by Python.
    #[error(transparent)]
    Python(#[from] PyErr),
}

impl CallError {
    pub(crate) fn value(name: &'static str, expected: &'static str, found: impl fmt::Display) -> Self {
        CallError::Value { name, expected, found: found.to_string() }
    }

    pub(crate) fn of_type(name: &'static str, expected: &'static str, found: impl fmt::Display) -> Self {
        CallError::Type { name, expected, found: found.to_string() }
    }
}

impl From<CallError> for PyErr {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Python(error) => error,
            CallError::Type { .. } => PyTypeError::new_err(error.to_string()),
            _ => PyValueError::new_err(error.to_string()),
        }
    }
}

pub(crate) type Result<T, E = CallError> = std::result::Result<T, E>;
