//! The text format of svmlight and libsvm: lines of `label index:value …`, with indices from 1. Absent features are
//! zero. The features stay sparse.
//! <https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/>

use crate::dataset::Dataset;
use crate::elements::whole;
use crate::error::{DataError, Place, Result};
use crate::source::{cut_short, open, reserve};
use crate::stores::{FeatureStore, TargetStore};
use ndarray::Array1;
use softmax_core::{Element, OwnedCsr, ndarray};
use std::io::{BufRead, Read};
use std::path::Path;

/// An index that occurs more than once in a row.
fn repeated<T>(row: &[(u32, u32, T)]) -> Option<u32> {
    // Fast path: indices usually ascend.
    if row.is_sorted_by(|a, b| a.1 < b.1) {
        return None;
    }
    let mut indices: Vec<u32> = row.iter().map(|entry| entry.1).collect();
    indices.sort_unstable();
    indices.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// The limit on the length of a line, in bytes: a line this long has millions of entries.
const LONGEST_LINE: u64 = 32 << 20;

/// Reads a file. Indices start at 1, unless some index is 0. If all labels are −1 or 1, with at least one −1, they
/// become the classes 0 and 1 with the names `-1` and `1`.
pub(crate) fn read_svmlight<T: Element>(path: &Path, limit: Option<usize>) -> Result<Dataset<T>> {
    let mut entries: Vec<(u32, u32, T)> = Vec::new();
    let mut labels: Vec<i64> = Vec::new();
    let mut reader = open(path)?.reader;
    let (mut line, mut number) = (String::new(), 0);
    while limit.is_none_or(|limit| labels.len() < limit) {
        line.clear();
        number += 1;
        let length = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_line(&mut line)
            .map_err(|error| cut_short(path, "lines of svmlight text, in UTF-8", error))?;
        if length == 0 {
            break;
        }
        if length as u64 == LONGEST_LINE && !line.ends_with('\n') {
            let (origin, place) = (path.display().to_string(), Place::Line(number));
            let expected = format!("lines of less than {LONGEST_LINE} bytes");
            return Err(DataError::part(origin, place, expected, "a longer one"));
        }
        let row = labels.len() as u32;
        let refuse = |expected: &str, found: &str| {
            DataError::part(path.display().to_string(), Place::Line(number), expected, found)
        };
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        let Some(label) = words.next() else { continue };
        let first = entries.len();
        labels.push(whole(label).ok_or_else(|| refuse("an integer label", label))?);
        for word in words {
            let pair = word.split_once(':');
            let Some((index, value)) = pair else { return Err(refuse("index:value", word)) };
            if index == "qid" {
                continue;
            }
            let index = index.parse::<u32>().map_err(|_| refuse("an index from 0 to 4294967295", word))?;
            let parsed: Option<f64> = value.parse().ok();
            let value = parsed.map(T::narrow).filter(|value| value.is_finite());
            let value = value.ok_or_else(|| match parsed.filter(|value| value.is_finite()) {
                Some(found) => {
                    let (origin, place) = (path.display().to_string(), Place::Line(number));
                    DataError::Range { origin, place, dtype: T::DTYPE, found }
                }
                None => refuse("a finite value after the colon", word),
            })?;
            reserve(path, &mut entries, 1)?;
            entries.push((row, index, value));
        }
        if let Some(index) = repeated(&entries[first..]) {
            return Err(refuse("each index once", &format!("{index} twice")));
        }
    }

    if labels.is_empty() {
        return Err(DataError::File {
            path: path.to_owned(),
            expected: "lines of svmlight text",
            found: "found none".to_owned(),
        });
    }
    let base = if entries.iter().any(|&(_, index, _)| index == 0) { 0 } else { 1 };
    let (n, d) = (labels.len(), entries.iter().map(|e| e.1 as usize + 1 - base).max().unwrap_or(0));
    entries.sort_by_key(|&(row, index, _)| (row, index));
    let mut pointers = vec![0; n + 1];
    entries.iter().for_each(|&(row, ..)| pointers[row as usize + 1] += 1);
    (0..n).for_each(|row| pointers[row + 1] += pointers[row]);
    let columns = entries.iter().map(|&(_, index, _)| index - base as u32).collect();
    let values = entries.iter().map(|&(.., value)| value).collect();
    let origin = path.display().to_string();
    let features = OwnedCsr::new((n, d), pointers, columns, values)
        .map_err(|source| DataError::Problem { origin: origin.clone(), source })?;
    let mut class_names = None;
    if labels.contains(&-1) && labels.iter().all(|&label| matches!(label, -1 | 1)) {
        labels.iter_mut().for_each(|label| *label = i64::from(*label > 0));
        class_names = Some(vec!["-1".to_owned(), "1".to_owned()]);
    }
    let targets = TargetStore::Labels(Array1::from(labels));
    Ok(Dataset { class_names, ..Dataset::new(origin, FeatureStore::Csr(features), targets) })
}
