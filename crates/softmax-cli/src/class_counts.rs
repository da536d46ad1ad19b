//! How many samples each class has, and the class weights that follow from it.

use softmax::Element;
use softmax::ndarray::Array1;
use softmax_data::{Dataset, LABEL_NAMES, TargetStore, shown};

/// The number of samples of each class (C).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassCounts {
    counts: Vec<usize>,
    /// The class whose samples are ignored, if the ignored label is a class.
    ignored: Option<usize>,
}

/// The number of classes up to which each is listed.
const MOST_LISTED: usize = 10;

impl ClassCounts {
    /// Counts the labels of `classes` classes, without samples of weight 0. `None` if the targets are not labels.
    pub(crate) fn of<T: Element>(dataset: &Dataset<T>, classes: usize, ignored: Option<i64>) -> Option<Self> {
        let TargetStore::Labels(labels) = &dataset.targets else { return None };
        let mut counts = vec![0; classes];
        let has_weight =
            |i: usize| dataset.sample_weights.as_ref().is_none_or(|weights| weights[i] != T::zero());
        for (_, class) in with_classes(labels, classes).filter(|&(i, _)| has_weight(i)) {
            counts[class] += 1;
        }
        let ignored = ignored.and_then(|label| usize::try_from(label).ok());
        Some(ClassCounts { counts, ignored })
    }

    /// The number of classes without a sample.
    pub(crate) fn empty(&self) -> usize {
        self.counts.iter().filter(|&&count| count == 0).count()
    }

    /// The classes with their names and counts, or the range of counts if they are many.
    pub(crate) fn listed(&self, names: Option<&[String]>) -> String {
        let count = |class: usize| match self.ignored {
            Some(ignored) if ignored == class => "ignored".to_owned(),
            _ => self.counts[class].to_string(),
        };
        let classes = self.counts.len();
        if classes <= MOST_LISTED {
            let of_class = |class: usize| format!("{} ({})", name(names, class), count(class));
            return (0..classes).map(of_class).collect::<Vec<_>>().join(", ");
        }
        let (least, most) = (self.counts.iter().min().unwrap_or(&0), self.counts.iter().max().unwrap_or(&0));
        format!("{classes}, each with {least} to {most} samples")
    }

    /// The label of the first sample, if it occurs once, and is the only such label or one of [`LABEL_NAMES`].
    pub(crate) fn only_first<T>(&self, dataset: &Dataset<T>) -> Option<String> {
        let TargetStore::Labels(labels) = &dataset.targets else { return None };
        let class =
            usize::try_from(*labels.first()?).ok().filter(|&class| self.counts.get(class) == Some(&1))?;
        let of_one = self.counts.iter().filter(|&&count| count == 1).count();
        let name = name(dataset.class_names.as_deref(), class);
        let is_of_header = LABEL_NAMES.iter().any(|label| label.eq_ignore_ascii_case(&name));
        (of_one == 1 || is_of_header).then_some(name)
    }

    /// What is unusual for a training set: classes without a sample, or a single class.
    pub(crate) fn warning(&self, names: Option<&[String]>) -> Option<String> {
        let classes = (0..self.counts.len()).filter(|&class| Some(class) != self.ignored);
        let (with, without): (Vec<usize>, Vec<usize>) = classes.partition(|&class| self.counts[class] > 0);
        match (with.as_slice(), without.as_slice()) {
            ([], _) | ([_, _, ..], []) => None,
            (&[class], _) => Some(format!("all samples have the class {}", name(names, class))),
            (_, [0]) => Some(
                "no sample has the class 0: class numbers start at 0, and labels seem to start at 1"
                    .to_owned(),
            ),
            (_, without) => {
                Some(format!("{} of {} classes have no sample", without.len(), self.counts.len()))
            }
        }
    }
}

/// Class weights (C) that give each class the same share: U/(C·u) for a class whose samples have the total weight u, of
/// U in all. Classes without samples are not counted in C, and have the weight 1. `None` if the targets are not labels.
pub(crate) fn balanced_weights<T: Element>(
    dataset: &Dataset<T>,
    classes: usize,
    ignored: Option<i64>,
) -> Option<Array1<T>> {
    let TargetStore::Labels(labels) = &dataset.targets else { return None };
    let weight = |i: usize| dataset.sample_weights.as_ref().map_or(1.0, |weights| weights[i].widen());
    let mut sums = vec![0.0; classes];
    for (i, class) in with_classes(labels, classes).filter(|&(i, _)| Some(labels[i]) != ignored) {
        sums[class] += weight(i);
    }
    let with_samples = sums.iter().filter(|&&sum| sum > 0.0).count();
    let share = sums.iter().sum::<f64>() / with_samples as f64;
    Some(sums.into_iter().map(|sum| T::narrow(if sum > 0.0 { share / sum } else { 1.0 })).collect())
}

/// The samples whose label is a class, with this class.
fn with_classes(labels: &Array1<i64>, classes: usize) -> impl Iterator<Item = (usize, usize)> {
    let class = move |label: i64| usize::try_from(label).ok().filter(|&class| class < classes);
    labels.iter().enumerate().filter_map(move |(i, &label)| Some((i, class(label)?)))
}

fn name(names: Option<&[String]>, class: usize) -> String {
    names.and_then(|names| names.get(class)).map_or(class.to_string(), |name| shown(name).to_string())
}
