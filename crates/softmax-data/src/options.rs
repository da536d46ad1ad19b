use crate::format::Format;
use crate::layout::FeatureLayout;
use crate::storage::Storage;
use std::path::PathBuf;

/// Options for reading a file.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The format. `None`: the file's name decides.
    pub format: Option<Format>,
    /// The file of the labels, `.npy` or IDX, if they are in another file.
    pub labels: Option<PathBuf>,
    /// A table's label column: its name, or its index from 0, or from the end if negative.
    pub label_column: Option<String>,
    /// Columns of a table that are no features: names, or indices as for the label column.
    pub drop_columns: Vec<String>,
    /// Whether the first line of a table is a header, whatever it holds. Otherwise it is one if no field is a number.
    pub has_header: bool,
    /// The layout of another file with the same features, such as the one that a model was trained on. A table with a
    /// header is then read by the names of its columns, and svmlight text with the same first index.
    pub layout: Option<FeatureLayout>,
    /// The label of samples that are ignored. If it is −1, 0 or 1, labels of −1 and 1 are not turned into classes.
    pub ignore_index: Option<i64>,
    /// Read at most this many samples, from the first.
    pub limit: Option<usize>,
    /// For samples that are to be classified, the number of features. Some labels, or all, may then be missing, and a
    /// table with exactly this many columns has no label column.
    pub unlabelled: Option<usize>,
    /// Whether half-precision numbers keep their type.
    pub storage: Storage,
}
