//! Two passes, for gradients whose coefficients are known only after the losses, as with PyTorch's reduction `none`.

use crate::array::vector;
use crate::crew::{self, Ask, Whole};
use crate::error::{CallError, Result};
use crate::evaluation::put_evaluation;
use crate::problem::{Problem, by_dtype};
use crate::results::{Results, output_set};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax::{Error, Evaluation, Feature, RowStatistics, SoftmaxBackend, TwoPass, Upstream};

/// Statistics of each row, from the first pass for the second.
#[pyclass(frozen, module = "softmax_fused._core")]
pub(crate) struct Statistics(AnyStatistics);

enum AnyStatistics {
    F32(RowStatistics<f32>),
    F64(RowStatistics<f64>),
}

/// An element type of [`AnyStatistics`].
trait Kept: crew::Computed {
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

/// The first pass. Returns its statistics and a dict as from `evaluate`, whose outputs may be sample losses, lse,
/// predicted classes and entropies.
#[pyfunction]
pub(crate) fn forward<'py>(
    py: Python<'py>,
    problem: &Problem,
    outputs: Vec<String>,
    threads: Option<Whole>,
    memory: Option<Whole>,
) -> Result<(Statistics, Bound<'py, PyDict>)> {
    by_dtype!(problem.dtype, T => forward_as::<T>(py, problem, &outputs, fused(threads, memory)))
}

fn forward_as<'py, T: Kept>(
    py: Python<'py>,
    problem: &Problem,
    outputs: &[String],
    ask: Ask<'_>,
) -> Result<(Statistics, Bound<'py, PyDict>)> {
    let set = output_set(outputs, None)?;
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let problem = py.detach(|| builder.build()).map_err(|error| read.of_caller(error))?;
    let mut results = Results::new(py, &problem, set, 0)?;
    let mut outputs = results.as_outputs();
    let pass = |backend: &mut dyn SoftmaxBackend<T>| -> softmax::Result<(RowStatistics<T>, Evaluation)> {
        let passes = two_pass(backend)?;
        let statistics = passes.forward(&problem)?;
        let evaluation = passes.summarize(&problem, &statistics, &mut outputs)?;
        Ok((statistics, evaluation))
    };
    let (statistics, evaluation) = py.detach(|| crew::run(&ask, pass))??;
    let dict = results.into_dict()?;
    put_evaluation(&dict, &evaluation)?;
    Ok((Statistics(T::keep(statistics)), dict))
}

/// The second pass. Returns the named gradients, out of dW, dX and db, for `losses`: one coefficient per sample's loss.
#[pyfunction]
pub(crate) fn backward<'py>(
    py: Python<'py>,
    problem: &Problem,
    statistics: &Statistics,
    losses: &Bound<'py, PyAny>,
    outputs: Vec<String>,
    threads: Option<Whole>,
    memory: Option<Whole>,
) -> Result<Bound<'py, PyDict>> {
    by_dtype!(problem.dtype, T => backward_as::<T>(py, problem, statistics, losses, &outputs, fused(threads, memory)))
}

fn backward_as<'py, T: Kept>(
    py: Python<'py>,
    problem: &Problem,
    Statistics(statistics): &Statistics,
    losses: &Bound<'py, PyAny>,
    outputs: &[String],
    ask: Ask<'_>,
) -> Result<Bound<'py, PyDict>> {
    let set = output_set(outputs, None)?;
    let statistics = T::of(statistics).ok_or_else(|| {
        CallError::of_type("statistics", "statistics of the problem's element type", "those of another type")
    })?;
    let losses = vector::<T>("upstream", losses)?;
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let problem = py.detach(|| builder.build()).map_err(|error| read.of_caller(error))?;
    let mut results = Results::new(py, &problem, set, 0)?;
    let mut outputs = results.as_outputs();
    let upstream = Upstream { losses: Some(losses.as_array()), ..Upstream::default() };
    py.detach(|| {
        crew::run(&ask, |backend: &mut dyn SoftmaxBackend<T>| {
            two_pass(backend)?.backward(&problem, statistics, &upstream, &mut outputs)
        })
    })??;
    results.into_dict()
}

fn fused(threads: Option<Whole>, memory: Option<Whole>) -> Ask<'static> {
    Ask { backend: "fused", threads, simd: None, memory }
}

fn two_pass<T: crew::Computed>(backend: &mut dyn SoftmaxBackend<T>) -> softmax::Result<&mut dyn TwoPass<T>> {
    backend.two_pass().ok_or(Error::Unsupported { backend: "fused".to_owned(), feature: Feature::TwoPasses })
}
