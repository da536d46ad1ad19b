//! How many samples each class has.

use softmax::Element;
use softmax_data::{Dataset, TargetStore, shown};

/// The number of samples of each class (C), not counting ignored ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassCounts(Vec<usize>);

/// The number of classes up to which each is listed.
const MOST_LISTED: usize = 10;

impl ClassCounts {
    /// Counts the labels of `classes` classes. `None` if the targets are not labels.
    pub(crate) fn of<T: Element>(dataset: &Dataset<T>, classes: usize) -> Option<Self> {
        let TargetStore::Labels(labels) = &dataset.targets else { return None };
        let mut counts = vec![0; classes];
        for &label in labels {
            if let Some(count) = usize::try_from(label).ok().and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
        }
        Some(ClassCounts(counts))
    }

    /// The number of classes without a sample.
    pub(crate) fn empty(&self) -> usize {
        self.0.iter().filter(|&&count| count == 0).count()
    }

    /// The classes with their names and counts, or the range of counts if they are many.
    pub(crate) fn listed(&self, names: Option<&[String]>) -> String {
        if self.0.len() <= MOST_LISTED {
            let of_class = |(class, count): (usize, &usize)| format!("{} ({count})", name(names, class));
            return self.0.iter().enumerate().map(of_class).collect::<Vec<_>>().join(", ");
        }
        let (least, most) = (self.0.iter().min().unwrap_or(&0), self.0.iter().max().unwrap_or(&0));
        format!("{}, each with {least} to {most} samples", self.0.len())
    }

    /// What is unusual for a training set: classes without a sample, or a single class.
    pub(crate) fn warning(&self, names: Option<&[String]>) -> Option<String> {
        let with_samples: Vec<usize> = (0..self.0.len()).filter(|&class| self.0[class] > 0).collect();
        match (with_samples.as_slice(), self.empty()) {
            ([], _) => None,
            (&[class], _) => Some(format!("all samples have the class {}", name(names, class))),
            (_, 0) => None,
            (&[1, ..], 1) => Some(
                "no sample has the class 0: class numbers start at 0, and labels seem to start at 1"
                    .to_owned(),
            ),
            (_, empty) => Some(format!("{empty} of {} classes have no sample", self.0.len())),
        }
    }
}

fn name(names: Option<&[String]>, class: usize) -> String {
    names.and_then(|names| names.get(class)).map_or(class.to_string(), |name| shown(name).to_string())
}
