//! NumPy arrays for the outputs of an evaluation. NumPy allocates them, because it requests large pages and leaves the
//! memory uninitialised: zeros would be written only to be overwritten.

use crate::crew;
use crate::error::{CallError, Result};
use numpy::{Ix1, Ix2, PyArray, PyArrayMethods, PyReadwriteArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax::ndarray::Dimension;
use softmax::{OutputKind, OutputSet, Outputs, Problem, UnknownName, Weights};

/// The set of outputs with these names. `top` adds the best classes and their log p; naming these without `top` is an
/// error.
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

/// Arrays of the problem's shapes, uninitialised until a backend writes to them.
pub(crate) struct Results<'py, T: crew::Computed> {
    py: Python<'py>,
    weights_gradient: Option<Array<'py, T, Ix2>>,
    features_gradient: Option<Array<'py, T, Ix2>>,
    bias_gradient: Option<Array<'py, T, Ix1>>,
    sample_losses: Option<Array<'py, T, Ix1>>,
    log_sum_exp: Option<Array<'py, T, Ix1>>,
    predicted: Option<Array<'py, usize, Ix1>>,
    entropy: Option<Array<'py, T, Ix1>>,
    label_log_prob: Option<Array<'py, T, Ix1>>,
    label_rank: Option<Array<'py, usize, Ix1>>,
    top_classes: Option<Array<'py, usize, Ix2>>,
    top_log_prob: Option<Array<'py, T, Ix2>>,
}

type Array<'py, A, D> = PyReadwriteArray<'py, A, D>;

impl<'py, T: crew::Computed> Results<'py, T> {
    /// Allocates arrays for the outputs in `set`, with `top` best classes. dW has contiguous columns if W has, such as
    /// the transpose of a PyTorch weight.
    pub(crate) fn new(py: Python<'py>, problem: &Problem<'_, T>, set: OutputSet, top: usize) -> Result<Self> {
        let (n, d, classes) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        if top > classes {
            return Err(softmax::Error::TopClasses { classes, found: top }.into());
        }
        let order = if has_contiguous_columns(&problem.weights()) { "F" } else { "C" };
        let of = Wanted { py, set };
        Ok(Results {
            py,
            weights_gradient: of.array(OutputKind::WeightsGradient, (d, classes), order)?,
            features_gradient: of.array(OutputKind::FeaturesGradient, (n, d), "C")?,
            bias_gradient: of.array(OutputKind::BiasGradient, (classes,), "C")?,
            sample_losses: of.array(OutputKind::SampleLosses, (n,), "C")?,
            log_sum_exp: of.array(OutputKind::LogSumExp, (n,), "C")?,
            predicted: of.array(OutputKind::Predicted, (n,), "C")?,
            entropy: of.array(OutputKind::Entropy, (n,), "C")?,
            label_log_prob: of.array(OutputKind::LabelLogProb, (n,), "C")?,
            label_rank: of.array(OutputKind::LabelRank, (n,), "C")?,
            top_classes: of.array(OutputKind::TopClasses, (n, top), "C")?,
            top_log_prob: of.array(OutputKind::TopLogProb, (n, top), "C")?,
        })
    }

    /// Views of the arrays for a backend.
    pub(crate) fn as_outputs(&mut self) -> Outputs<'_, T> {
        Outputs {
            weights_gradient: self.weights_gradient.as_mut().map(|a| a.as_array_mut()),
            features_gradient: self.features_gradient.as_mut().map(|a| a.as_array_mut()),
            bias_gradient: self.bias_gradient.as_mut().map(|a| a.as_array_mut()),
            sample_losses: self.sample_losses.as_mut().map(|a| a.as_array_mut()),
            log_sum_exp: self.log_sum_exp.as_mut().map(|a| a.as_array_mut()),
            predicted: self.predicted.as_mut().map(|a| a.as_array_mut()),
            entropy: self.entropy.as_mut().map(|a| a.as_array_mut()),
            label_log_prob: self.label_log_prob.as_mut().map(|a| a.as_array_mut()),
            label_rank: self.label_rank.as_mut().map(|a| a.as_array_mut()),
            top_classes: self.top_classes.as_mut().map(|a| a.as_array_mut()),
            top_log_prob: self.top_log_prob.as_mut().map(|a| a.as_array_mut()),
            accumulate: false,
        }
    }

    /// The arrays by their names. Classes and ranks are int64, the type of NumPy's indices.
    pub(crate) fn into_dict(self) -> Result<Bound<'py, PyDict>> {
        let arrays = [
            (OutputKind::WeightsGradient, self.weights_gradient.map(any)),
            (OutputKind::FeaturesGradient, self.features_gradient.map(any)),
            (OutputKind::BiasGradient, self.bias_gradient.map(any)),
            (OutputKind::SampleLosses, self.sample_losses.map(any)),
            (OutputKind::LogSumExp, self.log_sum_exp.map(any)),
            (OutputKind::Predicted, self.predicted.map(classes).transpose()?),
            (OutputKind::Entropy, self.entropy.map(any)),
            (OutputKind::LabelLogProb, self.label_log_prob.map(any)),
            (OutputKind::LabelRank, self.label_rank.map(classes).transpose()?),
            (OutputKind::TopClasses, self.top_classes.map(classes).transpose()?),
            (OutputKind::TopLogProb, self.top_log_prob.map(any)),
        ];
        let dict = PyDict::new(self.py);
        for (kind, array) in arrays {
            if let Some(array) = array {
                dict.set_item(kind.symbol(), array)?;
            }
        }
        Ok(dict)
    }
}

/// Allocates arrays for the outputs in `set`, and only for these.
struct Wanted<'py> {
    py: Python<'py>,
    set: OutputSet,
}

impl<'py> Wanted<'py> {
    fn array<A: numpy::Element, D: Dimension>(
        &self,
        kind: OutputKind,
        shape: impl IntoPyObject<'py>,
        order: &str,
    ) -> Result<Option<Array<'py, A, D>>> {
        if !self.set.contains(kind) {
            return Ok(None);
        }
        let empty = self.py.import("numpy")?.getattr("empty")?;
        let array = empty.call1((shape, numpy::dtype::<A>(self.py), order))?;
        let array = array.cast_into::<PyArray<A, D>>().map_err(PyErr::from)?;
        Ok(Some(array.readwrite()))
    }
}

fn has_contiguous_columns<T: crew::Computed>(weights: &Weights<'_, T>) -> bool {
    let strides = match weights {
        Weights::Dense(w) => w.strides(),
        Weights::F16(w) => w.strides(),
        Weights::Bf16(w) => w.strides(),
    };
    strides[0].abs() == 1 && strides[1].abs() != 1
}

fn any<'py, A: numpy::Element, D: Dimension>(array: Array<'py, A, D>) -> Bound<'py, PyAny> {
    let array: &Bound<'py, PyArray<A, D>> = &array;
    array.clone().into_any()
}

fn classes<'py, D: Dimension>(array: Array<'py, usize, D>) -> PyResult<Bound<'py, PyAny>> {
    any(array).call_method1("view", ("int64",))
}
