//! A part of a file that a command writes.

use std::path::Path;
use std::{fs, io};

const BEGIN: &str = "<!-- performance: written by `cargo xtask report --splice` -->";
const END: &str = "<!-- end of performance -->";

/// Why nothing can be put between markers.
#[derive(Debug, thiserror::Error)]
pub enum SpliceError {
    /// The text has not one of each, in this order.
    #[error("expected a line {BEGIN}, and after it a line {END}, once each")]
    Markers,
    /// The file can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The text with `block` between its two markers.
///
/// # Errors
/// If there is not one of each marker, in this order.
pub fn splice(text: &str, block: &str) -> Result<String, SpliceError> {
    let is_once = |marker: &str| text.matches(marker).count() == 1;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    match parts {
        Some((before, after)) if is_once(BEGIN) && is_once(END) => {
            Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", block.trim()))
        }
        _ => Err(SpliceError::Markers),
    }
}

/// Replaces what a file has between its markers.
///
/// # Errors
/// As [`splice`], and the system's; the file is as it was then.
pub fn splice_file(path: &Path, block: &str) -> Result<(), SpliceError> {
    let spliced = splice(&fs::read_to_string(path)?, block)?;
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    fs::write(&aside, spliced)?;
    Ok(fs::rename(&aside, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_markers_is_replaced_and_nothing_else() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = splice(&text, "new").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(splice(&once, "new").unwrap(), once);
    }

    #[test]
    fn a_missing_marker_is_an_error() {
        for text in ["", BEGIN, END, &format!("{END}{BEGIN}"), &format!("{BEGIN}{END}{BEGIN}{END}")] {
            assert!(splice(text, "new").is_err(), "{text}");
        }
    }

    #[test]
    fn the_readme_has_its_markers() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
        splice(&fs::read_to_string(readme).unwrap(), "new").unwrap();
    }
}
