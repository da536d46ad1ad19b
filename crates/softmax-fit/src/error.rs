use crate::solver::Solver;
use softmax_data::DataError;
use std::path::PathBuf;

/// An error in fitting, using, reading or writing a model.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// An error of the backend or of the problem.
    #[error(transparent)]
    Loss(#[from] softmax::Error),
    /// The data is inconsistent, or a file cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Ω is not a positive finite number, for example because no sample counts.
    #[error("{whose}: expected samples whose weights sum to a number above 0, found {found}")]
    NoWeight {
        /// Where the data came from.
        whose: String,
        /// Ω.
        found: f64,
    },
    /// The loss or the gradient is not finite at the solver's start.
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
    /// The solver cannot minimise this problem, or not with this backend.
    #[error("{solver}: expected {expected}, found {found}")]
    Solver {
        /// The solver.
        solver: Solver,
        /// What the solver needs.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// The data has another number of features than the model.
    #[error("{whose}: expected {expected} features, as the model has, found {found}")]
    Features {
        /// Where the data came from.
        whose: String,
        /// D of the model.
        expected: usize,
        /// D of the data.
        found: usize,
    },
    /// A sample's scores are not finite in the element type.
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
    /// A file is not a model.
    #[error("{}: expected a model as softmax fit writes it, {found}", path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
}

/// A result whose error is a [`FitError`].
pub type Result<T, E = FitError> = std::result::Result<T, E>;
