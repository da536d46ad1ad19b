//! What the oracle says of a problem.

use super::real::Precision;
use ndarray::{Array1, Array2, ArrayD};
use softmax_core::{OutputKind, ndarray};

/// What the answer should be, entry by entry, and how far off each entry may be.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The loss.
    pub loss: Expected,
    /// Ω.
    pub total_weight: Expected,
    /// The fewest and the most samples that a correct backend may call correctly predicted: they differ where
    /// scores tie within their bounds. `None` for soft targets.
    pub correct: Option<(usize, usize)>,
    /// C.
    pub classes: usize,
    /// For each sample, the classes that may be called the predicted one. Empty where the scores contain a NaN:
    /// any of the classes will do.
    pub predicted: Option<Vec<Vec<usize>>>,
    /// For each sample, the fewest and the most classes that may be found above its label: twice C where the label is no
    /// class. `None` where the scores contain a NaN: anything up to C will do.
    pub label_rank: Option<Vec<Option<(usize, usize)>>>,
    /// The best classes of each sample.
    pub top: Option<Vec<TopRow>>,
    /// The other outputs that were requested.
    pub outputs: Vec<(OutputKind, Expected)>,
    /// The arithmetic that gave these values.
    pub precision: Precision,
}

/// The classes that may be among a sample's best, the best first. None where the scores contain a NaN: any will do.
#[derive(Clone, Debug, Default)]
pub struct TopRow {
    /// As many as are requested at least; more where scores are closer than their errors.
    pub candidates: Vec<TopClass>,
}

/// A class that may be among the best.
#[derive(Clone, Copy, Debug)]
pub struct TopClass {
    /// The class.
    pub class: usize,
    /// s, and its admissible error.
    pub score: f64,
    /// The error of the score.
    pub score_error: f64,
    /// log p, and its admissible error.
    pub log_prob: f64,
    /// The error of log p. Infinite: any value that is not finite will do.
    pub bound: f64,
}

impl TopRow {
    /// Whether `class` may be found at place `j` of the best.
    pub(crate) fn admits(&self, class: usize, j: usize) -> bool {
        let (Some(right), Some(found)) = (self.candidates.get(j), self.of(class)) else { return false };
        let error = right.score_error + found.score_error;
        found.class == right.class || (error > 0.0 && found.score + error >= right.score)
    }

    pub(crate) fn of(&self, class: usize) -> Option<&TopClass> {
        self.candidates.iter().find(|candidate| candidate.class == class)
    }
}

/// Values and the largest admissible errors, of the same shape.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The exact values, rounded to f64.
    pub values: ArrayD<f64>,
    /// The admissible absolute errors. Infinite: any value that is not finite will do, where the exact one is not.
    /// [`ANYTHING`](Self::ANYTHING): any value will do.
    pub bounds: ArrayD<f64>,
    /// Where not the whole output is here: which slices of it along which axis, in order.
    pub sample: Option<(usize, Vec<usize>)>,
}

impl Expected {
    /// The bound of a value that the contract leaves open.
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

    /// Where a value is not finite, any that is not will do.
    pub(super) fn admit_any_infinity(&mut self) {
        let bounds = self.bounds.iter_mut().zip(&self.values);
        bounds.filter(|(_, value)| !value.is_finite()).for_each(|(bound, _)| *bound = f64::INFINITY);
    }

    /// The value of a scalar, or the first entry.
    pub fn value(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    /// Of entries row by row.
    pub(crate) fn matrix(entries: impl Iterator<Item = (f64, f64)>, rows: usize, columns: usize) -> Self {
        // Not by `unzip`, which makes them grow where the iterator does not know its length.
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
