use crate::format::Format;
use crate::storage::Storage;
use std::path::PathBuf;

/// How a file is to be read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The format, where the file's name does not tell.
    pub format: Option<Format>,
    /// Where the labels are, if they are in another file: `.npy`, or IDX.
    pub labels: Option<PathBuf>,
    /// A table's column of labels: its name, or its place from 0, or from the end if negative.
    pub label_column: Option<String>,
    /// The first so many samples.
    pub limit: Option<usize>,
    /// Of samples that are to be classified, the number of their features: labels may then be missing, and a table with so many
    /// columns has none.
    pub unlabelled: Option<usize>,
    /// Whether numbers of half precision stay what they are.
    pub storage: Storage,
}
