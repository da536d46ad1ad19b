//! What a call costs: time, side by side with others', and memory.

use crate::args::TimingArgs;
use crate::interrupt;
use crate::progress::Progress;
use ndarray::{Array, Axis, Dimension, Slice};
use peak_alloc::PeakAlloc;
use serde::Serialize;
use softmax_core::{Element, OutputSet, OwnedOutputs, OwnedProblem, OwnedTargets, Problem, SoftmaxBackend};
use std::time::{Duration, Instant};

/// Rounds that are enough for a median, however fast a call is.
const MOST_ROUNDS: usize = 1000;

/// Multiply-adds above which a call is estimated on some of its rows before all of it is run.
const PROBE_ABOVE: u64 = 1_000_000_000;

/// Multiply-adds of the smaller such probe.
const PROBE_WORK: u64 = 100_000_000;

/// A backend's times over the rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Time {
    pub(crate) median_s: f64,
    pub(crate) min_s: f64,
    /// The median absolute deviation from the median.
    pub(crate) mad_s: f64,
    pub(crate) rounds: usize,
}

/// A backend's times, and the median of what its device took of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) time: Option<Time>,
    pub(crate) device_s: Option<f64>,
}

impl Time {
    /// None of no seconds.
    fn new(mut seconds: Vec<f64>) -> Option<Self> {
        if seconds.is_empty() {
            return None;
        }
        let median_s = median(&mut seconds);
        let mut deviations: Vec<f64> = seconds.iter().map(|s| (s - median_s).abs()).collect();
        Some(Time { median_s, min_s: seconds[0], mad_s: median(&mut deviations), rounds: seconds.len() })
    }
}

/// Sorts, and gives the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Runs `call`, and gives the peak of heap that it held beyond what was held before. Zero in a program whose
/// allocator does not count.
pub(crate) fn extra_bytes<R>(call: impl FnOnce() -> R) -> (R, usize) {
    let before = PeakAlloc.current_usage();
    PeakAlloc.reset_peak_usage();
    let result = call();
    (result, PeakAlloc.peak_usage().saturating_sub(before))
}

/// How long a call would take, from some of its rows; `None` where the problem is small enough to just run.
pub(crate) fn estimate<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
    set: OutputSet,
) -> softmax_core::Result<Option<Duration>> {
    let problem = owned.problem()?;
    let (n, d, c) = (problem.n_samples() as u64, problem.n_features() as u64, problem.n_classes() as u64);
    if n.saturating_mul(d).saturating_mul(c) <= PROBE_ABOVE {
        return Ok(None);
    }
    let mut time = |rows: u64| -> softmax_core::Result<f64> {
        let part = first_rows(owned, rows as usize);
        let problem = part.problem()?;
        let mut outputs = OwnedOutputs::zeros(&problem, set);
        // Once for the memory that it takes, once for the time.
        backend.evaluate(&problem, &mut outputs.as_outputs())?;
        let start = Instant::now();
        backend.evaluate(&problem, &mut outputs.as_outputs())?;
        Ok(start.elapsed().as_secs_f64())
    };
    // Two sizes, since what a call does to W costs the same for few rows as for all; and far enough apart that the
    // difference is more than noise.
    let few = (PROBE_WORK / (d * c)).clamp(1, n);
    let least = time(few)?;
    let mut more = (few * 4).min(n);
    let mut longer = time(more)?;
    while longer < 2.0 * least && more < n {
        more = (more * 4).min(n);
        longer = time(more)?;
    }
    let per_row = (longer - least).max(0.0) / (more - few).max(1) as f64;
    Ok(Some(Duration::from_secs_f64(longer + per_row * (n - more) as f64)))
}

/// The first rows of a problem.
fn first_rows<T: Element>(owned: &OwnedProblem<T>, rows: usize) -> OwnedProblem<T> {
    fn first<A: Clone, D: Dimension>(array: &Array<A, D>, rows: usize) -> Array<A, D> {
        array.slice_axis(Axis(0), Slice::from(..rows)).to_owned()
    }
    OwnedProblem {
        features: first(&owned.features, rows),
        targets: match &owned.targets {
            OwnedTargets::Labels(labels) => OwnedTargets::Labels(first(labels, rows)),
            OwnedTargets::Soft(soft) => OwnedTargets::Soft(first(soft, rows)),
        },
        sample_weights: owned.sample_weights.as_ref().map(|u| first(u, rows)),
        weights: owned.weights.clone(),
        bias: owned.bias.clone(),
        class_weights: owned.class_weights.clone(),
        objective: owned.objective,
    }
}

/// Times the backends in turn, round by round, so that a drift of the machine's speed hits all alike. After an
/// interruption there is what was measured by then, which may be nothing.
pub(crate) fn interleave<T: Element>(
    backends: &mut [Box<dyn SoftmaxBackend<T>>],
    problem: &Problem<'_, T>,
    set: OutputSet,
    timing: &TimingArgs,
    progress: &Progress,
) -> softmax_core::Result<Vec<Timed>> {
    let mut outputs = OwnedOutputs::zeros(problem, set);
    let mut seconds = vec![(Vec::new(), Vec::new()); backends.len()];
    let budget = Duration::from_secs_f64(timing.time_budget);
    let start = Instant::now();
    'rounds: for round in 0.. {
        let elapsed = start.elapsed();
        let done = match timing.repeat {
            Some(rounds) => round >= rounds as usize,
            None => round > 0 && (elapsed > budget || round >= MOST_ROUNDS),
        };
        if done {
            break;
        }
        match timing.repeat {
            Some(rounds) => progress.at(round, rounds as usize),
            None => progress.at(elapsed.min(budget).as_millis() as usize, budget.as_millis() as usize),
        }
        for (backend, (seconds, on_device)) in backends.iter_mut().zip(&mut seconds) {
            if interrupt::requested() {
                break 'rounds;
            }
            let mut views = outputs.as_outputs();
            let start = Instant::now();
            backend.evaluate(problem, &mut views)?;
            seconds.push(start.elapsed().as_secs_f64());
            on_device.extend(backend.device_time().map(|time| time.as_secs_f64()));
        }
    }
    let timed = |(seconds, on_device)| Timed {
        time: Time::new(seconds),
        device_s: Time::new(on_device).map(|time| time.median_s),
    };
    Ok(seconds.into_iter().map(timed).collect())
}
