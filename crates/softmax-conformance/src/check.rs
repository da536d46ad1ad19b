//! Compares a backend's answer with the reference.

use crate::oracle::{Expected, Reference, TopRow};
use softmax_core::ndarray::{Array1, Array2, ArrayD};
use softmax_core::{Element, Evaluation, OutputKind, OutputSet, OwnedOutputs, Quantity};
use std::fmt;

/// The error of one quantity in a backend's answer, compared with the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputError {
    /// The quantity.
    pub quantity: Quantity,
    /// The entry with the largest error in units of its bound: one index per axis, empty for a scalar.
    pub index: Vec<usize>,
    /// The exact value there.
    pub expected: f64,
    /// The backend's value there.
    pub found: f64,
    /// The admissible error there.
    pub bound: f64,
    /// The error there divided by its bound: at most 1 if the output is right, infinite for an unexpected NaN.
    pub over_bound: f64,
    /// The largest error of the output, over its largest finite absolute value.
    pub relative_error: f64,
}

impl OutputError {
    /// Whether every entry is within its bound.
    pub fn is_within_bound(&self) -> bool {
        self.over_bound <= 1.0
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.quantity)?;
        if !self.index.is_empty() {
            write!(f, " at {:?}", self.index)?;
        }
        write!(f, ": expected {:e}, found {:e}", self.expected, self.found)?;
        if self.bound > 0.0 && self.over_bound.is_finite() {
            let times = self.over_bound;
            let times = if times < 1e6 { format!("{times:.3}") } else { format!("{times:.1e}") };
            write!(f, ", off by {times} times the bound of {:.1e}", self.bound)?;
        }
        Ok(())
    }
}

const PREDICTED: Quantity = Quantity::Output(OutputKind::Predicted);

/// Compares every output of the reference. Returns one entry per quantity, the loss first.
pub fn check<T: Element>(
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
    reference: &Reference,
) -> Vec<OutputError> {
    check_some(evaluation, outputs, reference, OutputSet::ALL)
}

/// Like [`check`], but of the outputs compares only those in `asked`.
pub(crate) fn check_some<T: Element>(
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
    reference: &Reference,
    asked: OutputSet,
) -> Vec<OutputError> {
    let mut errors = vec![
        compare_scalar(Quantity::Loss, evaluation.loss, &reference.loss),
        compare_scalar(Quantity::TotalWeight, evaluation.total_weight, &reference.total_weight),
        check_correct(evaluation.correct, reference.correct),
    ];
    for (kind, expected) in reference.outputs.iter().filter(|(kind, _)| asked.contains(*kind)) {
        errors.push(match real_output(outputs, *kind) {
            Some(found) => compare(Quantity::Output(*kind), &found, expected),
            None => missing(Quantity::Output(*kind)),
        });
    }
    let asked = |kind: OutputKind| asked.contains(kind);
    if let Some(candidates) = reference.predicted.as_ref().filter(|_| asked(OutputKind::Predicted)) {
        errors.push(match &outputs.predicted {
            Some(found) => check_predicted(&found.to_vec(), candidates, reference.classes),
            None => missing(PREDICTED),
        });
    }
    if let Some(ranks) = reference.label_rank.as_ref().filter(|_| asked(OutputKind::LabelRank)) {
        errors.push(check_ranks(outputs.label_rank.as_ref(), ranks, reference.classes));
    }
    if let Some(rows) = reference.top.as_ref() {
        if asked(OutputKind::TopClasses) {
            errors.push(check_top_classes(outputs.top_classes.as_ref(), rows, reference.classes));
        }
        if asked(OutputKind::TopLogProb) {
            errors.push(check_top_log_prob(outputs, rows));
        }
    }
    errors
}

/// An output in f64. `None` if it is absent, or if its entries are integers.
pub(crate) fn real_output<T: Element>(outputs: &OwnedOutputs<T>, kind: OutputKind) -> Option<ArrayD<f64>> {
    match kind {
        OutputKind::WeightsGradient => outputs.weights_gradient.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::FeaturesGradient => {
            outputs.features_gradient.as_ref().map(|a| a.mapv(T::widen).into_dyn())
        }
        OutputKind::BiasGradient => outputs.bias_gradient.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::SampleLosses => outputs.sample_losses.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::LogSumExp => outputs.log_sum_exp.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::Entropy => outputs.entropy.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::LabelLogProb => outputs.label_log_prob.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::TopLogProb => outputs.top_log_prob.as_ref().map(|a| a.mapv(T::widen).into_dyn()),
        OutputKind::Predicted | OutputKind::LabelRank | OutputKind::TopClasses => None,
    }
}

