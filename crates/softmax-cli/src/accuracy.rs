//! The accuracy of a classifier.

use std::fmt;

/// How many of the labelled samples have their label as their predicted class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accuracy {
    right: usize,
    all: usize,
}

impl Accuracy {
    /// Counts hits, with `None` for samples without a label. `None` if no sample has one.
    pub(crate) fn of(hits: impl IntoIterator<Item = Option<bool>>) -> Option<Self> {
        let mut accuracy = Accuracy { right: 0, all: 0 };
        for hit in hits.into_iter().flatten() {
            accuracy.right += usize::from(hit);
            accuracy.all += 1;
        }
        (accuracy.all > 0).then_some(accuracy)
    }

    pub(crate) fn fraction(self) -> f64 {
        self.right as f64 / self.all as f64
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} right, {:.2}%", self.right, self.all, 100.0 * self.fraction())
    }
}
