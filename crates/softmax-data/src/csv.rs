//! CSV: a row per sample, with the label in one of the columns. Also reads `.gz`.

use crate::columns::Table;
use crate::dataset::Dataset;
use crate::error::{DataError, NumberFault, Place, Result};
use crate::labels::{LabelFault, Labels};
use crate::options::ReadOptions;
use crate::source::{cut_short, open, reserve};
use crate::stores::TargetStore;
use crate::watched::{Fault, Watched};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use ndarray::{Array1, Array2};
use softmax_core::{Element, ndarray};
use std::collections::HashSet;
use std::io::BufRead;
use std::path::Path;

/// Reads a table of numbers. The first line is a header if no field is a number, or if the options say so, or if it has
/// the names of the layout's columns.
///
/// [`Table::columns`] chooses the columns of the features and of the label. Labels that are not integers are names, and
/// their classes are numbered in sorted order. If `labels` are given, they are the targets.
pub(crate) fn read_csv<T: Element>(
    path: &Path,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let limit = options.limit;
    let origin = path.display().to_string();
    let refuse_at =
        |place: Place, expected: &str, found: &str| DataError::part(&origin, place, expected, found);
    let refuse_table =
        |expected: &str, found: &str| refuse_at(Place::Field("table".to_owned()), expected, found);
    let mut source = open(path)?.reader;
    let start = source.fill_buf().map_err(|error| cut_short(path, "a table", error))?;
    let delimiter = delimiter(start);
    let source = Watched::new(source, delimiter);
    let mut reader =
        ReaderBuilder::new().has_headers(false).delimiter(delimiter).trim(Trim::All).from_reader(source);
    let refuse = |error: csv::Error| match error.into_kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.map_or(0, |pos| pos.line());
            let fields = if expected_len == 1 { "1 field" } else { &format!("{expected_len} fields") };
            refuse_at(Place::Line(line), &format!("{fields}, as in the lines before it"), &len.to_string())
        }
        ErrorKind::Utf8 { pos, .. } => {
            refuse_at(Place::Line(pos.map_or(0, |pos| pos.line())), "UTF-8", "other bytes")
        }
        ErrorKind::Io(error) => match error.get_ref().and_then(|error| error.downcast_ref::<Fault>()) {
            Some(fault) => {
                let (line, expected, found) = fault.parts();
                refuse_at(Place::Line(line), &expected, found)
            }
            None => cut_short(path, "a table", error),
        },
        other => refuse_table("CSV", &format!("{other:?}")),
    };

    let mut record = StringRecord::new();
    let mut more = reader.read_record(&mut record).map_err(refuse)?;
    let names = options.layout.as_ref().and_then(|layout| layout.columns.as_deref()).unwrap_or_default();
    let has_names = !names.is_empty() && {
        let fields: HashSet<&str> = record.iter().collect();
        names.iter().all(|name| fields.contains(name.as_str()))
    };
    let is_header =
        options.has_header || has_names || record.iter().all(|field| field.parse::<f64>().is_err());
    let header = (more && is_header).then(|| record.clone());
    if header.is_some() {
        more = reader.read_record(&mut record).map_err(refuse)?;
    }
    let width = header.as_ref().map_or(record.len(), StringRecord::len);
    let table = Table::new(&origin, header.as_ref(), width, labels.is_some());
    let columns = table.columns(options)?;

    // A table with another delimiter looks like a single column.
    if width == 1 && columns.label.is_some() {
        return Err(refuse_table(
            "a label and features in columns, separated by commas, semicolons or tabs",
            "1 column",
        ));
    }

    let (mut rows, mut features) = (0, Vec::new());
    let first_line = record.position().map_or(0, |position| position.line());
    let mut own_labels = Labels::new(options);
    while more && limit.is_none_or(|limit| rows < limit) {
        rows += 1;
        reserve(path, &mut features, columns.features.len())?;
        let line = record.position().map_or(0, |position| position.line());
        let place = |column: usize| Place::Cell { line, column: table.name(column) };
        let field = |column: usize| record.get(column).unwrap_or_default();
        for &column in &columns.features {
            let parsed: Option<f64> = field(column).parse().ok();
            let number = parsed.map(T::narrow).filter(|number| number.is_finite());
            features.push(number.ok_or_else(|| {
                let (origin, place) = (origin.clone(), place(column));
                match parsed.filter(|number| number.is_finite()) {
                    Some(found) => DataError::Range { origin, place, dtype: T::DTYPE, found },
                    None => {
                        let fault = NumberFault::of(field(column));
                        DataError::Number { origin, place, fault, is_in_first_line: line == 1 }
                    }
                }
            })?);
        }
        if let Some(column) = columns.label.filter(|_| labels.is_none()) {
            let text = field(column);
            own_labels.push(text).map_err(|fault| match fault {
                LabelFault::Neither => {
                    let found = if text.is_empty() { "nothing" } else { text };
                    refuse_at(place(column), "labels: integers, or names", found)
                }
                LabelFault::Mixed(expected) => DataError::MixedLabels {
                    origin: origin.clone(),
                    place: place(column),
                    expected,
                    found: text.to_owned(),
                    is_from_first_line: first_line == 1,
                },
            })?;
        }
        more = reader.read_record(&mut record).map_err(refuse)?;
    }
    if rows == 0 {
        return Err(DataError::File {
            path: path.to_owned(),
            expected: "rows of numbers",
            found: "found none".to_owned(),
        });
    }
    let (targets, class_names) = match (labels, columns.label) {
        (Some(labels), _) => (TargetStore::Labels(labels), None),
        (None, Some(_)) => {
            let (labels, names) = own_labels.finish();
            (TargetStore::known(labels), names)
        }
        (None, None) => (TargetStore::None, None),
    };
    let layout = table.layout(&columns);
    let features = Array2::from_shape_vec((rows, columns.features.len()), features);
    let features = features.map_err(|error| refuse_table("rows of one length", &error.to_string()))?;
    let dataset = Dataset::new(origin, features, targets);
    Ok(Dataset { class_names, layout, ..dataset })
}

