//! Two passes, for gradients whose coefficients are known only after the losses: PyTorch's reduction `none`.

use crate::array::vector;
use crate::crew::{self, Ask};
use crate::error::{CallError, Result};
use crate::evaluation::{arrays, as_dict, output_set, put_outputs};
use crate::problem::{Problem, by_dtype};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax::{Error, Evaluation, Feature, RowStatistics, SoftmaxBackend, TwoPass, Upstream};

/// What the first pass knows of each row, for the second.
#[pyclass(frozen, module = "softmax_fused._core")]
pub(crate) struct Statistics(AnyStatistics);

enum AnyStatistics {
    F32(RowStatistics<f32>),
    F64(RowStatistics<f64>),
}

/// An element type that statistics are kept of.
trait Kept: crew::Number {
    fn keep(statistics: RowStatistics<Self>) -> AnyStatistics;
    fn of(statistics: &AnyStatistics) -> Option<&RowStatistics<Self>>;
}

impl Kept for f32 {
    fn keep(statistics: RowStatistics<Self>) -> AnyStatistics {
        AnyStatistics::F32(statistics)
    }

    fn of(statistics: &AnyStatistics) -> Option<&RowStatistics<Self>> {
        if let AnyStatistics::F32(statistics) = statistics { Some(statistics) } else { None }
    }
}

impl Kept for f64 {
    fn keep(statistics: RowStatistics<Self>) -> AnyStatistics {
        AnyStatistics::F64(statistics)
    }

    fn of(statistics: &AnyStatistics) -> Option<&RowStatistics<Self>> {
        if let AnyStatistics::F64(statistics) = statistics { Some(statistics) } else { None }
    }
}

/// The first pass: its statistics, and what [`evaluate`](crate::evaluation::evaluate) gives, of the outputs sample losses, lse,
/// predicted classes and entropies.
#[pyfunction]
pub(crate) fn forward<'py>(
    py: Python<'py>,
    problem: &Problem,
    outputs: Vec<String>,
    threads: Option<i64>,
) -> Result<(Statistics, Bound<'py, PyDict>)> {
    by_dtype!(problem.dtype, T => forward_as::<T>(py, problem, &outputs, threads))
}

fn forward_as<'py, T: Kept>(
    py: Python<'py>,
    problem: &Problem,
    outputs: &[String],
    threads: Option<i64>,
) -> Result<(Statistics, Bound<'py, PyDict>)> {
    let set = output_set(outputs, None)?;
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let (statistics, evaluation, outputs) = py.detach(|| -> Result<_> {
        let problem = builder.build()?;
        let mut outputs = arrays(&problem, set, 0)?;
        let pass = |backend: &mut dyn SoftmaxBackend<T>| -> softmax::Result<(RowStatistics<T>, Evaluation)> {
            let passes = two_pass(backend)?;
            let statistics = passes.forward(&problem)?;
            let evaluation = passes.summarize(&problem, &statistics, &mut outputs.as_outputs())?;
            Ok((statistics, evaluation))
        };
        let (statistics, evaluation) = crew::run(&fused(threads), pass)??;
        Ok((statistics, evaluation, outputs))
    })?;
    Ok((Statistics(T::keep(statistics)), as_dict(py, &evaluation, outputs)?))
}

/// The second pass: of the outputs dW, dX and db, for these coefficients of the samples' losses.
#[pyfunction]
pub(crate) fn backward<'py>(
    py: Python<'py>,
    problem: &Problem,
    statistics: &Statistics,
    losses: &Bound<'py, PyAny>,
    outputs: Vec<String>,
    threads: Option<i64>,
) -> Result<Bound<'py, PyDict>> {
    by_dtype!(problem.dtype, T => backward_as::<T>(py, problem, statistics, losses, &outputs, threads))
}

fn backward_as<'py, T: Kept>(
    py: Python<'py>,
    problem: &Problem,
    Statistics(statistics): &Statistics,
    losses: &Bound<'py, PyAny>,
    outputs: &[String],
    threads: Option<i64>,
) -> Result<Bound<'py, PyDict>> {
    let set = output_set(outputs, None)?;
    let statistics = T::of(statistics).ok_or_else(|| {
        CallError::of_type("statistics", "those of the problem's element type", "another's")
    })?;
    let losses = vector::<T>("upstream", losses)?;
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let coefficients = losses.as_array();
    let outputs = py.detach(|| -> Result<_> {
        let problem = builder.build()?;
        let mut outputs = arrays(&problem, set, 0)?;
        let upstream = Upstream { losses: Some(coefficients), ..Upstream::default() };
        crew::run(&fused(threads), |backend: &mut dyn SoftmaxBackend<T>| {
            two_pass(backend)?.backward(&problem, statistics, &upstream, &mut outputs.as_outputs())
        })??;
        Ok(outputs)
    })?;
    put_outputs(PyDict::new(py), outputs)
}

fn fused(threads: Option<i64>) -> Ask<'static> {
    Ask { backend: "fused", threads, simd: None }
}

fn two_pass<T: crew::Number>(backend: &mut dyn SoftmaxBackend<T>) -> softmax::Result<&mut dyn TwoPass<T>> {
    backend.two_pass().ok_or(Error::Unsupported { backend: "fused".to_owned(), feature: Feature::TwoPasses })
}
