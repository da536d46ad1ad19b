//! Tests that the documents quote the code correctly.

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// The links that quote a line of code: text, file and line number.
    fn quotations(text: &str) -> impl Iterator<Item = (&str, &str, usize)> {
        text.split("[`").skip(1).filter_map(|rest| {
            let (quote, rest) = rest.split_once("`](")?;
            let (file, line) = rest.split_once(')')?.0.split_once("#L")?;
            Some((quote, file, line.parse().ok()?))
        })
    }

    #[test]
    fn the_derivation_quotes_the_lines_that_it_links_to() {
        let folder = root().join("docs");
        let text = std::fs::read_to_string(folder.join("DERIVATION.md")).unwrap();
        let mut count = 0;
        for (quote, file, line) in quotations(&text) {
            let source = std::fs::read_to_string(folder.join(file)).unwrap();
            let found = source.lines().nth(line - 1).unwrap_or_default();
            assert!(found.contains(quote), "{file}, line {line}: expected {quote}, found {found}");
            count += 1;
        }
        assert!(count > 10, "{count} quotations");
    }
}