/// The outputs in which two answers differ. All NaN are equal, and so are zeros of both signs.
pub(crate) fn differing<T: Element>(a: &OwnedOutputs<T>, b: &OwnedOutputs<T>) -> Vec<OutputKind> {
    let same = |a: &f64, b: &f64| a == b || (a.is_nan() && b.is_nan());
    let differs = |&kind: &OutputKind| match kind {
        OutputKind::Predicted => a.predicted != b.predicted,
        OutputKind::LabelRank => a.label_rank != b.label_rank,
        OutputKind::TopClasses => a.top_classes != b.top_classes,
        kind => match (real_output(a, kind), real_output(b, kind)) {
            (Some(a), Some(b)) => a.dim() != b.dim() || !a.iter().zip(&b).all(|(a, b)| same(a, b)),
            (a, b) => a.is_some() != b.is_some(),
        },
    };
    OutputKind::ALL.iter().copied().filter(differs).collect()
}

fn compare_scalar(quantity: Quantity, found: f64, expected: &Expected) -> OutputError {
    let found = ArrayD::from_elem(vec![1], found);
    OutputError { index: Vec::new(), ..compare(quantity, &found, expected) }
}

fn compare(quantity: Quantity, found: &ArrayD<f64>, expected: &Expected) -> OutputError {
    use softmax_core::ndarray::Axis;
    if !has_shape(found, expected) {
        return missing(quantity);
    }
    let sampled;
    let found = match &expected.sample {
        Some((axis, slices)) => {
            sampled = found.select(Axis(*axis), slices);
            &sampled
        }
        None => found,
    };
    let mut worst = right(quantity);
    worst.over_bound = -1.0;
    let (mut largest, mut largest_error) = (0.0f64, 0.0f64);
    for ((index, &value), (&bound, &found)) in
        expected.values.indexed_iter().zip(expected.bounds.iter().zip(found.iter()))
    {
        let error = entry_error(value, found, bound);
        let over_bound = if error == 0.0 { 0.0 } else { nan_is_infinite(error / bound) };
        largest = largest.max(if value.is_finite() { value.abs() } else { 0.0 });
        largest_error = largest_error.max(error);
        if over_bound > worst.over_bound {
            let index = softmax_core::ndarray::Dimension::slice(&index).to_vec();
            worst = OutputError { index, expected: value, found, bound, over_bound, ..worst };
        }
    }
    if let (Some((axis, slices)), false) = (&expected.sample, worst.index.is_empty()) {
        worst.index[*axis] = slices[worst.index[*axis]];
    }
    worst.over_bound = worst.over_bound.max(0.0);
    worst.relative_error = if largest_error == 0.0 { 0.0 } else { largest_error / largest };
    worst
}

/// Whether an answer has the expected shape. If the expected values are a sample, that is the shape of the whole
/// output.
fn has_shape(found: &ArrayD<f64>, expected: &Expected) -> bool {
    let sampled = expected.sample.as_ref().map(|(axis, slices)| (*axis, slices.last()));
    let (found, wanted) = (found.shape(), expected.values.shape());
    found.len() == wanted.len()
        && found.iter().zip(wanted).enumerate().all(|(axis, (&length, &wanted))| match sampled {
            // The sample always contains the last slice.
            Some((along, last)) if along == axis => length == last.map_or(0, |last| last + 1),
            _ => length == wanted,
        })
}

/// |found − value|, but 0 for equal infinities, for two NaN, for two values that are not finite if the bound is
/// infinite, and for any value if the bound is [`Expected::ANYTHING`].
///
/// Any other difference that involves a value that is not finite is infinite.
fn entry_error(value: f64, found: f64, bound: f64) -> f64 {
    let neither_is_finite = !value.is_finite() && !found.is_finite();
    let is_admitted = bound == Expected::ANYTHING || (neither_is_finite && bound == f64::INFINITY);
    if value == found || (value.is_nan() && found.is_nan()) || is_admitted {
        0.0
    } else {
        nan_is_infinite((found - value).abs())
    }
}

fn nan_is_infinite(x: f64) -> f64 {
    if x.is_nan() { f64::INFINITY } else { x }
}

fn check_correct(found: Option<usize>, expected: Option<(usize, usize)>) -> OutputError {
    let holds = match (found, expected) {
        (Some(found), Some((least, most))) => (least..=most).contains(&found),
        (found, expected) => found.is_none() && expected.is_none(),
    };
    let number = |count: Option<usize>| count.map_or(f64::NAN, |count| count as f64);
    let entry = OutputError {
        expected: number(expected.map(|(least, _)| least)),
        found: number(found),
        ..right(Quantity::Correct)
    };
    if holds {
        entry
    } else {
        OutputError { over_bound: f64::INFINITY, relative_error: f64::INFINITY, ..entry }
    }
}

