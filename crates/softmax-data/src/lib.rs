//! Reads problems from files and writes results to files: readers of `.npz`, `.npy`, CSV, IDX, CIFAR-10, svmlight and
//! safetensors, writers of `.npz` and CSV, the embedded digits, and a seeded generator of random problems. This crate
//! evaluates no losses.
//!
//! A reader returns a [`Dataset`], which keeps the file's element type and layout and is validated as it is read.
//! [`Dataset::prepare`] standardises the features. A data set with weights makes a [`Problem`](softmax_core::Problem).
//!
//! ```
//! use softmax_core::Objective;
//! use softmax_data::digits;
//!
//! let digits = digits::<f32>().with_weights(0, None)?;
//! let problem = digits.problem(Objective::default())?;
//! assert_eq!((problem.n_samples(), problem.n_features(), problem.n_classes()), (1797, 64, 10));
//! # Ok::<(), softmax_data::DataError>(())
//! ```

#![deny(unsafe_code)]

mod array;
mod cifar;
mod columns;
mod csv;
mod dataset;
mod digits;
mod elements;
mod error;
mod evaluations;
mod format;
mod idx;
mod labels;
mod layout;
mod mapped;
mod named;
mod npy;
mod npz;
mod options;
mod output;
mod paths;
mod predictions;
mod random;
mod read;
mod safetensors;
mod scipy;
mod shown;
mod source;
mod standardization;
mod storage;
mod stores;
mod svmlight;
mod synthetic;
mod unfinished;
mod watched;

pub use columns::LABEL_NAMES;
pub use dataset::{Dataset, Preparation};
pub use digits::digits;
pub use error::{ColumnRole, DataError, NumberFault, Place, Result};
pub use evaluations::{read_evaluation_npz, write_dataset_npz, write_evaluation_npz};
pub use format::Format;
pub use labels::{MISSING_LABEL, may_mean_missing};
pub use layout::FeatureLayout;
pub use mapped::MappedMatrix;
pub use npz::float_type_of_npz;
pub use options::ReadOptions;
pub use output::{WriteSeek, check_destination, write_atomically};
pub use paths::is_same_file;
pub use predictions::{Predictions, write_predictions};
pub use random::random_weights;
pub use read::{files, read, read_weights};
pub use shown::{printable, shown};
pub use standardization::Standardization;
pub use storage::Storage;
pub use stores::{FeatureStore, TargetStore, WeightStore};
pub use synthetic::synthetic;
pub use unfinished::discard_unfinished;
