//! The text format of svmlight and libsvm: lines of `label index:value …`, with indices from 1. Absent features are
//! zero. The features stay sparse.
//! <https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/>

use crate::dataset::Dataset;
use crate::elements::whole;
use crate::error::{DataError, Place, Result};
use crate::labels::{MISSING_LABEL, classes_of_signs, may_mean_missing};
use crate::layout::FeatureLayout;
use crate::options::ReadOptions;
use crate::source::{cut_short, open, reserve};
use crate::stores::{FeatureStore, TargetStore};
use softmax_core::{Element, OwnedCsr};
use std::io::{BufRead, ErrorKind, Read};
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

/// Reads a file. Indices start at the first index of `options.layout`, otherwise at 1, unless some index is 0. If all
/// labels are −1 or 1, with at least one −1, they become the classes 0 and 1 with the names `-1` and `1`. Samples that
/// are to be classified may have no label.
pub(crate) fn read_svmlight<T: Element>(path: &Path, options: &ReadOptions) -> Result<Dataset<T>> {
    let limit = options.limit;
    let first_index = options.layout.as_ref().and_then(|layout| layout.first_index);
    let mut entries: Vec<(u32, u32, T)> = Vec::new();
    let mut labels: Vec<i64> = Vec::new();
    let mut reader = open(path)?.reader;
    let (mut line, mut number) = (String::new(), 0);
    while limit.is_none_or(|limit| labels.len() < limit) {
        line.clear();
        number += 1;
        let refuse = |expected: &str, found: &str| {
            DataError::part(path.display().to_string(), Place::Line(number), expected, found)
        };
        let length =
            reader.by_ref().take(LONGEST_LINE).read_line(&mut line).map_err(|error| match error.kind() {
                // Errors of decompression have an inner error.
                ErrorKind::InvalidData if error.get_ref().is_none() => refuse("text in UTF-8", "other bytes"),
                _ => cut_short(path, "lines of svmlight text", error),
            })?;
        if length == 0 {
            break;
        }
        if length as u64 == LONGEST_LINE && !line.ends_with('\n') {
            return Err(refuse(&format!("lines of less than {LONGEST_LINE} bytes"), "a longer one"));
        }
        let row = labels.len() as u32;
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace().peekable();
        let Some(&label) = words.peek() else { continue };
        let first = entries.len();
        if options.unlabelled.is_some() && label.contains(':') {
            labels.push(MISSING_LABEL);
        } else if options.unlabelled.is_some() && may_mean_missing(label) {
            labels.push(MISSING_LABEL);
            words.next();
        } else {
            labels.push(whole(label).ok_or_else(|| refuse("an integer label", label))?);
            words.next();
        }
        for word in words {
            let pair = word.split_once(':');
            let Some((index, value)) = pair else { return Err(refuse("index:value", word)) };
            if index == "qid" {
                continue;
            }
            let index = index.parse::<u32>().map_err(|_| refuse("an index from 0 to 4294967295", word))?;
            if index < first_index.unwrap_or(0) {
                return Err(refuse("indices from 1, as in the model's training file", word));
            }
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
    let base = first_index.unwrap_or(u32::from(entries.iter().all(|&(_, index, _)| index > 0)));
    let (n, d) = (labels.len(), entries.iter().map(|e| (e.1 - base) as usize + 1).max().unwrap_or(0));
    entries.sort_by_key(|&(row, index, _)| (row, index));
    let mut pointers = vec![0; n + 1];
    entries.iter().for_each(|&(row, ..)| pointers[row as usize + 1] += 1);
    (0..n).for_each(|row| pointers[row + 1] += pointers[row]);
    let columns = entries.iter().map(|&(_, index, _)| index - base).collect();
    let values = entries.iter().map(|&(.., value)| value).collect();
    let origin = path.display().to_string();
    let features = OwnedCsr::new((n, d), pointers, columns, values)
        .map_err(|source| DataError::Problem { origin: origin.clone(), source })?;
    let class_names = classes_of_signs(&mut labels, options.ignore_index);
    let targets = TargetStore::known(labels);
    let layout = FeatureLayout { first_index: Some(base), ..FeatureLayout::default() };
    Ok(Dataset { class_names, layout, ..Dataset::new(origin, FeatureStore::Csr(features), targets) })
}
