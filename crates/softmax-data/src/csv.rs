//! CSV: a row per sample, with the label in one of the columns. Also reads `.gz`.

use crate::dataset::Dataset;
use crate::error::{DataError, Place, Result};
use crate::labels::Labels;
use crate::options::ReadOptions;
use crate::source::{cut_short, open, reserve};
use crate::stores::TargetStore;
use crate::watched::{Fault, Watched};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use ndarray::{Array1, Array2};
use softmax_core::{Element, ndarray};
use std::io::BufRead;
use std::path::Path;

/// A column with one of these names is the label if no column is requested.
const LABEL_NAMES: [&str; 5] = ["label", "class", "target", "y", "species"];

/// Reads a table of numbers. The first line is a header if no field is a number.
///
/// The label column is the one that `options.label_column` requests: by name, or by index from 0, or from the end if
/// negative. Otherwise it is a column named `label`, `class`, `target`, `y` or `species`, otherwise the last. Without
/// a request, a table of `options.unlabelled` columns has no label column. Labels that are not integers are names,
/// and their classes are numbered in sorted order.
///
/// If `labels` are given, they are the targets. A requested or named label column is then skipped, and the last
/// column is otherwise a feature.
pub(crate) fn read_csv<T: Element>(
    path: &Path,
    labels: Option<Array1<i64>>,
    options: &ReadOptions,
) -> Result<Dataset<T>> {
    let (column, limit) = (options.label_column.as_deref(), options.limit);
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
            refuse_at(Place::Line(line), &format!("{expected_len} fields"), &len.to_string())
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
    let header = (more && record.iter().all(|field| field.parse::<f64>().is_err())).then(|| record.clone());
    if header.is_some() {
        more = reader.read_record(&mut record).map_err(refuse)?;
    }
    let name = |k: usize| header.as_ref().and_then(|h| h.get(k)).map_or(k.to_string(), str::to_owned);
    let width = header.as_ref().map_or(record.len(), StringRecord::len);
    let has_labels = column.is_some() || options.unlabelled != Some(width);
    let last = width.checked_sub(1).filter(|_| labels.is_none());
    let label = if has_labels { label_column(column, header.as_ref(), width, last) } else { Ok(None) };
    let label = label.map_err(|()| DataError::LabelColumn {
        origin: origin.clone(),
        columns: width,
        names: header.iter().flat_map(StringRecord::iter).map(str::to_owned).collect(),
        found: column.unwrap_or("none").to_owned(),
    })?;

    // A table with another delimiter looks like a single column.
    if width == 1 && label.is_some() {
        return Err(refuse_table(
            "a label and features in columns, separated by commas, semicolons or tabs",
            "1 column",
        ));
    }

    let (mut rows, mut features, mut own_labels) = (0, Vec::new(), Labels::default());
    while more && limit.is_none_or(|limit| rows < limit) {
        rows += 1;
        reserve(path, &mut features, width)?;
        let line = record.position().map_or(0, |position| position.line());
        for (k, text) in record.iter().enumerate() {
            let found = if text.is_empty() { "nothing" } else { text };
            if Some(k) == label {
                if labels.is_none() {
                    own_labels.push(text).map_err(|expected| {
                        refuse_at(Place::Cell { line, column: name(k) }, expected, found)
                    })?;
                }
                continue;
            }
            let parsed: Option<f64> = text.parse().ok();
            let number = parsed.map(T::narrow).filter(|number| number.is_finite());
            features.push(number.ok_or_else(|| {
                if let Some(found) = parsed.filter(|number| number.is_finite()) {
                    let (origin, place) = (origin.clone(), Place::Cell { line, column: name(k) });
                    return DataError::Range { origin, place, dtype: T::DTYPE, found };
                }
                let expected = match (line, &header) {
                    (1, None) => "a finite number (the first line is a header if no field is a number)",
                    _ => "a finite number",
                };
                refuse_at(Place::Cell { line, column: name(k) }, expected, found)
            })?);
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
    let (targets, class_names) = match (labels, label) {
        (Some(labels), _) => (TargetStore::Labels(labels), None),
        (None, Some(_)) => {
            let (labels, names) = own_labels.finish();
            (TargetStore::Labels(labels.into()), names)
        }
        (None, None) => (TargetStore::None, None),
    };
    let features = Array2::from_shape_vec((rows, width - usize::from(label.is_some())), features);
    let features = features.map_err(|error| refuse_table("rows of one length", &error.to_string()))?;
    let dataset = Dataset::new(origin, features, targets);
    Ok(Dataset { class_names, ..dataset })
}

/// The delimiter: whichever of comma, semicolon and tab is most frequent in the first line.
fn delimiter(start: &[u8]) -> u8 {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter| line.iter().filter(|&&byte| byte == delimiter).count();
    // `max_by_key` returns the last of equal counts, so a comma wins ties.
    *[b'\t', b';', b','].iter().max_by_key(|&&delimiter| count(delimiter)).unwrap_or(&b',')
}

/// The requested label column, or else one with a name of [`LABEL_NAMES`], or else `otherwise`. An error if the
/// requested column does not exist.
fn label_column(
    asked: Option<&str>,
    header: Option<&StringRecord>,
    width: usize,
    otherwise: Option<usize>,
) -> Result<Option<usize>, ()> {
    let named = |name: &str| header?.iter().position(|field| field.eq_ignore_ascii_case(name));
    let Some(asked) = asked else {
        return Ok(LABEL_NAMES.iter().find_map(|name| named(name)).or(otherwise));
    };
    let placed = || {
        let place: i64 = asked.parse().ok()?;
        let from_start = if place < 0 { place.checked_add(width as i64)? } else { place };
        usize::try_from(from_start).ok().filter(|&place| place < width)
    };
    named(asked).or_else(placed).map(Some).ok_or(())
}
