//! The text of a table on its way to the reader of CSV, which takes all that it is given: fields as long and as many as there
//! is text, and a quote that nothing closes to the end of the file.

use std::fmt;
use std::io::{self, Read};

/// Longer than any number or name, and more than there are genes or pixels.
const LONGEST_FIELD: usize = 1 << 16;
const MOST_COLUMNS: usize = 1 << 20;

/// What of a table is not believed, and the line where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    OpenQuote(u64),
    LongField(u64),
    ManyColumns(u64),
}

impl Fault {
    /// Its line, what is expected there, and what is found.
    pub(crate) fn parts(self) -> (u64, String, &'static str) {
        match self {
            Fault::OpenQuote(line) => (line, "a quote that is closed".to_owned(), "one that is not"),
            Fault::LongField(line) => {
                (line, format!("fields of at most {LONGEST_FIELD} bytes"), "a longer one")
            }
            Fault::ManyColumns(line) => (line, format!("at most {MOST_COLUMNS} columns"), "more"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, expected, found) = self.parts();
        write!(f, "line {line}: expected {expected}, found {found}")
    }
}

impl std::error::Error for Fault {}

/// Where in a field the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// After a quote in a quoted field: the second of two, or the end.
    Quote,
}

/// Follows the syntax, and passes on what comes before a fault; the fault is an [`io::Error`] of its own.
pub(crate) struct Watched<R> {
    reader: R,
    delimiter: u8,
    state: State,
    line: u64,
    /// The line where the last quote opened.
    opened: u64,
    /// Bytes of the field, and fields of the record, by now.
    length: usize,
    columns: usize,
    /// Bytes of the file by now.
    position: u64,
    fault: Option<Fault>,
}

impl<R: Read> Watched<R> {
    pub(crate) fn new(reader: R, delimiter: u8) -> Self {
        let (state, line, opened, length, columns, position) = (State::Start, 1, 1, 0, 1, 0);
        Watched { reader, delimiter, state, line, opened, length, columns, position, fault: None }
    }

    /// Whether the byte ends a record.
    fn step(&mut self, byte: u8) -> Result<bool, Fault> {
        const MARK: [u8; 3] = *b"\xef\xbb\xbf";
        let position = self.position as usize;
        self.position += 1;
        if MARK.get(position) == Some(&byte) {
            return Ok(false);
        }
        let line = self.line;
        self.line += u64::from(byte == b'\n');
        self.length += 1;
        let is_end = self.state != State::Quoted && (byte == self.delimiter || matches!(byte, b'\n' | b'\r'));
        if is_end {
            (self.state, self.length) = (State::Start, 0);
            self.columns = if byte == self.delimiter { self.columns + 1 } else { 1 };
            return if self.columns > MOST_COLUMNS {
                Err(Fault::ManyColumns(line))
            } else {
                Ok(self.columns == 1)
            };
        }
        self.state = match (self.state, byte) {
            (State::Start, b'"') => {
                self.opened = line;
                State::Quoted
            }
            (State::Quote, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => State::Quoted,
            _ => State::Plain,
        };
        match self.state {
            _ if self.length <= LONGEST_FIELD => Ok(false),
            State::Quoted => Err(Fault::OpenQuote(self.opened)),
            _ => Err(Fault::LongField(line)),
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(fault) = self.fault {
            return Err(io::Error::new(io::ErrorKind::InvalidData, fault));
        }
        let count = self.reader.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.state == State::Quoted {
            self.fault = Some(Fault::OpenQuote(self.opened));
            return self.read(buffer);
        }
        // What is wrong in the records before comes first.
        let mut whole = 0;
        for (k, &byte) in buffer[..count].iter().enumerate() {
            match self.step(byte) {
                Ok(true) => whole = k + 1,
                Ok(false) => {}
                Err(fault) => {
                    self.fault = Some(fault);
                    return if whole > 0 { Ok(whole) } else { self.read(buffer) };
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &[u8]) -> Option<Fault> {
        let error = Watched::new(text, b',').read_to_end(&mut Vec::new()).err()?;
        error.get_ref().and_then(|error| error.downcast_ref()).copied()
    }

    #[test]
    fn quotes_that_close_are_followed_as_csv_has_them() {
        for text in [
            "a,b\n1,2\n",
            "\"a\nb\",\"c\"\"d\"\n1,2",
            "\u{feff}\"a,\n\",b\n",
            "5\",2\n1,\"\"\n",
            "\"a\"b\",c\n",
            "\"\"",
            "\"a\"\r\n\"b\"",
        ] {
            assert_eq!(fault(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn an_unclosed_quote_is_an_error_with_its_line() {
        for (text, line) in [
            ("a,b\n1,\"2\n3,4\n", 2),
            ("\"", 1),
            ("\u{feff}\"a", 1),
            ("\"a\nb\",1\n\"c\"\"\n\n", 3),
            ("1,2\r\n\"3", 2),
        ] {
            assert_eq!(fault(text.as_bytes()), Some(Fault::OpenQuote(line)), "{text:?}");
        }
        let endless = [&b"1\n2,\""[..], &[b'\n'; LONGEST_FIELD + 1]].concat();
        assert_eq!(fault(&endless), Some(Fault::OpenQuote(2)));
    }

    #[test]
    fn bytes_that_no_table_has_are_refused() {
        assert_eq!(fault(&[b'1'; LONGEST_FIELD]), None);
        assert_eq!(fault(&[b'1'; LONGEST_FIELD + 1]), Some(Fault::LongField(1)));
        assert_eq!(fault(&[b','; MOST_COLUMNS - 1]), None);
        assert_eq!(fault(&[b','; MOST_COLUMNS]), Some(Fault::ManyColumns(1)));
        // The record before it is.
        let text = [b"1,2\n".to_vec(), vec![b'1'; LONGEST_FIELD + 1]].concat();
        let mut passed = vec![0; 1 << 18];
        assert_eq!(Watched::new(text.as_slice(), b',').read(&mut passed).unwrap(), 4);
    }
}
