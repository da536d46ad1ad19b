//! Writes predictions, as a table or as an `.npz` archive.

use crate::error::{DataError, Result};
use crate::evaluations::{add, write_npz};
use crate::output::write_atomically;
use csv::Writer;
use ndarray::{ArrayView1, ArrayView2};
use softmax_core::{Element, OutputKind, ndarray};
use std::io;
use std::path::Path;

/// A classifier's predictions for N samples.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a, T> {
    /// The class of each sample (N).
    pub predicted: ArrayView1<'a, usize>,
    /// The most probable classes (N×K).
    pub top_classes: Option<ArrayView2<'a, usize>>,
    /// Their log p (N×K).
    pub top_log_prob: Option<ArrayView2<'a, T>>,
    /// The probability of every class (N×C).
    pub probabilities: Option<ArrayView2<'a, T>>,
}

/// The name of the array of probabilities in an `.npz`.
const PROBABILITIES: &str = "probabilities";

/// Writes predictions, to a complete file or none. If the path ends in `.npz`, writes the arrays predicted (int64)
/// and, if present, top_classes (int64), top_log_prob and probabilities. Otherwise writes a CSV table with a row per
/// sample, which shows each class by its name in `names`.
///
/// # Errors
/// [`DataError::Io`] naming the file.
pub fn write_predictions<T: Element>(
    path: &Path,
    predictions: &Predictions<'_, T>,
    names: &[String],
) -> Result<()> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) {
        return write_npz(path, |npz| {
            npz.add_array(OutputKind::Predicted.symbol(), &predictions.predicted.mapv(|class| class as i64))?;
            if let Some(classes) = predictions.top_classes {
                npz.add_array(OutputKind::TopClasses.symbol(), &classes.mapv(|class| class as i64))?;
            }
            add(npz, OutputKind::TopLogProb.symbol(), predictions.top_log_prob.as_ref())?;
            add(npz, PROBABILITIES, predictions.probabilities.as_ref())
        });
    }
    let table = table(predictions, names).map_err(io::Error::other);
    let table = table.map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    write_atomically(path, |out| out.write_all(&table))
}

fn table<T: Element>(
    predictions: &Predictions<'_, T>,
    names: &[String],
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let top = predictions.top_classes.map_or(0, |classes| classes.ncols());
    let mut table = Writer::from_writer(Vec::new());
    let of_top = (1..=top).flat_map(|k| [format!("class_{k}"), format!("log_prob_{k}")]);
    let of_all =
        predictions.probabilities.iter().flat_map(|_| names.iter().map(|name| format!("prob_{name}")));
    table.write_record(["predicted".to_owned()].into_iter().chain(of_top).chain(of_all))?;
    for (i, &class) in predictions.predicted.iter().enumerate() {
        table.write_field(&names[class])?;
        if let (Some(classes), Some(log_prob)) = (predictions.top_classes, predictions.top_log_prob) {
            for (&class, log_prob) in classes.row(i).iter().zip(log_prob.row(i)) {
                table.write_field(&names[class])?;
                // + 0, so that −0 is written as 0.
                table.write_field((*log_prob + T::zero()).to_string())?;
            }
        }
        for p in predictions.probabilities.iter().flat_map(|all| all.row(i)) {
            table.write_field(p.to_string())?;
        }
        table.write_record(None::<&[u8]>)?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}
