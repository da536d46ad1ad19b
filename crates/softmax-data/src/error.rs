use crate::format::SUFFIXES;
use crate::shown::{printable, reason, shown};
use softmax_core::Dtype;
use std::fmt;
use std::path::{Path, PathBuf};

/// A result whose error is a [`DataError`].
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// An error in reading or writing data. `Display` is one line: the file, the place, what was expected and what was
/// found. Text from files is shortened, and its control characters are escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file could not be opened, read or written.
    #[error("{}: {source}", named(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },

    /// The file as a whole is invalid.
    #[error("{}: expected {expected}, {}", named(path), reason(found))]
    File {
        /// The file.
        path: PathBuf,
        /// What the file should be.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },

    /// A part of the file is invalid.
    #[error("{}: {place}: expected {expected}, found {}", printable(origin), shown(found))]
    Part {
        /// The file, or another origin of the data.
        origin: String,
        /// The part.
        place: Place,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },

    /// A number overflows the element type.
    #[error("{}: {place}: expected a finite number of {dtype}, found {found:e}", printable(origin))]
    Range {
        /// The file.
        origin: String,
        /// The place of the number.
        place: Place,
        /// The element type.
        dtype: Dtype,
        /// The number.
        found: f64,
    },

    /// The folder that a file would be written into does not exist.
    #[error("{}: expected an existing folder, found no folder {}", named(path), named(folder))]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },

    /// A label is neither a class nor the ignored label.
    #[error("{}: y: expected classes from 0 to {}{}, found {label} at row {row}{}",
        printable(origin), classes.saturating_sub(1),
        ignored.map_or(String::new(), |y| format!(" or the ignored {y}")),
        if *from_one { "; labels seem to start at 1" } else { "" })]
    Label {
        /// The file, or another origin of the data.
        origin: String,
        /// The first row with such a label, from 0.
        row: usize,
        /// The label.
        label: i128,
        /// The number of classes.
        classes: usize,
        /// The ignored label, if any.
        ignored: Option<i64>,
        /// Whether the labels run from 1 to C instead of 0 to C − 1.
        from_one: bool,
    },

    /// The file's name does not determine its format, and none was requested.
    #[error("{}: expected a name that tells the format ({})", named(path), SUFFIXES)]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// The file has no labels, and no file of labels was given or found.
    #[error("{}: labels: expected them in another file, found none", printable(origin))]
    NoLabels {
        /// The file.
        origin: String,
        /// The part of a file's name by which labels in the same folder are found, if the format has one.
        beside: Option<String>,
    },

    /// A table lacks a column that the options ask for.
    #[error("{}: {role}: expected one of {}, found {}", printable(origin), listed(*columns, names), shown(asked))]
    Column {
        /// The file.
        origin: String,
        /// What the column is asked for.
        role: ColumnRole,
        /// The number of columns.
        columns: usize,
        /// The columns' names, if there is a header.
        names: Vec<String>,
        /// The column that was asked for.
        asked: String,
    },

    /// The label column of a table is among those to drop.
    #[error("{}: expected a label column that is not dropped, found {}", printable(origin), shown(column))]
    DroppedLabel {
        /// The file.
        origin: String,
        /// The column.
        column: String,
    },

    /// The label column that is asked for is a feature of the layout.
    #[error(
        "{}: column of labels: expected one that is no feature, found {}",
        printable(origin),
        shown(column)
    )]
    LabelIsFeature {
        /// The file.
        origin: String,
        /// The column.
        column: String,
    },

    /// A column to drop is a feature of the layout.
    #[error(
        "{}: columns to drop: expected none of the layout's features, found {}",
        printable(origin),
        shown(column)
    )]
    DroppedFeature {
        /// The file.
        origin: String,
        /// The column.
        column: String,
    },

    /// A table's labels are neither all integers nor all names.
    #[error("{}: {place}: expected {expected}, found {}", printable(origin), shown(found))]
    MixedLabels {
        /// The file.
        origin: String,
        /// The place of the first label that differs from those before it.
        place: Place,
        /// What the labels before it are.
        expected: &'static str,
        /// The label.
        found: String,
        /// Whether the first label is in the first line of the file.
        is_from_first_line: bool,
    },

    /// A field of a table is not a finite number.
    #[error("{}: {place}: expected a finite number, found {}", printable(origin), fault.found())]
    Number {
        /// The file.
        origin: String,
        /// The place of the field.
        place: Place,
        /// The field.
        fault: NumberFault,
        /// Whether the field is in the first line, which is not a header since another of its fields is a number.
        is_in_first_line: bool,
    },

    /// The data does not form a valid problem.
    #[error("{}: {source}", printable(origin))]
    Problem {
        /// The file, or another origin of the data.
        origin: String,
        /// The problem's error.
        source: softmax_core::Error,
    },
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A named array, or a part that has a name.
    Field(String),
    /// A line, from 1.
    Line(u64),
    /// A line, from 1, and a column by its name or its index.
    Cell {
        /// The line.
        line: u64,
        /// The column.
        column: String,
    },
    /// A column by its name or its index.
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

