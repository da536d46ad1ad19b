//! Files of records: one line of JSON per record, written as soon as the record is complete.

use crate::record::Record;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Why a file of records can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system returned an error.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path is a folder.
    #[error("{}: expected a file, found a folder", .0.display())]
    Folder(PathBuf),
    /// The file already exists.
    #[error("{}: expected a new file, or --resume to add to it", .0.display())]
    Exists(PathBuf),
    /// Another process writes to it.
    #[error("{}: expected a file that no other process writes records to, found one that does", .0.display())]
    InUse(PathBuf),
    /// A line is not a record.
    #[error("{}: line {line}: expected a record of softmax bench, found something else", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
    },
}

/// A file open for adding records, and locked against other processes.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A process that another thread starts has a copy of the file for a moment, which would keep the lock. If this
        // fails, closing the file unlocks it.
        let _ = self.file.unlock();
    }
}

impl Journal {
    /// Starts a new file.
    ///
    /// # Errors
    /// If the file already exists or the system returns an error.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        refuse_folder(path)?;
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => {
                lock(path, &file)?;
                Ok(Journal { path: path.to_owned(), file })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(JournalError::Exists(path.to_owned()))
            }
            Err(error) => Err(io_error(path)(error)),
        }
    }

    /// Opens or creates a file, and reads its records. A last line without a line break was cut short, and is removed.
    ///
    /// # Errors
    /// If another process has the file open or a line is not a record; the file is then unchanged. Also if the system
    /// returns an error.
    pub fn resume(path: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        refuse_folder(path)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path).map_err(io_error(path))?;
        // Locked before it is read, so that no record of another process is missed.
        lock(path, &file)?;
        let mut journal = Journal { path: path.to_owned(), file };
        let mut whole = Vec::new();
        journal.file.read_to_end(&mut whole).map_err(io_error(path))?;
        // Split as bytes: a line that was cut short may end within a character.
        let rest = whole.split_off(whole.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
        let records = parse(path, &whole)?;
        if !rest.is_empty() && !rest.starts_with(b"{") {
            return Err(JournalError::NotARecord { path: path.to_owned(), line: records.len() + 1 });
        }
        journal.file.set_len(whole.len() as u64).map_err(io_error(path))?;
        Ok((journal, records))
    }

    /// Adds a record, and waits until it is on the disk.
    ///
    /// # Errors
    /// If the system returns an error.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let mut write = || {
            let line = serde_json::to_string(record)?;
            writeln!(self.file, "{line}")?;
            self.file.sync_data()
        };
        write().map_err(io_error(&self.path))
    }
}

/// Reads the records of a file.
///
/// # Errors
/// If a line is not a record or the system returns an error.
pub fn read(path: &Path) -> Result<Vec<Record>, JournalError> {
    parse(path, &fs::read(path).map_err(io_error(path))?)
}

fn parse(path: &Path, lines: &[u8]) -> Result<Vec<Record>, JournalError> {
    let record = |(k, line)| {
        let no_record = |_| JournalError::NotARecord { path: path.to_owned(), line: k + 1 };
        serde_json::from_slice(line).map_err(no_record)
    };
    lines.split_inclusive(|&byte| byte == b'\n').enumerate().map(record).collect()
}

/// Locks the file until it is closed. If the file system has no locks, continues without one.
fn lock(path: &Path, file: &File) -> Result<(), JournalError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(path.to_owned())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn refuse_folder(path: &Path) -> Result<(), JournalError> {
    if path.is_dir() { Err(JournalError::Folder(path.to_owned())) } else { Ok(()) }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_file_in_another_process_keeps_no_lock() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("r.jsonl");
        let journal = Journal::create(&path).unwrap();
        // As a child process has one until it runs its program.
        let copy = journal.file.try_clone().unwrap();
        assert!(matches!(Journal::resume(&path), Err(JournalError::InUse(_))));
        drop(journal);
        assert!(Journal::resume(&path).is_ok());
        drop(copy);
    }
}
