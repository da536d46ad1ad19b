//! Checks that memory suffices before large allocations, because a failed allocation would abort the program.

use crate::machine;
use softmax::{BackendElement, Entry, OutputKind, OutputSet, Problem};
use softmax_conformance::reference_bytes;
use softmax_record::{Shape, units};

/// Fails if the arrays of a problem do not fit into memory.
pub(crate) fn check_problem<T>(whose: &str, shape: Shape) -> anyhow::Result<()> {
    let Shape { n, d, c } = shape;
    // X, W, dW and labels. Without samples there are still means and deviations of the features, in f64.
    let entries = product(n.max(4), d) + 2.0 * product(d, c);
    let needed = entries * size_of::<T>() as f64 + product(n, size_of::<i64>());
    check(needed).map_err(|room| {
        anyhow::anyhow!(
            "{whose}: expected a problem that fits into memory, found {shape}, which takes {room}"
        )
    })
}

/// Fails if the arrays that a solver keeps, each of the size of the parameters, do not fit into memory.
pub(crate) fn check_fit<T>(whose: &str, d: usize, c: usize) -> anyhow::Result<()> {
    // Ten pairs of steps and gradient changes, points and directions, some of them in f64.
    const ARRAYS: f64 = 32.0;
    check(ARRAYS * product(d.saturating_add(1), c.max(1)) * size_of::<T>() as f64).map_err(|room| {
        anyhow::anyhow!(
            "{whose}: expected a model that can be fitted in memory, found {d}×{c} weights: a fit takes {room}"
        )
    })
}

/// Fails if predictions of so many classes for each of `n` samples do not fit into memory.
pub(crate) fn check_predictions<T>(whose: &str, flag: &str, n: usize, classes: usize) -> anyhow::Result<()> {
    // The classes in order of probability, log p in that order and by class, and the text of a table.
    const TEXT: usize = 16;
    let bytes = size_of::<usize>() + 2 * size_of::<T>() + TEXT;
    check(product(n, classes) * bytes as f64).map_err(|room| {
        anyhow::anyhow!(
            "{flag}: expected predictions that fit into memory, found {classes} for each of the {n} samples of {whose}, \
             which take {room}"
        )
    })
}

/// Fails if the outputs of a call, with `top` classes in the top-k outputs, and the arrays of scores that the backend
/// holds do not fit into memory. The error is the reason.
pub(crate) fn check_call<T: BackendElement>(
    entry: &Entry,
    problem: &Problem<'_, T>,
    (set, top): (OutputSet, usize),
) -> Result<(), String> {
    let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
    let outputs = set.iter().map(|kind| match kind {
        OutputKind::WeightsGradient => product(d, c),
        OutputKind::FeaturesGradient => product(n, d),
        OutputKind::BiasGradient => c as f64,
        OutputKind::SampleLosses
        | OutputKind::LogSumExp
        | OutputKind::Predicted
        | OutputKind::Entropy
        | OutputKind::LabelLogProb
        | OutputKind::LabelRank => n as f64,
        OutputKind::TopClasses | OutputKind::TopLogProb => product(n, top),
    });
    let scores = entry.score_arrays() as f64 * product(n, c);
    check((outputs.sum::<f64>() + scores) * size_of::<T>() as f64)
        .map_err(|room| format!("a call of {} takes {room}", entry.name()))
}

/// Like [`check_call`], with an error message about the problem.
pub(crate) fn require_call<T: BackendElement>(
    whose: &str,
    entry: &Entry,
    problem: &Problem<'_, T>,
    asked: (OutputSet, usize),
) -> anyhow::Result<()> {
    check_call(entry, problem, asked).map_err(|reason| {
        anyhow::anyhow!("{whose}: expected a problem whose evaluation fits into memory, but {reason}")
    })
}

/// Fails if the memory of the oracle does not suffice for a problem.
pub(crate) fn require_reference<T: BackendElement>(
    whose: &str,
    problem: &Problem<'_, T>,
    set: OutputSet,
) -> anyhow::Result<()> {
    check(reference_bytes(problem, set)).map_err(|room| {
        anyhow::anyhow!(
            "{whose}: expected a problem whose reference fits into memory, but that takes {room}; eval needs none"
        )
    })
}

/// Fails if `needed` bytes exceed the free memory, with both sizes in the error.
fn check(needed: f64) -> Result<(), String> {
    match machine::available_bytes() {
        Some(available) if needed > available as f64 => {
            let (needed, available) = (units::bytes(needed as u64), units::bytes(available));
            Err(format!("{needed}, but only {available} are free"))
        }
        _ => Ok(()),
    }
}

fn product(a: usize, b: usize) -> f64 {
    a as f64 * b as f64
}
