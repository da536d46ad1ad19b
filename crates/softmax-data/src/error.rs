use crate::format::SUFFIXES;
use std::fmt;
use std::path::PathBuf;

/// A result whose error is a [`DataError`].
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// What is wrong with a source or a target of data. `Display` is one line: the file, the place, what was
/// expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The file as a whole is not what it should be.
    #[error("{}: expected {expected}, {found}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file should be.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },

    /// A part of it is not what it should be.
    #[error("{origin}: {place}: expected {expected}, found {found}")]
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

    /// A label is neither a class nor the ignored value.
    #[error("{origin}: y: expected classes from 0 to {}{}, found {label} at row {row}{}", classes.saturating_sub(1),
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
    #[error("{}: expected a name that tells the format ({})", path.display(), SUFFIXES)]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// The format has no labels of its own, and they are in no other file.
    #[error("{origin}: labels: expected them in another file, found none")]
    NoLabels {
        /// The file.
        origin: String,
        /// What a file beside it would have to be called to be taken for them, if there is such a name.
        beside: Option<String>,
    },

    /// A table has no column of the name or at the place that labels are asked for from.
    #[error("{origin}: column of labels: expected one of {columns} columns{}, found {found}", listed(names))]
    LabelColumn {
        /// The file.
        origin: String,
        /// How many columns it has.
        columns: usize,
        /// Their names, if it has a header.
        names: Vec<String>,
        /// What was asked for.
        found: String,
    },

    /// The data makes no problem.
    #[error("{origin}: {source}")]
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
            Place::Field(name) => f.write_str(name),
            Place::Line(line) => write!(f, "line {line}"),
            Place::Cell { line, column } => write!(f, "line {line}, column {column}"),
            Place::Column(column) => write!(f, "column {column}"),
            Place::RecordLabel(record) => write!(f, "label of record {record}"),
        }
    }
}

/// The names of columns, if there are any.
fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

impl DataError {
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
