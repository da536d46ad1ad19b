use crate::error::{DataError, Result};
use crate::paths::{destination, folder_of};
use crate::unfinished::Unfinished;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Cursor, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes a complete file or none: into a temporary file beside it, which is renamed at the end. Non-regular files, such as
/// `/dev/stdout`, are written in place, after all bytes are known.
///
/// # Errors
/// [`DataError`] naming `path`, which is then as it was before.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn WriteSeek) -> io::Result<()>) -> Result<()> {
    check_destination(path)?;
    let attempt = || -> io::Result<()> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let mut whole = Cursor::new(Vec::new());
            write(&mut whole)?;
            return OpenOptions::new().write(true).open(path)?.write_all(whole.get_ref());
        }
        // Behind a link it is the file that changes, or is made, and not the link.
        let path = &destination(path)?;
        let (temporary, _unfinished) = Unfinished::begin(|| new_file(folder_of(path)))?;
        // Through the file itself: the temporary file's own errors tell its name.
        let mut file = BufWriter::new(temporary.as_file());
        write(&mut file)?;
        file.flush()?;
        drop(file);
        temporary.as_file().sync_all()?;
        if let Ok(before) = fs::metadata(path) {
            temporary.as_file().set_permissions(before.permissions())?;
        }
        temporary.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().map_err(|source| DataError::Io { path: path.to_owned(), source })
}

/// Whether there can be a file of this name: its folder is there, and it is no folder itself.
///
/// # Errors
/// [`DataError`] naming the folder.
pub fn check_destination(path: &Path) -> Result<()> {
    let found = fs::metadata(path);
    if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
        let (path, found) = (path.to_owned(), "found a folder".to_owned());
        return Err(DataError::File { path, expected: "a file", found });
    }
    let there = destination(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if found.is_err() && !folder_of(&there).is_dir() {
        return Err(DataError::NoFolder { path: path.to_owned(), folder: folder_of(&there).to_owned() });
    }
    Ok(())
}

/// A file that is gone again unless it is kept; as readable as the process's mask lets any new file be.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    tempfile::Builder::new().make_in(folder, |path| options.open(path))
}

/// What a file is to its writer.
pub trait WriteSeek: Write + io::Seek {}

impl<W: Write + io::Seek> WriteSeek for W {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_who_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::TempDir::new().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (new, usual) = (folder.path().join("new"), folder.path().join("usual"));
        fs::write(&usual, "").unwrap();
        write_atomically(&new, |out| out.write_all(b"1")).unwrap();
        assert_eq!(mode(&new), mode(&usual));
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        write_atomically(&new, |out| out.write_all(b"2")).unwrap();
        assert_eq!(mode(&new), 0o600);
    }

    #[test]
    fn a_link_stays_and_a_device_is_not_replaced() {
        let folder = tempfile::TempDir::new().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |out| out.write_all(b"after")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
        // Also where there is no file behind it yet.
        fs::remove_file(&file).unwrap();
        write_atomically(&link, |out| out.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");

        let device = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &device).unwrap();
        write_atomically(&device, |out| out.write_all(b"gone")).unwrap();
        assert!(device.is_symlink() && !fs::metadata("/dev/null").unwrap().is_file());
        assert!(write_atomically(folder.path(), |out| out.write_all(b"")).is_err(), "a folder is no file");
    }
}
