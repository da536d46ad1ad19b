//! Text from files and command lines, as a message shows it.

use std::borrow::Cow;

/// Characters that a message shows at most of a text, and of what a library says of one.
const LONGEST: usize = 80;
const LONGEST_REASON: usize = 160;

/// What a message quotes: on one line, without what a terminal would obey, and no longer than a line.
pub fn shown(text: &str) -> String {
    up_to(LONGEST, text)
}

/// What a library says, which may quote.
pub(crate) fn reason(text: &str) -> String {
    up_to(LONGEST_REASON, text)
}

fn up_to(longest: usize, text: &str) -> String {
    let mut rest = text.chars();
    let start: String = rest.by_ref().take(longest).collect();
    let cut = if rest.next().is_some() { "…" } else { "" };
    printable(&start).into_owned() + cut
}

/// Text in which what is no letter, mark, sign or space stands as Rust escapes it. Quotes and backslashes stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let kept = ['"', '\'', '\\'];
    let pieces = text.split_inclusive(kept).map(|piece| {
        let body = piece.strip_suffix(kept).unwrap_or(piece);
        body.escape_debug().to_string() + &piece[body.len()..]
    });
    Cow::Owned(pieces.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_and_control_characters_are_escaped() {
        for (text, expected) in [
            ("C:\\größe 'ж' \"数\".csv", "C:\\größe 'ж' \"数\".csv"),
            ("हिन्दी e\u{301}", "हिन्दी e\u{301}"),
            ("red\u{1b}[31m\r\nnext\tcell", "red\\u{1b}[31m\\r\\nnext\\tcell"),
            ("\u{9b}2J \u{202e}txt.exe \u{7f}", "\\u{9b}2J \\u{202e}txt.exe \\u{7f}"),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(printable(expected), expected, "once is enough");
        }
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(shown(&"ß".repeat(80)), "ß".repeat(80));
        assert_eq!(shown(&"ß".repeat(800_000)), "ß".repeat(80) + "…");
    }
}
