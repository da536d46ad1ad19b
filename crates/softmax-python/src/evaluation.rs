//! Evaluations: what is asked for, and what comes back.

use crate::crew::{self, Ask};
use crate::error::{CallError, Result};
use crate::problem::{Problem, by_dtype};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax::ndarray::{Array, Array2, Dimension, ShapeBuilder};
use softmax::{Evaluation, OutputKind, OutputSet, OwnedOutputs, UnknownName, Weights};

/// Loss, total weight, count of right predictions, and of the outputs those that are named.
#[pyfunction]
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    problem: &Problem,
    outputs: Vec<String>,
    top: Option<i64>,
    backend: &str,
    threads: Option<i64>,
    simd: Option<&str>,
) -> Result<Bound<'py, PyDict>> {
    let refuse = |found| CallError::value("top", "a number from 0 to C", found);
    let top = top.map(|top| usize::try_from(top).map_err(|_| refuse(top))).transpose()?;
    let (set, ask) = (output_set(&outputs, top)?, Ask { backend, threads, simd });
    by_dtype!(problem.dtype, T => evaluate_as::<T>(py, problem, set, top, &ask))
}

fn evaluate_as<'py, T: crew::Number>(
    py: Python<'py>,
    problem: &Problem,
    set: OutputSet,
    top: Option<usize>,
    ask: &Ask<'_>,
) -> Result<Bound<'py, PyDict>> {
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let (evaluation, outputs) = py.detach(|| -> Result<_> {
        let problem = builder.build()?;
        let mut outputs = arrays(&problem, set, top.unwrap_or(0))?;
        let evaluation = crew::run(ask, |backend| backend.evaluate(&problem, &mut outputs.as_outputs()))??;
        Ok((evaluation, outputs))
    })?;
    as_dict(py, &evaluation, outputs)
}

/// The outputs of these names. A number of best classes asks for them; without it they cannot be named.
pub(crate) fn output_set(names: &[String], top: Option<usize>) -> Result<OutputSet> {
    let of_top = [OutputKind::TopClasses, OutputKind::TopLogProb];
    let named: OutputSet = names.iter().map(|name| output_kind(name)).collect::<Result<_, UnknownName>>()?;
    match top {
        Some(_) => Ok(of_top.into_iter().fold(named, OutputSet::with)),
        None if of_top.into_iter().any(|kind| named.contains(kind)) => {
            Err(CallError::value("top", "the number of best classes", "None"))
        }
        None => Ok(named),
    }
}

fn output_kind(symbol: &str) -> Result<OutputKind, UnknownName> {
    let found = OutputKind::ALL.iter().copied().find(|kind| kind.symbol() == symbol);
    found.ok_or_else(|| UnknownName {
        kind: "outputs",
        expected: OutputKind::ALL.iter().map(|kind| kind.symbol()).collect(),
        found: symbol.to_owned(),
    })
}

/// Arrays for the outputs. dW has its columns contiguous where W has, as the transpose of PyTorch's weight does.
pub(crate) fn arrays<T: crew::Number>(
    problem: &softmax::Problem<'_, T>,
    set: OutputSet,
    top: usize,
) -> Result<OwnedOutputs<T>> {
    let classes = problem.n_classes();
    if top > classes {
        return Err(softmax::Error::TopClasses { classes, found: top }.into());
    }
    let mut outputs = OwnedOutputs::zeros_with_top(problem, set, top);
    if let Some(dw) = outputs.weights_gradient.as_mut().filter(|_| has_contiguous_columns(&problem.weights()))
    {
        *dw = Array2::zeros(dw.dim().f());
    }
    Ok(outputs)
}

fn has_contiguous_columns<T: crew::Number>(weights: &Weights<'_, T>) -> bool {
    let strides = match weights {
        Weights::Dense(w) => w.strides(),
        Weights::F16(w) => w.strides(),
        Weights::Bf16(w) => w.strides(),
    };
    strides[0].abs() == 1 && strides[1].abs() != 1
}

/// An evaluation and its outputs by their names.
pub(crate) fn as_dict<'py, T: crew::Number>(
    py: Python<'py>,
    evaluation: &Evaluation,
    outputs: OwnedOutputs<T>,
) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("loss", evaluation.loss)?;
    dict.set_item("total_weight", evaluation.total_weight)?;
    dict.set_item("correct", evaluation.correct)?;
    put_outputs(dict, outputs)
}

pub(crate) fn put_outputs<'py, T: crew::Number>(
    dict: Bound<'py, PyDict>,
    outputs: OwnedOutputs<T>,
) -> Result<Bound<'py, PyDict>> {
    let py = dict.py();
    let arrays = [
        (OutputKind::WeightsGradient, numbers(py, outputs.weights_gradient)),
        (OutputKind::FeaturesGradient, numbers(py, outputs.features_gradient)),
        (OutputKind::BiasGradient, numbers(py, outputs.bias_gradient)),
        (OutputKind::SampleLosses, numbers(py, outputs.sample_losses)),
        (OutputKind::LogSumExp, numbers(py, outputs.log_sum_exp)),
        (OutputKind::Predicted, classes(py, outputs.predicted)),
        (OutputKind::Entropy, numbers(py, outputs.entropy)),
        (OutputKind::LabelLogProb, numbers(py, outputs.label_log_prob)),
        (OutputKind::LabelRank, classes(py, outputs.label_rank)),
        (OutputKind::TopClasses, classes(py, outputs.top_classes)),
        (OutputKind::TopLogProb, numbers(py, outputs.top_log_prob)),
    ];
    for (kind, array) in arrays {
        if let Some(array) = array {
            dict.set_item(kind.symbol(), array)?;
        }
    }
    Ok(dict)
}

fn numbers<'py, A: numpy::Element, D: Dimension>(
    py: Python<'py>,
    array: Option<Array<A, D>>,
) -> Option<Bound<'py, PyAny>> {
    array.map(|array| array.into_pyarray(py).into_any())
}

/// As NumPy's own indices, int64: each is below C.
fn classes<D: Dimension>(py: Python<'_>, array: Option<Array<usize, D>>) -> Option<Bound<'_, PyAny>> {
    numbers(py, array.map(|array| array.mapv(|class| class as i64)))
}
