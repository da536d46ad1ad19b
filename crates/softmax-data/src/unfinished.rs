//! Files that are being written, under temporary names: known, so that a program that is told to end can take them away.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Takes the temporary files of all writes away, for a program that is about to end without returning from them, as one does
/// at a signal. Whatever is written after it waits for that end.
pub fn discard_unfinished() {
    let files = unfinished();
    for file in files.iter() {
        let _ = fs::remove_file(file);
    }
    // No other begins.
    std::mem::forget(files);
}

/// Knows a temporary file from the moment on when it is there.
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    pub(crate) fn begin<F>(
        make: impl FnOnce() -> io::Result<NamedTempFile<F>>,
    ) -> io::Result<(NamedTempFile<F>, Unfinished)> {
        let mut files = unfinished();
        let file = make()?;
        let path = file.path().to_owned();
        files.push(path.clone());
        Ok((file, Unfinished(path)))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().retain(|path| *path != self.0);
    }
}

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}
