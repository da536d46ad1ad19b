//! A registry of the temporary files that are being written, so that a program that is told to terminate can delete
//! them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Deletes the temporary files of all unfinished writes. For a program that is about to exit without returning from
/// them, as on a signal: later writes block until the process ends.
pub fn discard_unfinished() {
    let files = unfinished();
    for file in files.iter() {
        let _ = fs::remove_file(file);
    }
    // Never release the lock, so that no other write begins.
    std::mem::forget(files);
}

/// Registers a temporary file from its creation until this is dropped.
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
