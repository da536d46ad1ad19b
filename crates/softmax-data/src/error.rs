use std::path::PathBuf;

/// A result whose error is a [`DataError`].
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// What is wrong with a source or a target of data. `Display` is one line: the file, the field, what was
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

    /// One array or column is not what it should be.
    #[error("{origin}: {field}: expected {expected}, found {found}")]
    Field {
        /// The file, or another origin of the data.
        origin: String,
        /// The array.
        field: String,
        /// What it should be.
        expected: String,
        /// What was found.
        found: String,
    },
}
