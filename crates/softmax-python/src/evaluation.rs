//! The loss and its outputs in one pass.

use crate::crew::{self, Ask, Whole};
use crate::error::{CallError, Result};
use crate::problem::{Problem, by_dtype};
use crate::results::{Results, output_set};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax::{Evaluation, OutputSet};

/// The loss, the total weight, the number of correct predictions and the named outputs, in a dict.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "Python's own signature is in `_evaluate.py`")]
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    problem: &Problem,
    outputs: Vec<String>,
    top: Option<Whole>,
    backend: &str,
    threads: Option<Whole>,
    simd: Option<&str>,
    memory: Option<Whole>,
) -> Result<Bound<'py, PyDict>> {
    let refuse = |found| CallError::value("top", "a number from 0 to C", found);
    let top = top.map(|Whole(top)| usize::try_from(top).map_err(|_| refuse(top))).transpose()?;
    let (set, ask) = (output_set(&outputs, top)?, Ask { backend, threads, simd, memory });
    by_dtype!(problem.dtype, T => evaluate_as::<T>(py, problem, set, top, &ask))
}

fn evaluate_as<'py, T: crew::Computed>(
    py: Python<'py>,
    problem: &Problem,
    set: OutputSet,
    top: Option<usize>,
    ask: &Ask<'_>,
) -> Result<Bound<'py, PyDict>> {
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let problem = py.detach(|| builder.build()).map_err(|error| read.of_caller(error))?;
    let mut results = Results::new(py, &problem, set, top.unwrap_or(0))?;
    let mut outputs = results.as_outputs();
    let evaluation = py.detach(|| crew::run(ask, |backend| backend.evaluate(&problem, &mut outputs)))??;
    let dict = results.into_dict()?;
    put_evaluation(&dict, &evaluation)?;
    Ok(dict)
}

/// Puts the scalars of an evaluation into `dict`.
pub(crate) fn put_evaluation(dict: &Bound<'_, PyDict>, evaluation: &Evaluation) -> PyResult<()> {
    dict.set_item("loss", evaluation.loss)?;
    dict.set_item("total_weight", evaluation.total_weight)?;
    dict.set_item("correct", evaluation.correct)
}
