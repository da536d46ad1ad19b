use crate::error::{DataError, Result};
use crate::paths::{destination, folder_of};
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Cursor, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes a file whole or not at all: into a temporary file beside it, which takes its name at the end. What is no file, such
/// as `/dev/stdout`, is written to as it is, once everything is known.
///
/// # Errors
/// [`DataError::Io`] naming `path`, which is then as it was before.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn WriteSeek) -> io::Result<()>) -> Result<()> {
    let attempt = || -> io::Result<()> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let mut whole = Cursor::new(Vec::new());
            write(&mut whole)?;
            return OpenOptions::new().write(true).open(path)?.write_all(whole.get_ref());
        }
        // Behind a link it is the file that changes, or is made, and not the link.
        let path = &destination(path)?;
        let mut file = BufWriter::new(new_file(folder_of(path))?);
        write(&mut file)?;
        file.flush()?;
        let file = file.into_inner().map_err(|error| error.into_error())?;
        file.as_file().sync_all()?;
        if let Ok(before) = fs::metadata(path) {
            file.as_file().set_permissions(before.permissions())?;
        }
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().map_err(|source| DataError::Io { path: path.to_owned(), source })
}

/// Temporary files are private to their owner; a result is as readable as the process's mask lets any new file be.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
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
