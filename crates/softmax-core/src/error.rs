use crate::parts::{ArrayName, AxisName, OptionName};
use crate::support::Feature;
use std::error::Error as StdError;
use std::ops::Range;

/// A result whose error is the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, with its place and what was expected. `Display` is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array's length along an axis does not agree with the other arrays.
    #[error("{array}: expected {expected} {axis}, found {found}")]
    Shape {
        /// The array.
        array: ArrayName,
        /// What its axis counts.
        axis: AxisName,
        /// The length that the other arrays require.
        expected: usize,
        /// Its length.
        found: usize,
    },

    /// More best classes are requested than there are classes.
    #[error("top classes: expected at most {classes}, the number of classes, found {found}")]
    TopClasses {
        /// The number of classes C.
        classes: usize,
        /// The number requested.
        found: usize,
    },

    /// The wrong shard of the classes, or its statistics.
    #[error("classes: expected {} up to {}, found {} up to {}", expected.start, expected.end, found.start, found.end)]
    Classes {
        /// The required or existing classes.
        expected: Range<usize>,
        /// The classes of the shard.
        found: Range<usize>,
    },

    /// There must be at least one class.
    #[error("weights: expected at least 1 class, found 0")]
    NoClasses,

    /// A label that is neither a class nor the ignored value.
    #[error("labels: expected a class below {classes}{}, found {label} at sample {sample}",
        ignore_index.map_or(String::new(), |i| format!(" or the ignored value {i}")))]
    Label {
        /// The first sample that has such a label.
        sample: usize,
        /// Its label.
        label: i128,
        /// The number of classes C.
        classes: usize,
        /// The ignored value, if there is one.
        ignore_index: Option<i64>,
    },

    /// Three slices that do not form a matrix in compressed sparse rows.
    #[error("CSR features: expected {expected}, found {found} at row {row}")]
    Csr {
        /// The first wrong row.
        row: usize,
        /// What is expected.
        expected: &'static str,
        /// The row pointer, the column or the length that is wrong.
        found: usize,
    },

    /// An entry that the formula does not allow, such as a NaN among the sample weights.
    #[error("{array}: expected {expected}, found {found} at index {index:?}")]
    Value {
        /// The array: class weights, sample weights or soft targets.
        array: ArrayName,
        /// One index per axis.
        index: Vec<usize>,
        /// What the entry must be.
        expected: &'static str,
        /// The entry.
        found: f64,
    },

    /// An option of the objective that is out of its range.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// Which option.
        option: OptionName,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },

    /// The backend does not support this; [`Backend::supports`](crate::Backend::supports) tells beforehand.
    #[error("backend {backend} does not support {feature}")]
    Unsupported {
        /// The backend's name.
        backend: String,
        /// The unsupported feature.
        feature: Feature,
    },

    /// The backend cannot continue, and a new instance could not either, such as a process that does not start.
    #[error("backend {backend} is gone: {message}")]
    Gone {
        /// The backend's name.
        backend: String,
        /// One line on what happened.
        message: String,
    },

    /// A failure of the backend itself.
    #[error("backend {backend} failed: {message}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// One line on what happened.
        message: String,
        /// The underlying error, if there is one.
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}
