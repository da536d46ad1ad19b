//! A temporary folder for array files: in memory (`/dev/shm`) if that has room, else in the system's temporary folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// The in-memory file system of Linux.
const IN_MEMORY: &str = "/dev/shm";

static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary folder that is removed on drop.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: TempDir,
    parent: PathBuf,
}

impl Folder {
    /// A folder for `bytes` bytes of files: `there` if it is where they fit, else a new one.
    pub(crate) fn with_room(there: Option<Folder>, bytes: usize) -> io::Result<Self> {
        let in_memory = Path::new(IN_MEMORY);
        let parent = if has_room(in_memory, bytes) { in_memory.to_owned() } else { std::env::temp_dir() };
        match there {
            Some(there) if there.parent == parent => Ok(there),
            _ => {
                let mut folders = folders();
                let prefix = format!("softmax-external-{}-", std::process::id());
                let folder = TempDir::with_prefix_in(prefix, &parent)?;
                folders.push(folder.path().to_owned());
                Ok(Folder { folder, parent })
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        folders().retain(|path| path != self.folder.path());
    }
}

#[cfg(unix)]
fn has_room(folder: &Path, bytes: usize) -> bool {
    rustix::fs::statvfs(folder)
        .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) > bytes as u64)
}

#[cfg(not(unix))]
fn has_room(_: &Path, _: usize) -> bool {
    false
}

/// Removes all folders, for a program that is about to exit.
pub(crate) fn discard_all() {
    let folders = folders();
    for folder in folders.iter() {
        let _ = fs::remove_dir_all(folder);
    }
    // The lock stays held, so that no new folder is made.
    std::mem::forget(folders);
}

fn folders() -> MutexGuard<'static, Vec<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}
