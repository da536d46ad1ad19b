//! A column of labels: integers, which stay as they are, or names, whose classes are numbered in sorted order.

use crate::elements::whole;
use crate::options::ReadOptions;
use std::collections::HashMap;

/// The label of a sample that has none, among samples that are to be classified.
pub const MISSING_LABEL: i64 = i64::MIN;

/// How tables write that a label is missing.
const MISSING: [&str; 5] = ["", "na", "n/a", "nan", "?"];

/// Whether a table writes this where a label is missing. It is a class like any other in data with labels, and stands
/// for none among samples that are to be classified.
pub fn may_mean_missing(label: &str) -> bool {
    MISSING.iter().any(|word| label.eq_ignore_ascii_case(word))
}

/// Why a label is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelFault {
    /// It is empty, or a number that is not an integer.
    Neither,
    /// It is an integer among names, or a name among integers. Holds what was expected.
    Mixed(&'static str),
}

/// The labels of the rows so far: all integers, or all names.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// The integers; or the numbers of the names, in order of first occurrence.
    rows: Vec<i64>,
    names: HashMap<String, i64>,
    /// Whether a row has a label.
    has_some: bool,
    /// Whether a row may have no label.
    may_be_missing: bool,
    ignore_index: Option<i64>,
}

impl Labels {
    /// No labels yet. Labels of samples that are to be classified may be missing, and are then [`MISSING_LABEL`].
    pub(crate) fn new(options: &ReadOptions) -> Self {
        Labels {
            may_be_missing: options.unlabelled.is_some(),
            ignore_index: options.ignore_index,
            ..Labels::default()
        }
    }

    /// Adds a row's label. A number must be an integer, and cannot be a name.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), LabelFault> {
        if self.may_be_missing && may_mean_missing(text) {
            self.rows.push(MISSING_LABEL);
            return Ok(());
        }
        let is_first = !self.has_some;
        let has_names = !self.names.is_empty();
        let row = match whole(text) {
            Some(integer) if !has_names => integer,
            Some(_) => return Err(LabelFault::Mixed("a name, like the labels before it")),
            None if text.is_empty() || text.parse::<f64>().is_ok() => {
                return Err(LabelFault::Neither);
            }
            None if is_first || has_names => match self.names.get(text) {
                Some(&number) => number,
                None => {
                    let number = self.names.len() as i64;
                    self.names.insert(text.to_owned(), number);
                    number
                }
            },
            None => return Err(LabelFault::Mixed("an integer, as the labels before it")),
        };
        self.rows.push(row);
        self.has_some = true;
        Ok(())
    }

    /// The labels, and the names of the classes: of the labels −1 and 1, or of labels that were names.
    pub(crate) fn finish(mut self) -> (Vec<i64>, Option<Vec<String>>) {
        if self.names.is_empty() {
            let class_names = classes_of_signs(&mut self.rows, self.ignore_index);
            return (self.rows, class_names);
        }
        let mut names: Vec<(String, i64)> = self.names.into_iter().collect();
        names.sort_unstable();
        let mut classes = vec![0; names.len()];
        for (class, (_, number)) in names.iter().enumerate() {
            classes[*number as usize] = class as i64;
        }
        let known = self.rows.iter_mut().filter(|row| **row != MISSING_LABEL);
        known.for_each(|row| *row = classes[*row as usize]);
        (self.rows, Some(names.into_iter().map(|(name, _)| name).collect()))
    }
}

/// If all labels are −1 or 1, with at least one −1, turns them into the classes 0 and 1, and returns their names. Not if
/// one of these numbers is ignored.
pub(crate) fn classes_of_signs(labels: &mut [i64], ignore_index: Option<i64>) -> Option<Vec<String>> {
    let is_sign = |&label: &i64| matches!(label, -1 | 1 | MISSING_LABEL);
    let is_ignored = matches!(ignore_index, Some(-1..=1));
    if is_ignored || !labels.contains(&-1) || !labels.iter().all(is_sign) {
        return None;
    }
    let known = labels.iter_mut().filter(|label| **label != MISSING_LABEL);
    known.for_each(|label| *label = i64::from(*label > 0));
    Some(vec!["-1".to_owned(), "1".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_labels_are_kept_apart() {
        let mut labels = Labels::new(&ReadOptions { unlabelled: Some(3), ..ReadOptions::default() });
        ["", "cat", "NA", "ant"].iter().try_for_each(|text| labels.push(text)).unwrap();
        let names = ["ant", "cat"].map(str::to_owned).to_vec();
        assert_eq!(labels.finish(), (vec![MISSING_LABEL, 1, MISSING_LABEL, 0], Some(names)));
        assert_eq!(Labels::default().push(""), Err(LabelFault::Neither));
    }

    #[test]
    fn class_names_are_sorted_and_do_not_mix_with_numbers() {
        let read = |texts: &[&str]| {
            let mut labels = Labels::default();
            texts.iter().try_for_each(|text| labels.push(text)).map(|()| labels.finish())
        };
        assert_eq!(read(&["3", "-1", "2.0"]), Ok((vec![3, -1, 2], None)));
        let names = ["ant", "bee", "cat"].map(str::to_owned).to_vec();
        assert_eq!(read(&["cat", "ant", "bee", "cat"]), Ok((vec![2, 0, 1, 2], Some(names))));
        let signs = ["-1", "1"].map(str::to_owned).to_vec();
        assert_eq!(read(&["1", "-1", "1"]), Ok((vec![1, 0, 1], Some(signs))));
        assert_eq!(read(&["1", "1"]), Ok((vec![1, 1], None)));
        for (texts, expected) in [
            (["1", "0.5"], LabelFault::Neither),
            (["1", ""], LabelFault::Neither),
            (["cat", "nan"], LabelFault::Neither),
            (["1", "cat"], LabelFault::Mixed("an integer, as the labels before it")),
            (["cat", "1"], LabelFault::Mixed("a name, like the labels before it")),
        ] {
            assert_eq!(read(&texts), Err(expected), "{texts:?}");
        }
    }
}
