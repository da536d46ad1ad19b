//! Sequential reading of files; gzip files are inflated on the fly.

use crate::error::{DataError, Result};
use flate2::read::MultiGzDecoder;

use std::collections::TryReserveError;
use std::fs::{File, Metadata};
#[cfg(unix)]
use std::io::IsTerminal;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The largest accepted ratio of inflated to compressed size. Deflate itself is limited to about 1032, and text stays
/// far below that.
const MOST_INFLATION: u64 = 500;

/// Inflated bytes of text that are accepted at any ratio. Parsed into numbers, text takes a few times as much memory.
const ALWAYS_FREE: u64 = 8 << 20;

/// Inflated bytes of a binary array that are accepted at any ratio: sorted labels and constant weights inflate 700
/// times.
pub(crate) const ALWAYS_FREE_ARRAY: u64 = 64 << 20;

/// The largest accepted inflated size of `compressed` bytes; up to `free` bytes are accepted at any ratio.
pub(crate) fn most_inflated(compressed: u64, free: u64) -> u64 {
    free.max(compressed.saturating_mul(MOST_INFLATION))
}

/// A reader of a file's bytes, and an upper bound on their number.
pub(crate) struct Source {
    pub(crate) reader: Box<dyn BufRead>,
    /// The upper bound, in bytes.
    pub(crate) at_most: u64,
}

/// Opens a file. gzip is detected by its first two bytes.
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

/// Whether the file is a device other than a terminal, such as `/dev/zero`, which has no end.
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

/// Opens a file for random access, which only regular files support.
pub(crate) fn open_regular(path: &Path) -> Result<File> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_file() {
        return Ok(file);
    }
    let found = "found a folder, a pipe or a device".to_owned();
    Err(DataError::File { path: path.to_owned(), expected: "a regular file", found })
}

/// A reader that fails once it has yielded more than `left` bytes.
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

/// Reserves memory for `more` entries. The error of a failed allocation names the file.
pub(crate) fn reserve<E>(path: &Path, entries: &mut Vec<E>, more: usize) -> Result<()> {
    let io = |error: TryReserveError| DataError::Io { path: path.to_owned(), source: error.into() };
    entries.try_reserve(more).map_err(io)
}

/// Converts an I/O error: an early end of the file and invalid data name what was expected.
pub(crate) fn cut_short(path: &Path, expected: &'static str, error: io::Error) -> DataError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DataError::File {
            path: path.to_owned(),
            expected,
            found: "found an early end of the file".to_owned(),
        },
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            DataError::File { path: path.to_owned(), expected, found: error.to_string() }
        }
        _ => DataError::Io { path: path.to_owned(), source: error },
    }
}
