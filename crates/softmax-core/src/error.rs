use crate::parts::{ArrayName, AxisName, OptionName};
use crate::support::Feature;
use std::error::Error as StdError;
use std::ops::Range;

/// A result whose error is the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names the argument, the position and what was expected. `Display` is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The length of an array's axis does not agree with the other arrays.
    #[error("{array}: expected {expected} {axis}, found {found}")]
    Shape {
        /// The array.
        array: ArrayName,
        /// The axis, by what it counts.
        axis: AxisName,
        /// The length that the other arrays require.
        expected: usize,
        /// The length of the array's axis.
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

    /// A shard, or its statistics, covers the wrong classes.
    #[error("classes: expected {} up to {}, found {} up to {}", expected.start, expected.end, found.start, found.end)]
    Classes {
        /// The classes that are required, or that exist.
        expected: Range<usize>,
        /// The classes that the shard covers.
        found: Range<usize>,
    },

    /// There must be at least one class.
    #[error("weights: expected at least 1 class, found 0")]
    NoClasses,

    /// A label that is neither a class nor the ignored value.
    #[error("labels: expected a class below {classes}{}, found {label} at sample {sample}",
        ignore_index.map_or(String::new(), |i| format!(" or the ignored value {i}")))]
    Label {
        /// The first sample with such a label.
        sample: usize,
        /// The label of that sample.
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
        /// The index of the entry, one number per axis.
        index: Vec<usize>,
        /// What the entry must be.
        expected: &'static str,
        /// The value of the entry.
        found: f64,
    },

    /// An option of the objective that is out of its range.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// The option.
        option: OptionName,
        /// What the option must be.
        expected: &'static str,
        /// The value of the option.
        found: f64,
    },

    /// The backend does not support a feature. [`Backend::supports`](crate::Backend::supports) tells in advance.
    #[error("backend {backend} does not support {feature}")]
    Unsupported {
        /// The backend's name.
        backend: String,
        /// The unsupported feature.
        feature: Feature,
    },

    /// The backend cannot continue, and a new instance could not either. For example, its process does not start.
    #[error("backend {backend} cannot continue: {message}")]
    Gone {
        /// The backend's name.
        backend: String,
        /// A description of the failure, in one line.
        message: String,
    },

    /// A failure of the backend itself.
    #[error("backend {backend} failed: {message}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// A description of the failure, in one line.
        message: String,
        /// The underlying error, if there is one.
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}
