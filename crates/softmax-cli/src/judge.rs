//! Checks an answer against the oracle's, and makes the record of it.

use crate::source::Source;
use softmax::{BackendElement, Evaluation, OutputSet, OwnedOutputs, Problem, Quantity};
use softmax_conformance::{OutputError, Precision, Reference, check};
use softmax_data::printable;
use softmax_record::{Failure, Measured, ProblemRecord, ReferenceRecord, Shape, cpu};

/// The record of a problem with the requested gradients, `set`.
pub(crate) fn problem_record<T: BackendElement>(
    problem: &Problem<'_, T>,
    source: &Source<T>,
    set: OutputSet,
    threads: usize,
    shards: Option<usize>,
) -> ProblemRecord {
    ProblemRecord {
        shape: Shape { n: problem.n_samples(), d: problem.n_features(), c: problem.n_classes() },
        classes_without_samples: source.classes_without_samples,
        dtype: T::DTYPE,
        // The name of a file is printed to a terminal, so control characters are escaped.
        source: printable(&source.dataset.origin).into_owned(),
        threads,
        cpu: cpu(),
        gradients: set.iter().map(Quantity::Output).collect(),
        shards,
    }
}

/// The record of the oracle's answer.
pub(crate) fn reference_record(reference: &Reference) -> ReferenceRecord {
    let mut arithmetic = match reference.precision {
        Precision::DoubleDouble => "double-double oracle".to_owned(),
        Precision::Double => "f64 oracle".to_owned(),
    };
    let samples: Vec<String> = reference
        .outputs
        .iter()
        .filter_map(|(kind, expected)| {
            let (axis, slices) = expected.sample.as_ref()?;
            let slice = if *axis == 0 { "rows" } else { "columns" };
            Some(format!("{} {slice} of the {kind}", slices.len()))
        })
        .collect();
    if !samples.is_empty() {
        arithmetic.push_str(&format!(" (checks {})", samples.join(" and ")));
    }
    ReferenceRecord { loss: reference.loss.value(), arithmetic }
}

/// The errors of the quantities that `is_known` accepts. Time and memory are left to the caller.
pub(crate) fn judge<T: BackendElement>(
    name: &str,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
    reference: &Reference,
    is_known: impl Fn(Quantity) -> bool,
) -> Measured {
    let errors = check(evaluation, outputs, reference);
    let errors: Vec<OutputError> = errors.into_iter().filter(|error| is_known(error.quantity)).collect();
    let worst = |wanted: fn(Quantity) -> bool| {
        let wanted = errors.iter().filter(|error| wanted(error.quantity));
        wanted.map(|error| error.relative_error).fold(0.0, f64::max)
    };
    let failure = |error: &OutputError| Failure {
        output: error.quantity.to_string(),
        index: error.index.clone(),
        message: error.to_string(),
    };
    Measured {
        name: name.to_owned(),
        peer: false,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        loss: evaluation.loss,
        loss_error: worst(|quantity| quantity == Quantity::Loss),
        gradient_error: worst(Quantity::is_gradient),
        errors: errors.iter().map(|error| (error.quantity, error.relative_error)).collect(),
        widened: false,
        time: None,
        device_s: None,
        speedup: None,
        extra_bytes: None,
        gflops: None,
        failures: errors.iter().filter(|error| !error.is_within_bound()).map(failure).collect(),
    }
}
