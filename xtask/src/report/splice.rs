//! A part of a file that a command writes.

use anyhow::Context;
use std::path::Path;

const BEGIN: &str = "<!-- performance: written by `cargo xtask report --splice` -->";
const END: &str = "<!-- end of performance -->";

/// The text with `block` between its two markers.
///
/// # Errors
/// If there is not one of each marker, in this order.
pub(crate) fn splice(text: &str, block: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("expected a line {BEGIN}"))?;
    let (_, after) =
        rest.split_once(END).with_context(|| format!("expected a line {END} after the other"))?;
    let count = |marker: &str| text.matches(marker).count();
    anyhow::ensure!(count(BEGIN) == 1 && count(END) == 1, "expected each marker once");
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", block.trim()))
}

/// Replaces what a file has between its markers.
///
/// # Errors
/// As [`splice`], and the system's; the file is as it was then.
pub(crate) fn splice_file(path: &Path, block: &str) -> anyhow::Result<()> {
    let context = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(context)?;
    let spliced = splice(&text, block).with_context(context)?;
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    std::fs::write(&aside, spliced).and_then(|()| std::fs::rename(&aside, path)).with_context(context)
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
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        splice(&std::fs::read_to_string(readme).unwrap(), "new").unwrap();
    }
}
