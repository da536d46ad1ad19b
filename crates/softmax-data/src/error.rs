use crate::format::SUFFIXES;
use crate::shown::{printable, reason, shown};
use softmax_core::Dtype;
use std::fmt;
use std::path::{Path, PathBuf};

/// A result whose error is a [`DataError`].
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// What is wrong with a source or a target of data. `Display` is one line: the file, the place, what was
/// expected and what was found. Of what comes from a file it shows as much as a line has room for, and nothing that a terminal
/// would obey.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file could not be opened, read or written.
    #[error("{}: {source}", named(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The file as a whole is not what it should be.
    #[error("{}: expected {expected}, {}", named(path), reason(found))]
    File {
        /// The file.
        path: PathBuf,
        /// What the file should be.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },

    /// A part of it is not what it should be.
    #[error("{}: {place}: expected {expected}, found {}", printable(origin), shown(found))]
    Part {
        /// The file, or another origin of the data.
        origin: String,
        /// Which part.
        place: Place,
        /// What it should be.
        expected: String,
        /// What was found.
        found: String,
    },

    /// A number is past what the element type holds.
    #[error("{}: {place}: expected a finite number of {dtype}, found {found:e}", printable(origin))]
    Range {
        /// The file.
        origin: String,
        /// Where it is.
        place: Place,
        /// The element type.
        dtype: Dtype,
        /// The number.
        found: f64,
    },

    /// The folder that a file is to be written into is not there.
    #[error("{}: expected to write it into a folder, found no folder {}", named(path), named(folder))]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },

    /// A label is neither a class nor the ignored value.
    #[error("{}: y: expected classes from 0 to {}{}, found {label} at row {row}{}",
        printable(origin), classes.saturating_sub(1),
        ignored.map_or(String::new(), |y| format!(" or the ignored {y}")),
        if *from_one { "; labels seem to start at 1" } else { "" })]
    Label {
        /// The file, or another origin of the data.
        origin: String,
        /// The first row that has such a label, from 0.
        row: usize,
        /// The label.
        label: i128,
        /// How many classes there are.
        classes: usize,
        /// The label that is ignored, if there is one.
        ignored: Option<i64>,
        /// Whether the labels are 1 to C, as some programs count.
        from_one: bool,
    },

    /// The file's name does not tell its format, and no one else did.
    #[error("{}: expected a name that tells the format ({})", named(path), SUFFIXES)]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// The format has no labels of its own, and they are in no other file.
    #[error("{}: labels: expected them in another file, found none", printable(origin))]
    NoLabels {
        /// The file.
        origin: String,
        /// What a file beside it would have to be called to be taken for them, if there is such a name.
        beside: Option<String>,
    },

    /// A table has no column of the name or at the place that labels are requested from.
    #[error("{}: column of labels: expected one of {}, found {}",
        printable(origin), listed(*columns, names), shown(found))]
    LabelColumn {
        /// The file.
        origin: String,
        /// How many columns it has.
        columns: usize,
        /// Their names, if it has a header.
        names: Vec<String>,
        /// What was requested.
        found: String,
    },

    /// The data makes no problem.
    #[error("{}: {source}", printable(origin))]
    Problem {
        /// The file, or another origin of the data.
        origin: String,
        /// What is wrong.
        source: softmax_core::Error,
    },
}

/// Where in a file something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A named array, or a part that has a name.
    Field(String),
    /// A line, from 1.
    Line(u64),
    /// A line, from 1, and a column by its name or its place.
    Cell {
        /// The line.
        line: u64,
        /// The column.
        column: String,
    },
    /// A column by its name or its place.
    Column(String),
    /// The label of a record, from 0.
    RecordLabel(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Field(name) => f.write_str(&shown(name)),
            Place::Line(line) => write!(f, "line {line}"),
            Place::Cell { line, column } => write!(f, "line {line}, column {}", shown(column)),
            Place::Column(column) => write!(f, "column {}", shown(column)),
            Place::RecordLabel(record) => write!(f, "label of record {record}"),
        }
    }
}

fn named(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// How many columns, and their names if there are any.
fn listed(count: usize, names: &[String]) -> String {
    if names.is_empty() {
        format!("{count} columns")
    } else {
        format!("{count} columns: {}", shown(&names.join(", ")))
    }
}

impl DataError {
    /// The columns that a table has, where one of labels is not among them.
    pub fn columns(&self) -> Option<String> {
        match self {
            DataError::LabelColumn { columns, names, .. } => Some(listed(*columns, names)),
            _ => None,
        }
    }

    /// A part of `origin` that is not what it should be.
    pub(crate) fn part(
        origin: impl Into<String>,
        place: Place,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        DataError::Part { origin: origin.into(), place, expected: expected.into(), found: found.into() }
    }

    /// A named array of `origin` that is not what it should be.
    pub(crate) fn field(
        origin: impl Into<String>,
        name: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        DataError::part(origin, Place::Field(name.into()), expected, found)
    }
}