/// What a column of a table is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRole {
    /// The label.
    Label,
    /// It is to be left out.
    Dropped,
    /// A feature, as in the table that the layout is from.
    Feature,
}

impl fmt::Display for ColumnRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnRole::Label => "column of labels",
            ColumnRole::Dropped => "column to drop",
            ColumnRole::Feature => "column of a feature",
        })
    }
}

/// What a field holds in place of a finite number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// Nothing, or a word for a missing value such as `NA`.
    Missing(String),
    /// A number with a comma in place of the decimal point.
    DecimalComma(String),
    /// NaN or an infinity.
    NotFinite(String),
    /// Another text.
    Text(String),
}

impl NumberFault {
    /// Classifies a field that is not a finite number.
    pub(crate) fn of(field: &str) -> Self {
        const MISSING: [&str; 6] = ["", "na", "n/a", "null", "none", "?"];
        let text = field.to_owned();
        match () {
            () if MISSING.iter().any(|word| field.eq_ignore_ascii_case(word)) => NumberFault::Missing(text),
            () if field.parse::<f64>().is_ok() => NumberFault::NotFinite(text),
            () if field.replacen(',', ".", 1).parse::<f64>().is_ok() => NumberFault::DecimalComma(text),
            () => NumberFault::Text(text),
        }
    }

    /// The field, shortened and escaped.
    fn found(&self) -> String {
        match self {
            NumberFault::Missing(field) if field.is_empty() => "nothing".to_owned(),
            NumberFault::Missing(field)
            | NumberFault::DecimalComma(field)
            | NumberFault::NotFinite(field)
            | NumberFault::Text(field) => shown(field).to_string(),
        }
    }
}

fn named(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// The number of columns, and their names if they have any.
fn listed(count: usize, names: &[String]) -> String {
    if names.is_empty() {
        format!("{count} columns")
    } else {
        let name = |name: &String| if name.contains(',') { format!("\"{name}\"") } else { name.clone() };
        format!("{count} columns: {}", shown(&names.iter().map(name).collect::<Vec<_>>().join(", ")))
    }
}

impl DataError {
    /// For [`DataError::Column`], the columns that the table has, in words.
    pub fn columns(&self) -> Option<String> {
        match self {
            DataError::Column { columns, names, .. } => Some(listed(*columns, names)),
            _ => None,
        }
    }

    /// The error of an invalid part of `origin`.
    pub(crate) fn part(
        origin: impl Into<String>,
        place: Place,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        DataError::Part { origin: origin.into(), place, expected: expected.into(), found: found.into() }
    }

    /// The error of an invalid named array of `origin`.
    pub(crate) fn field(
        origin: impl Into<String>,
        name: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        DataError::part(origin, Place::Field(name.into()), expected, found)
    }
}
