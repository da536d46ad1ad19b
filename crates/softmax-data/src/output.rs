use crate::error::{DataError, Result};
use crate::paths::{destination, folder_of};
use crate::unfinished::Unfinished;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Cursor, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes a complete file or none: writes a temporary file in the same folder and renames it at the end. Non-regular
/// files, such as `/dev/stdout`, are written in place, after all bytes are known.
///
/// # Errors
/// [`DataError`] naming `path`; a regular file is then unchanged.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn WriteSeek) -> io::Result<()>) -> Result<()> {
    check_destination(path)?;
    let attempt = || -> io::Result<()> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let mut whole = Cursor::new(Vec::new());
            write(&mut whole)?;
            return OpenOptions::new().write(true).open(path)?.write_all(whole.get_ref());
        }
        // If `path` is a link, its target is written and the link stays.
        let path = &destination(path)?;
        let (temporary, _unfinished) = Unfinished::begin(|| new_file(folder_of(path)))?;
        // Write through the inner `File`: errors of `NamedTempFile` would show the temporary name.
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

/// Checks that a file can be written at this path: its folder exists, and the path is not a folder itself.
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

/// A temporary file, deleted unless it is persisted. Its permissions follow the process's umask, as for any new file.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    tempfile::Builder::new().make_in(folder, |path| options.open(path))
}

/// A seekable writer.
pub trait WriteSeek: Write + io::Seek {}

impl<W: Write + io::Seek> WriteSeek for W {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_file_keeps_its_permissions() {
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
        // Also if the link's target does not exist yet.
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
