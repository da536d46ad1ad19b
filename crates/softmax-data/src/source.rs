//! A file that is read from front to back, inflated where it is gzip.

use crate::error::{DataError, Result};
use flate2::read::MultiGzDecoder;

use std::collections::TryReserveError;
use std::fs::{File, Metadata};
#[cfg(unix)]
use std::io::IsTerminal;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// What is inflated may be this much larger than the file: deflate itself stops at about 1032, and text stays far below
/// that.
const MOST_INFLATION: u64 = 500;

/// Bytes of text that may come out of any file: as numbers they take a few times as much.
const ALWAYS_FREE: u64 = 8 << 20;

/// And of binary arrays: sorted labels and weights of one value inflate 700 times.
pub(crate) const ALWAYS_FREE_ARRAY: u64 = 64 << 20;

/// To how many bytes so many are believed to inflate, where some are `free` in any case.
pub(crate) fn most_inflated(compressed: u64, free: u64) -> u64 {
    free.max(compressed.saturating_mul(MOST_INFLATION))
}

/// The bytes of a file, and how many there can be.
pub(crate) struct Source {
    pub(crate) reader: Box<dyn BufRead>,
    /// Bytes at most.
    pub(crate) at_most: u64,
}

/// Opens a file; gzip is told by its first bytes.
pub(crate) fn open(path: &Path) -> Result<Source> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(DataError::File {
            path: path.to_owned(),
            expected: "a file",
            found: "found a folder".to_owned(),
        });
    }
    if is_endless(&file, &metadata) {
        return Err(DataError::File {
            path: path.to_owned(),
            expected: "a file or a pipe",
            found: "found a device".to_owned(),
        });
    }
    let length = metadata.len();
    let mut reader = BufReader::new(file);
    if !reader.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]) {
        // A pipe has no length.
        let at_most = if metadata.is_file() { length } else { u64::MAX };
        return Ok(Source { reader: Box::new(reader), at_most });
    }
    let at_most = most_inflated(length, ALWAYS_FREE);
    let inflated = Bounded { reader: MultiGzDecoder::new(reader), left: at_most };
    Ok(Source { reader: Box::new(BufReader::new(inflated)), at_most })
}

/// Whether it is a device that is no terminal, such as `/dev/zero`, which has no end.
#[cfg(unix)]
fn is_endless(file: &File, metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    (kind.is_char_device() || kind.is_block_device()) && !file.is_terminal()
}

#[cfg(not(unix))]
fn is_endless(_: &File, _: &Metadata) -> bool {
    false
}

/// A file that is read here and there, which nothing else can be.
pub(crate) fn open_regular(path: &Path) -> Result<File> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_file() {
        return Ok(file);
    }
    let found = "found a folder, a pipe or a device".to_owned();
    Err(DataError::File { path: path.to_owned(), expected: "a regular file", found })
}

/// Fails once more has been read than can be true.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let message = format!("it inflates to more than {MOST_INFLATION} times its size");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(count)
    }
}

/// Makes room for so many more entries of what a file is read into.
pub(crate) fn reserve<E>(path: &Path, entries: &mut Vec<E>, more: usize) -> Result<()> {
    let io = |error: TryReserveError| DataError::Io { path: path.to_owned(), source: error.into() };
    entries.try_reserve(more).map_err(io)
}

/// The error of a file that ended, or could not be read, before what was expected of it.
pub(crate) fn cut_short(path: &Path, expected: &'static str, error: io::Error) -> DataError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            DataError::File { path: path.to_owned(), expected, found: "found its end before that".to_owned() }
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            DataError::File { path: path.to_owned(), expected, found: error.to_string() }
        }
        _ => DataError::Io { path: path.to_owned(), source: error },
    }
}
