use crate::format::Format;
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
    /// Read at most this many samples, from the first.
    pub limit: Option<usize>,
    /// For samples that are to be classified, the number of features. Labels may then be missing, and a table with
    /// exactly this many columns has no label column.
    pub unlabelled: Option<usize>,
    /// Whether half-precision numbers keep their type.
    pub storage: Storage,
}
