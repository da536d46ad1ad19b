use crate::solver::Solver;
use softmax_data::DataError;
use std::path::PathBuf;

/// What keeps a model from being fitted, used or read.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A backend's error, or one of the problem.
    #[error(transparent)]
    Loss(#[from] softmax::Error),
    /// Data that does not fit together, or a file that is not read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Without samples that count there is nothing to minimise.
    #[error("{whose}: expected samples whose weights sum to a number above 0, found {found}")]
    NoWeight {
        /// Where the data came from.
        whose: String,
        /// Ω.
        found: f64,
    },
    /// Loss or gradient are no numbers where the solver starts.
    #[error(
        "{whose}: expected features whose loss and gradient are finite, found a loss of {loss} and a gradient of {gradient}"
    )]
    NotFinite {
        /// Where the data came from.
        whose: String,
        /// The loss.
        loss: f64,
        /// The largest |entry| of the gradient.
        gradient: f64,
    },
    /// A solver that cannot minimise this, or not by this backend.
    #[error("{solver}: expected {expected}, found {found}")]
    Solver {
        /// The solver.
        solver: Solver,
        /// What it needs.
        expected: &'static str,
        /// What there is.
        found: String,
    },
    /// Data with other features than the model has.
    #[error("{whose}: expected {expected} features, as the model has, found {found}")]
    Features {
        /// Where the data came from.
        whose: String,
        /// D of the model.
        expected: usize,
        /// D of the data.
        found: usize,
    },
    /// A sample whose scores are no numbers of the element type.
    #[error(
        "{whose}: expected features and a model whose scores are finite in {dtype}, found others for sample {sample}"
    )]
    Scores {
        /// Where the data came from.
        whose: String,
        /// The element type.
        dtype: softmax::Dtype,
        /// The first such sample.
        sample: usize,
    },
    /// Data with a class that the model does not have.
    #[error("{whose}: expected one of the model's classes as a label, found {found}")]
    Class {
        /// Where the data came from.
        whose: String,
        /// The class.
        found: String,
    },
    /// A file that holds no model.
    #[error("{}: expected a model as softmax fit writes it, {found}", path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
}

/// The result of what can go wrong.
pub type Result<T, E = FitError> = std::result::Result<T, E>;
