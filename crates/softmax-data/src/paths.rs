//! Resolves paths to the files that they lead to.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Whether two paths lead to the same regular file, through links of either kind. Paths without a file yet are compared
/// after links are resolved. Non-regular files, such as pipes, are never the same.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(of_a), Ok(of_b)) => of_a.is_file() && of_b.is_file() && is_same((a, &of_a), (b, &of_b)),
        (Err(_), Err(_)) => match (new_file(a), new_file(b)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(unix)]
fn is_same((_, a): (&Path, &Metadata), (_, b): (&Path, &Metadata)) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same((a, _): (&Path, &Metadata), (b, _): (&Path, &Metadata)) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// The folder of a file, which need not exist.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file that writing to `path` changes or creates: the target of a link, even if it does not exist yet.
pub(crate) fn destination(path: &Path) -> io::Result<PathBuf> {
    // Linux follows at most this many links in a row.
    const MOST_LINKS: usize = 40;
    if let Ok(there) = fs::canonicalize(path) {
        return Ok(there);
    }
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    // The links form a cycle: return the system's own error.
    fs::metadata(&path).map(|_| path)
}

/// The path, without links, of a file that does not exist yet.
fn new_file(path: &Path) -> io::Result<PathBuf> {
    let path = destination(path)?;
    let folder = fs::canonicalize(folder_of(&path))?;
    Ok(path.file_name().map_or(folder.clone(), |name| folder.join(name)))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_the_same_by_whatever_path() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::write(at("other"), "").unwrap();
        fs::create_dir(at("inner")).unwrap();
        fs::hard_link(at("file"), at("hard")).unwrap();
        symlink("file", at("soft")).unwrap();
        symlink("new", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        for (a, b, same) in [
            ("file", "hard", true),
            ("file", "soft", true),
            ("file", "inner/../file", true),
            ("file", "other", false),
            ("file", "new", false),
            ("new", "dangling", true),
            ("new", "inner/../new", true),
            ("new", "newer", false),
            ("new", "circle", false),
            ("inner", "inner", false),
        ] {
            assert_eq!(is_same_file(&at(a), &at(b)), same, "{a} and {b}");
        }
        assert!(!is_same_file(Path::new("/dev/null"), Path::new("/dev/null")));
    }
}