fn check_predicted(found: &[usize], candidates: &[Vec<usize>], classes: usize) -> OutputError {
    if found.len() != candidates.len() {
        return missing(PREDICTED);
    }
    let is_right = |class: usize, candidates: &[usize]| match candidates {
        [] => class < classes,
        candidates => candidates.contains(&class),
    };
    let wrong = found.iter().zip(candidates).position(|(&class, candidates)| !is_right(class, candidates));
    match wrong {
        None => right(PREDICTED),
        Some(i) => OutputError {
            index: vec![i],
            expected: candidates[i].first().map_or(f64::NAN, |&class| class as f64),
            found: found[i] as f64,
            ..missing(PREDICTED)
        },
    }
}

fn check_ranks(
    found: Option<&Array1<usize>>,
    ranks: &[Option<(usize, usize)>],
    classes: usize,
) -> OutputError {
    let quantity = Quantity::Output(OutputKind::LabelRank);
    let Some(found) = found.filter(|found| found.len() == ranks.len()) else { return missing(quantity) };
    let is_right = |rank: usize, expected: &Option<(usize, usize)>| match expected {
        None => rank <= classes,
        Some((least, most)) => (*least..=*most).contains(&rank),
    };
    match found.iter().zip(ranks).position(|(&rank, expected)| !is_right(rank, expected)) {
        None => right(quantity),
        Some(i) => OutputError {
            index: vec![i],
            expected: ranks[i].map_or(f64::NAN, |(least, _)| least as f64),
            found: found[i] as f64,
            ..missing(quantity)
        },
    }
}

fn check_top_classes(found: Option<&Array2<usize>>, rows: &[TopRow], classes: usize) -> OutputError {
    let quantity = Quantity::Output(OutputKind::TopClasses);
    let Some(found) = found.filter(|found| found.nrows() == rows.len()) else { return missing(quantity) };
    for ((i, j), &class) in found.indexed_iter() {
        let (row, found) = (&rows[i], found.row(i));
        let is_right = match row.candidates[..] {
            [] => class < classes,
            _ => row.admits(class, j) && !found.iter().take(j).any(|&other| other == class),
        };
        if !is_right {
            return OutputError {
                index: vec![i, j],
                expected: row.candidates.get(j).map_or(f64::NAN, |candidate| candidate.class as f64),
                found: class as f64,
                ..missing(quantity)
            };
        }
    }
    right(quantity)
}

/// Compares each entry with log p of the class found at the same place. If that class is missing or cannot be one of
/// the best, compares with log p of the class that belongs there.
fn check_top_log_prob<T: Element>(outputs: &OwnedOutputs<T>, rows: &[TopRow]) -> OutputError {
    let quantity = Quantity::Output(OutputKind::TopLogProb);
    let Some(found) = outputs.top_log_prob.as_ref().filter(|found| found.nrows() == rows.len()) else {
        return missing(quantity);
    };
    let entries = found.indexed_iter().map(|((i, j), _)| {
        let class = outputs.top_classes.as_ref().and_then(|classes| classes.get([i, j]));
        let of_class = class.and_then(|&class| rows[i].of(class));
        match of_class.or_else(|| rows[i].candidates.get(j)) {
            None => (f64::NAN, f64::INFINITY),
            // The class is unknown, so another one with a score within the error may be meant.
            Some(right) if of_class.is_none() => (right.log_prob, right.bound + 2.0 * right.score_error),
            Some(right) => (right.log_prob, right.bound),
        }
    });
    let expected = Expected::matrix(entries, found.nrows(), found.ncols());
    compare(quantity, &found.mapv(T::widen).into_dyn(), &expected)
}

/// The record of a right output.
fn right(quantity: Quantity) -> OutputError {
    OutputError {
        quantity,
        index: Vec::new(),
        expected: 0.0,
        found: 0.0,
        bound: 0.0,
        over_bound: 0.0,
        relative_error: 0.0,
    }
}

/// The record of an output that is missing, or of the wrong shape.
fn missing(quantity: Quantity) -> OutputError {
    OutputError {
        expected: f64::NAN,
        found: f64::NAN,
        over_bound: f64::INFINITY,
        relative_error: f64::INFINITY,
        ..right(quantity)
    }
}
