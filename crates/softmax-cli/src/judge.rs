//! An answer held against the oracle's, as it is written down.

use softmax_conformance::{OutputError, Precision, Reference, check};
use softmax_core::{Element, Evaluation, OutputKind, OutputSet, OwnedOutputs, Problem};
use softmax_record::{Failure, Measured, Output, ProblemRecord, ReferenceRecord, Shape, cpu};

/// A problem, of which these gradients are asked for.
pub(crate) fn problem_record<T: Element>(
    problem: &Problem<'_, T>,
    origin: String,
    classes_without_samples: usize,
    set: OutputSet,
    threads: usize,
) -> ProblemRecord {
    ProblemRecord {
        shape: Shape { n: problem.n_samples(), d: problem.n_features(), c: problem.n_classes() },
        classes_without_samples,
        dtype: T::DTYPE,
        source: origin,
        threads,
        cpu: cpu(),
        gradients: set.iter().map(Output::from).collect(),
    }
}

/// The oracle's answer.
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

/// The errors of those outputs that `is_known` admits. What it cost is not known here.
pub(crate) fn judge<T: Element>(
    name: &str,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
    reference: &Reference,
    is_known: impl Fn(Output) -> bool,
) -> Measured {
    let errors = check(evaluation, outputs, reference);
    let errors: Vec<(Output, OutputError)> =
        errors.into_iter().map(|error| (output_of(&error), error)).filter(|(o, _)| is_known(*o)).collect();
    let worst = |wanted: fn(Output) -> bool| {
        errors.iter().filter(|(o, _)| wanted(*o)).map(|(_, e)| e.relative_error).fold(0.0, f64::max)
    };
    let failure = |(_, error): &(Output, OutputError)| Failure {
        output: error.output.to_string(),
        index: error.index.clone(),
        message: error.to_string(),
    };
    Measured {
        name: name.to_owned(),
        peer: false,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        loss: evaluation.loss,
        loss_error: worst(|output| output == Output::Loss),
        gradient_error: worst(Output::is_gradient),
        errors: errors.iter().map(|(output, error)| (*output, error.relative_error)).collect(),
        time: None,
        device_s: None,
        speedup: None,
        extra_bytes: None,
        gflops: None,
        failures: errors.iter().filter(|(_, error)| !error.is_within_bound()).map(failure).collect(),
    }
}

/// Which output an error is of.
fn output_of(error: &OutputError) -> Output {
    match error.output {
        "loss" => Output::Loss,
        "total weight" => Output::TotalWeight,
        "correct" => Output::Correct,
        name => {
            let kind = OutputKind::ALL.into_iter().find(|kind| kind.name() == name);
            kind.map_or(Output::Predicted, Output::from)
        }
    }
}
