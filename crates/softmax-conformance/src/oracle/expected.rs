//! The oracle's answer to a problem.

use super::real::Precision;
use ndarray::{Array1, Array2, ArrayD};
use softmax_core::{OutputKind, ndarray};

/// The expected answer: a value and an error bound for each entry.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The loss.
    pub loss: Expected,
    /// Ω.
    pub total_weight: Expected,
    /// The smallest and the largest admissible number of correctly predicted samples. They differ if scores tie within
    /// their bounds. `None` without labels.
    pub correct: Option<(usize, usize)>,
    /// C.
    pub classes: usize,
    /// For each sample, the classes that are admissible as the predicted one. Empty if a score is NaN: any class is
    /// admissible.
    pub predicted: Option<Vec<Vec<usize>>>,
    /// For each sample, the smallest and the largest admissible rank of its label; both are C if the label is not a
    /// class. `None` if a score is NaN: any rank up to C is admissible.
    pub label_rank: Option<Vec<Option<(usize, usize)>>>,
    /// The best classes of each sample.
    pub top: Option<Vec<TopRow>>,
    /// The other outputs that were requested.
    pub outputs: Vec<(OutputKind, Expected)>,
    /// The arithmetic of these values.
    pub precision: Precision,
}

/// The classes that may be among the best of a sample, largest score first. Empty if a score is NaN: any class is
/// admissible.
#[derive(Clone, Debug, Default)]
pub struct TopRow {
    /// At least as many as are requested; more if scores are closer than their errors.
    pub candidates: Vec<TopClass>,
}

/// A class that may be among the best.
#[derive(Clone, Copy, Debug)]
pub struct TopClass {
    /// The class.
    pub class: usize,
    /// The score s.
    pub score: f64,
    /// The admissible error of the score.
    pub score_error: f64,
    /// The log-probability log p.
    pub log_prob: f64,
    /// The admissible error of log p. If it is infinite, any value that is not finite is admissible.
    pub bound: f64,
}

impl TopRow {
    /// Whether `class` is admissible at place `j` of the best.
    pub(crate) fn admits(&self, class: usize, j: usize) -> bool {
        let (Some(right), Some(found)) = (self.candidates.get(j), self.of(class)) else { return false };
        let error = right.score_error + found.score_error;
        found.class == right.class || (error > 0.0 && found.score + error >= right.score)
    }

    pub(crate) fn of(&self, class: usize) -> Option<&TopClass> {
        self.candidates.iter().find(|candidate| candidate.class == class)
    }
}

/// Expected values and their error bounds, of the same shape.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The exact values, rounded to f64.
    pub values: ArrayD<f64>,
    /// The admissible absolute errors. Where the expected value is not finite, an infinite bound admits any value that
    /// is not finite. [`ANYTHING`](Self::ANYTHING) admits any value.
    pub bounds: ArrayD<f64>,
    /// If the values are only a sample of the output: the sampled axis, and the indices along it in ascending order.
    pub sample: Option<(usize, Vec<usize>)>,
}

impl Expected {
    /// The bound of a value that the contract does not specify.
    pub const ANYTHING: f64 = -1.0;

    pub(crate) fn scalar(value: f64, bound: f64) -> Self {
        Expected {
            values: Array1::from_elem(1, value).into_dyn(),
            bounds: Array1::from_elem(1, bound).into_dyn(),
            sample: None,
        }
    }

    pub(super) fn vector(entries: Vec<(f64, f64)>) -> Self {
        let (values, bounds): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        Expected {
            values: Array1::from(values).into_dyn(),
            bounds: Array1::from(bounds).into_dyn(),
            sample: None,
        }
    }

    /// Makes any value that is not finite admissible where the expected value is not finite.
    pub(super) fn admit_any_infinity(&mut self) {
        let bounds = self.bounds.iter_mut().zip(&self.values);
        bounds.filter(|(_, value)| !value.is_finite()).for_each(|(bound, _)| *bound = f64::INFINITY);
    }

    /// The value of a scalar, or the first entry.
    pub fn value(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    /// A matrix from its entries in row-major order.
    pub(crate) fn matrix(entries: impl Iterator<Item = (f64, f64)>, rows: usize, columns: usize) -> Self {
        // Not with `unzip`, which would reallocate if the iterator does not know its length.
        let [mut values, mut bounds] = [(); 2].map(|()| Vec::with_capacity(rows * columns));
        for (value, bound) in entries {
            values.push(value);
            bounds.push(bound);
        }
        let shaped =
            |flat| Array2::from_shape_vec((rows, columns), flat).expect("one entry per place").into_dyn();
        Expected { values: shaped(values), bounds: shaped(bounds), sample: None }
    }
}
