//! Where samples come from, for all commands that read them.

use crate::values::{self, parse_count};
use clap::Args;
use softmax_data::{Format, ReadOptions, Storage};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Samples: .npz, .npy, .csv, IDX (MNIST), CIFAR-10 batches, svmlight or .safetensors
    ///
    /// An .npz or .safetensors has X (N×D) and y (N) or Y (N×C), and optionally W (D×C), b, class_weight and
    /// sample_weight. A table, an IDX file or svmlight text may be gzipped.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// The format, where the file's name does not tell
    #[arg(long, value_parser = values::format(), value_name = "FORMAT", requires = "data")]
    pub(crate) data_format: Option<Format>,
    /// Labels, if they are in another file: .npy or IDX
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(crate) labels: Option<PathBuf>,
    /// A table's column of labels: its name, or its place from 0, or from the end if negative
    /// [default: one named label, class, target, y or species, else the last]
    #[arg(long, value_name = "COLUMN", requires = "data", allow_negative_numbers = true)]
    pub(crate) label_column: Option<String>,
    /// The first samples only
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) limit: Option<usize>,
    /// Whether f16 and bf16 of .npz, .npy and .safetensors stay what they are, for backends that take them
    #[arg(long, value_parser = values::storage(), default_value = "keep", requires = "data")]
    pub(crate) storage: Storage,
}

impl DataArgs {
    /// How the file is to be read.
    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions {
            format: self.data_format,
            labels: self.labels.clone(),
            label_column: self.label_column.clone(),
            limit: self.limit,
            storage: self.storage,
            unlabelled: None,
        }
    }
}
