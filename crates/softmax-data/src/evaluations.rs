//! Evaluations and problems as `.npz` files, for exchange between programs.

use crate::dataset::Dataset;
use crate::elements::Admit;
use crate::error::Result;
use crate::named::NamedArrays;
use crate::npz::NpzFile;
use crate::output::{WriteSeek, write_atomically};
use crate::stores::TargetStore;
use ndarray::{Array, Array0, ArrayBase, Data, Dimension};
use ndarray_npy::{NpzWriter, WriteNpzError};
use softmax_core::{Dtype, Element, Evaluation, OutputKind, OwnedOutputs, ndarray};
use std::io;
use std::path::Path;

pub(crate) type Npz<'w> = NpzWriter<&'w mut dyn WriteSeek>;

/// Writes an evaluation, to a complete file or none: loss (0-d float64), and those of dW, dX, db, sample_loss, lse,
/// predicted (int64), entropy, label_log_prob, label_rank (int64), top_classes (int64) and top_log_prob that
/// `outputs` has.
///
/// # Errors
/// [`DataError::Io`](crate::DataError::Io) naming the file.
pub fn write_evaluation_npz<T: Element>(
    path: &Path,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
) -> Result<()> {
    write_npz(path, |npz| {
        npz.add_array("loss", &Array0::from_elem((), evaluation.loss))?;
        add(npz, OutputKind::WeightsGradient.symbol(), outputs.weights_gradient.as_ref())?;
        add(npz, OutputKind::FeaturesGradient.symbol(), outputs.features_gradient.as_ref())?;
        add(npz, OutputKind::BiasGradient.symbol(), outputs.bias_gradient.as_ref())?;
        add(npz, OutputKind::SampleLosses.symbol(), outputs.sample_losses.as_ref())?;
        add(npz, OutputKind::LogSumExp.symbol(), outputs.log_sum_exp.as_ref())?;
        add_counts(npz, OutputKind::Predicted.symbol(), outputs.predicted.as_ref())?;
        add(npz, OutputKind::Entropy.symbol(), outputs.entropy.as_ref())?;
        add(npz, OutputKind::LabelLogProb.symbol(), outputs.label_log_prob.as_ref())?;
        add_counts(npz, OutputKind::LabelRank.symbol(), outputs.label_rank.as_ref())?;
        add_counts(npz, OutputKind::TopClasses.symbol(), outputs.top_classes.as_ref())?;
        add(npz, OutputKind::TopLogProb.symbol(), outputs.top_log_prob.as_ref())
    })
}

/// Writes a data set in the form that [`read`](crate::read) reads, to a complete file or none: X, y (int64) or Y, and
/// those of W, b, class_weight and sample_weight that it has. All arrays except y are dense arrays of `T`.
///
/// # Errors
/// [`DataError::Io`](crate::DataError::Io) naming the file.
pub fn write_dataset_npz<T: Element>(path: &Path, dataset: &Dataset<T>) -> Result<()> {
    let weights = dataset.weights.as_ref().map(|w| w.view().to_dense());
    write_npz(path, |npz| {
        add(npz, "X", Some(&dataset.features.view().to_dense()))?;
        add(npz, "W", weights.as_ref())?;
        add(npz, "b", dataset.bias.as_ref())?;
        add(npz, "class_weight", dataset.class_weights.as_ref())?;
        add(npz, "sample_weight", dataset.sample_weights.as_ref())?;
        match &dataset.targets {
            TargetStore::Labels(labels) => npz.add_array("y", labels),
            TargetStore::Soft(soft) => add(npz, "Y", Some(soft)),
            TargetStore::None => Ok(()),
        }
    })
}

/// Reads the loss, dW and, if present, dX from a file that [`write_evaluation_npz`] or another program wrote.
///
/// # Errors
/// As [`read`](crate::read).
pub fn read_evaluation_npz<T: Element>(path: &Path) -> Result<(f64, OwnedOutputs<T>)> {
    let mut file = NpzFile::open(path)?;
    let loss: Array0<f64> = file.numbers("loss", Admit::Any)?;
    let outputs = OwnedOutputs {
        weights_gradient: Some(file.numbers("dW", Admit::Any)?),
        features_gradient: file.optional("dX", Admit::Any)?,
        ..OwnedOutputs::default()
    };
    Ok((loss.into_scalar(), outputs))
}

pub(crate) fn write_npz(
    path: &Path,
    fill: impl FnOnce(&mut Npz<'_>) -> Result<(), WriteNpzError>,
) -> Result<()> {
    write_atomically(path, |file| {
        let mut npz = NpzWriter::new(file);
        fill(&mut npz).map_err(io::Error::other)?;
        npz.finish().map_err(io::Error::other)?;
        Ok(())
    })
}

fn add_counts<D: Dimension>(
    npz: &mut Npz<'_>,
    name: &str,
    array: Option<&Array<usize, D>>,
) -> Result<(), WriteNpzError> {
    array.map_or(Ok(()), |array| npz.add_array(name, &array.mapv(|count| count as i64)))
}

pub(crate) fn add<T: Element, D: Dimension>(
    npz: &mut Npz<'_>,
    name: &str,
    array: Option<&ArrayBase<impl Data<Elem = T>, D>>,
) -> Result<(), WriteNpzError> {
    let Some(array) = array else { return Ok(()) };
    match T::DTYPE {
        Dtype::F32 => npz.add_array(name, &array.mapv(|x| x.widen() as f32)),
        Dtype::F64 => npz.add_array(name, &array.mapv(|x| x.widen())),
    }
}