/// In the order in which the last one wins a tie. A comma may be that of decimals.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// The delimiter: whichever is most frequent in the first line, and of equal ones in the second.
fn delimiter(start: &[u8]) -> u8 {
    let (first, rest) = count_delimiters(start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start));
    let (second, _) = count_delimiters(rest);
    let found = (0..DELIMITERS.len()).filter(|&k| first[k] > 0).max_by_key(|&k| (first[k], second[k]));
    found.map_or(DELIMITERS[0], |k| DELIMITERS[k])
}

/// Counts the delimiters outside quotes in the first line that is not blank, and returns what follows the line.
fn count_delimiters(start: &[u8]) -> ([usize; 3], &[u8]) {
    let mut counts = [0; 3];
    let (mut is_quoted, mut is_blank) = (false, true);
    // Where a quote opens a field, or opens it again as the second of two. Elsewhere, as a mark of inches, it quotes nothing.
    let mut may_open = true;
    for (place, &byte) in start.iter().enumerate() {
        match byte {
            b'"' if is_quoted => (is_quoted, may_open) = (false, true),
            b'"' => (is_quoted, may_open) = (may_open, false),
            b'\n' if !is_quoted && !is_blank => return (counts, &start[place + 1..]),
            _ if is_quoted => {}
            _ => {
                let delimiter = DELIMITERS.iter().position(|&delimiter| delimiter == byte);
                delimiter.into_iter().for_each(|k| counts[k] += 1);
                may_open = delimiter.is_some() || matches!(byte, b'\n' | b'\r');
            }
        }
        is_blank &= byte != b'\t' && byte.is_ascii_whitespace();
    }
    (counts, &[])
}

#[cfg(test)]
mod tests {
    use super::delimiter;

    #[test]
    fn delimiters_are_found_beside_quotes_decimals_and_blank_lines() {
        for (start, expected) in [
            ("a,b\n1,2\n", b','),
            ("a\n1\n", b','),
            ("1,5;cat\n2,5;dog\n", b';'),
            ("1,5;2,5;0\n", b';'),
            ("temp; C,label\n20,a\n", b','),
            ("len, cm;label\n20;a\n", b';'),
            ("a,note\n1,x;y;z;u\n", b','),
            ("\n\r\n1\t2\t0\n", b'\t'),
            ("\u{feff}\"a, b, c\";\"label\"\n", b';'),
            ("\"a \"\"b\"\", c, d\";x\n", b';'),
            ("\"red\nnext; x\",b,c\n", b','),
            ("Size in \";Weight;Class\n1;2;a\n", b';'),
            ("a,b\r1,2\r", b','),
        ] {
            assert_eq!(delimiter(start.as_bytes()) as char, expected as char, "{start:?}");
        }
    }
}
