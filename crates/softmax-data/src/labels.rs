//! A column of labels: integers, which stay as they are, or names, whose classes are numbered in sorted order.

use crate::elements::whole;
use std::collections::HashMap;

/// The labels of the rows so far: all integers, or all names.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// The integers; or the numbers of the names, in order of first occurrence.
    rows: Vec<i64>,
    names: HashMap<String, i64>,
}

impl Labels {
    /// Adds a row's label. The error says what was expected: a number must be an integer, and cannot be a name.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), &'static str> {
        let is_first = self.rows.is_empty();
        let has_names = !self.names.is_empty();
        let row = match whole(text) {
            Some(integer) if !has_names => integer,
            Some(_) => return Err("a name, like the labels before it"),
            None if text.is_empty() || text.parse::<f64>().is_ok() => {
                return Err("labels: integers, or names");
            }
            None if is_first || has_names => match self.names.get(text) {
                Some(&number) => number,
                None => {
                    let number = self.names.len() as i64;
                    self.names.insert(text.to_owned(), number);
                    number
                }
            },
            None => return Err("an integer, as the labels before it"),
        };
        self.rows.push(row);
        Ok(())
    }

    /// The labels, and the names of the classes if the labels were names.
    pub(crate) fn finish(mut self) -> (Vec<i64>, Option<Vec<String>>) {
        if self.names.is_empty() {
            return (self.rows, None);
        }
        let mut names: Vec<(String, i64)> = self.names.into_iter().collect();
        names.sort_unstable();
        let mut classes = vec![0; names.len()];
        for (class, (_, number)) in names.iter().enumerate() {
            classes[*number as usize] = class as i64;
        }
        self.rows.iter_mut().for_each(|row| *row = classes[*row as usize]);
        (self.rows, Some(names.into_iter().map(|(name, _)| name).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_are_sorted_and_do_not_mix_with_numbers() {
        let read = |texts: &[&str]| {
            let mut labels = Labels::default();
            texts.iter().try_for_each(|text| labels.push(text)).map(|()| labels.finish())
        };
        assert_eq!(read(&["3", "-1", "2.0"]), Ok((vec![3, -1, 2], None)));
        let names = ["ant", "bee", "cat"].map(str::to_owned).to_vec();
        assert_eq!(read(&["cat", "ant", "bee", "cat"]), Ok((vec![2, 0, 1, 2], Some(names))));
        for (texts, expected) in [
            (["1", "0.5"], "labels: integers, or names"),
            (["1", ""], "labels: integers, or names"),
            (["cat", "nan"], "labels: integers, or names"),
            (["1", "cat"], "an integer, as the labels before it"),
            (["cat", "1"], "a name, like the labels before it"),
        ] {
            assert_eq!(read(&texts), Err(expected), "{texts:?}");
        }
    }
}
