//! A filter between a table's text and the CSV reader. The CSV reader itself has no limits: it accepts fields of any
//! length and number, and reads an unclosed quote up to the end of the file.

use std::fmt;
use std::io::{self, Read};

/// The longest accepted field, in bytes: longer than any number or name.
const LONGEST_FIELD: usize = 1 << 16;
/// The most accepted columns: more than any table of genes or pixels has.
const MOST_COLUMNS: usize = 1 << 20;

/// An unclosed quote or a violation of the limits, with the line where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    OpenQuote(u64),
    LongField(u64),
    ManyColumns(u64),
}

impl Fault {
    /// The line, what is expected there, and what was found.
    pub(crate) fn parts(self) -> (u64, String, &'static str) {
        match self {
            Fault::OpenQuote(line) => {
                (line, "a closing quote".to_owned(), "the end of the file, or a field over the limit")
            }
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

/// The position of the next byte within a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// After a quote in a quoted field: the next byte is the second quote of an escaped one, or follows the closing
    /// quote.
    Quote,
}

/// A reader that follows the CSV syntax and passes on the complete records before a fault. The next read then returns
/// the fault as an [`io::Error`].
pub(crate) struct Watched<R> {
    reader: R,
    delimiter: u8,
    state: State,
    line: u64,
    /// The line where the last quote opened.
    opened: u64,
    /// Bytes of the current field so far.
    length: usize,
    /// Fields of the current record so far.
    columns: usize,
    /// Bytes of the file so far.
    position: u64,
    fault: Option<Fault>,
}

impl<R: Read> Watched<R> {
    pub(crate) fn new(reader: R, delimiter: u8) -> Self {
        let (state, line, opened, length, columns, position) = (State::Start, 1, 1, 0, 1, 0);
        Watched { reader, delimiter, state, line, opened, length, columns, position, fault: None }
    }

    /// Advances by one byte. Returns whether the byte ends a record.
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
        // Pass on the complete records before the fault first, so that errors in them are reported first.
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
        // The complete record before the fault is passed on.
        let text = [b"1,2\n".to_vec(), vec![b'1'; LONGEST_FIELD + 1]].concat();
        let mut passed = vec![0; 1 << 18];
        assert_eq!(Watched::new(text.as_slice(), b',').read(&mut passed).unwrap(), 4);
    }
}
