//! The options for reading samples, shared by all commands that read them.

use crate::values::{self, parse_count};
use clap::Args;
use softmax_data::{Format, ReadOptions, Storage};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Samples: .npz, .npy, .csv, IDX (MNIST), CIFAR-10 batches, svmlight or .safetensors
    ///
    /// An .npz or .safetensors has X (N×D) and y (N) or Y (N×C), and optionally W (D×C), b, class_weight and
    /// sample_weight. Text, IDX and CIFAR-10 files may be gzipped.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Format of the file, if its name does not show it
    #[arg(long, value_parser = values::format(), value_name = "FORMAT", requires = "data")]
    pub(crate) data_format: Option<Format>,
    /// File of the labels, if separate: .npy or IDX
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(crate) labels: Option<PathBuf>,
    /// Column of the labels in a table: a name, or a position from 0, negative from the end
    /// [default: one named label, class, target, y or species, else the last]
    #[arg(long, value_name = "COLUMN", requires = "data", allow_negative_numbers = true)]
    pub(crate) label_column: Option<String>,
    /// Columns of a table that are no features, such as an ID: names or positions, separated by commas
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        requires = "data",
        allow_hyphen_values = true
    )]
    pub(crate) drop_columns: Vec<String>,
    /// Take the first line of a table as a header, also if a field of it is a number
    #[arg(long, requires = "data")]
    pub(crate) header: bool,
    /// Use the first N samples
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) limit: Option<usize>,
    /// Keep f16 and bf16 as stored for backends that support them, or widen them
    #[arg(long, value_parser = values::storage(), default_value = "keep", requires = "data")]
    pub(crate) storage: Storage,
}

impl DataArgs {
    /// A given flag that only tables have a use for.
    pub(crate) fn table_flag(&self) -> Option<&'static str> {
        let given = [
            (self.label_column.is_some(), "--label-column"),
            (!self.drop_columns.is_empty(), "--drop-columns"),
            (self.header, "--header"),
        ];
        given.into_iter().find_map(|(is_given, flag)| is_given.then_some(flag))
    }

    /// The options for reading the file.
    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions {
            format: self.data_format,
            labels: self.labels.clone(),
            label_column: self.label_column.clone(),
            drop_columns: self.drop_columns.clone(),
            has_header: self.header,
            limit: self.limit,
            storage: self.storage,
            ..ReadOptions::default()
        }
    }
}
