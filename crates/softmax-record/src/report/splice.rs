//! Replaces the generated parts of a document.

use std::path::Path;
use std::{fs, io};

/// A generated part of a document, between two markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The table of problems.
    Performance,
    /// The table of libraries.
    Libraries,
}

impl Block {
    fn begin(self) -> &'static str {
        match self {
            Block::Performance => "<!-- performance: written by `cargo xtask report --splice` -->",
            Block::Libraries => "<!-- libraries: written by `cargo xtask libraries` -->",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Block::Performance => "<!-- end of performance -->",
            Block::Libraries => "<!-- end of libraries -->",
        }
    }
}

/// Why a block could not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum SpliceError {
    /// The text does not have each marker exactly once, in this order.
    #[error("expected a line {}, and after it a line {}, once each", .0.begin(), .0.end())]
    Markers(Block),
    /// The file can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The text with `contents` between the two markers of a block.
///
/// # Errors
/// If the text does not have each marker exactly once, in this order.
pub fn splice(text: &str, block: Block, contents: &str) -> Result<String, SpliceError> {
    let (begin, end) = (block.begin(), block.end());
    let is_once = |marker: &str| text.matches(marker).count() == 1;
    let parts = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    match parts {
        Some((before, after)) if is_once(begin) && is_once(end) => {
            Ok(format!("{before}{begin}\n\n{}\n\n{end}{after}", contents.trim()))
        }
        _ => Err(SpliceError::Markers(block)),
    }
}

/// Replaces the text of a file between the two markers of a block.
///
/// # Errors
/// See [`splice`]; also if the file can't be read or written. The file is then unchanged.
pub fn splice_file(path: &Path, block: Block, contents: &str) -> Result<(), SpliceError> {
    let spliced = splice(&fs::read_to_string(path)?, block, contents)?;
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    fs::write(&aside, spliced)?;
    Ok(fs::rename(&aside, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block::Libraries;

    #[test]
    fn only_the_text_between_the_markers_is_replaced() {
        let (begin, end) = (BLOCK.begin(), BLOCK.end());
        let text = format!("a\n{begin}\nold\n{end}\nb\n");
        let once = splice(&text, BLOCK, "new").unwrap();
        assert_eq!(once, format!("a\n{begin}\n\nnew\n\n{end}\nb\n"));
        assert_eq!(splice(&once, BLOCK, "new").unwrap(), once);
    }

    #[test]
    fn a_missing_marker_is_an_error() {
        let (begin, end) = (BLOCK.begin(), BLOCK.end());
        for text in ["", begin, end, &format!("{end}{begin}"), &format!("{begin}{end}{begin}{end}")] {
            assert!(splice(text, BLOCK, "new").is_err(), "{text}");
        }
    }

    #[test]
    fn the_readme_has_its_markers() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
        let readme = fs::read_to_string(readme).unwrap();
        for block in [Block::Performance, Block::Libraries] {
            splice(&readme, block, "new").unwrap();
        }
    }
}
