//! Measures the cost of a call: its time, in turns with other backends, and its memory.

use crate::args::TimingArgs;
use crate::interrupt;
use crate::memory::check_call;
use crate::progress::Progress;
use peak_alloc::PeakAlloc;
use softmax::{BackendElement, Entry, OutputSet, OwnedOutputs, Problem, Setup, SoftmaxBackend};
use softmax_record::{Skipped, Time, median, units};
use std::time::{Duration, Instant};

/// The number of time budgets that a single call may take. A backend with slower calls is skipped.
pub(crate) const PATIENCE: f64 = 4.0;

/// The largest number of rounds, unless more are requested. It suffices for a median, however fast a call is.
const MOST_ROUNDS: usize = 1000;

/// The number of multiply-adds above which a call is first estimated on some of its rows.
const PROBE_ABOVE: u64 = 1_000_000_000;

/// The number of multiply-adds of the smaller probe.
const PROBE_WORK: u64 = 100_000_000;

/// The cost of the exponential of a score, in multiply-adds.
const EXPONENTIAL: u64 = 20;

/// A backend, and the problem in a storage that it supports.
pub(crate) struct Contender<'p, T: BackendElement> {
    pub(crate) backend: Box<dyn SoftmaxBackend<T>>,
    pub(crate) problem: &'p Problem<'p, T>,
}

/// The times of a backend, and the median time of its device in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) time: Option<Time>,
    pub(crate) device_s: Option<f64>,
}

/// The measurements of a backend: seconds of its calls, seconds of its device, and the error that ended its turns.
#[derive(Debug, Default)]
struct Turns {
    seconds: Vec<f64>,
    on_device: Vec<f64>,
    error: Option<softmax::Error>,
}

/// Runs `call`, and returns the peak heap in bytes beyond what was held before. Zero if the program's allocator does
/// not count.
pub(crate) fn extra_bytes<R>(call: impl FnOnce() -> R) -> (R, u64) {
    let before = PeakAlloc.current_usage();
    PeakAlloc.reset_peak_usage();
    let result = call();
    (result, PeakAlloc.peak_usage().saturating_sub(before) as u64)
}

/// Skips a backend that does not support the problem, or whose call would need more memory than is free or more than
/// [`PATIENCE`] time budgets.
pub(crate) fn worth_running<T: BackendElement>(
    entry: &Entry,
    setup: Setup,
    problem: &Problem<'_, T>,
    set: OutputSet,
    budget: f64,
) -> Result<(), Skipped> {
    let name = entry.name();
    check_call(entry, problem, (set, 0)).map_err(|reason| Skipped::new(name, reason))?;
    // A separate instance: otherwise the first call would reuse memory of the trial, which would not be counted.
    let mut backend = entry.make::<T>(setup);
    let limit = PATIENCE * budget;
    let estimate = estimate(backend.as_mut(), problem, set, limit);
    match estimate {
        Err(error @ softmax::Error::Unsupported { .. }) => Err(Skipped::new(name, error.to_string())),
        // The call that follows fails as well, and its error is reported.
        Err(_) => Ok(()),
        Ok(Some(seconds)) if seconds > limit => {
            let (call, budget) = (units::seconds(seconds), units::seconds(budget));
            let reason = format!("one call would take about {call}, with a time budget of {budget}");
            Err(Skipped { estimate_s: Some(seconds), ..Skipped::new(name, reason) })
        }
        _ => Ok(()),
    }
}

/// The cost of a row in multiply-adds: its scores and their exponentials.
fn row_work(d: u64, c: u64) -> u64 {
    c.saturating_mul(d.saturating_add(EXPONENTIAL)).max(1)
}

/// Estimates the seconds of a call from some of its rows. `None` if the problem is small enough to run without an
/// estimate, or if a few rows already show that the call takes at most `limit`.
fn estimate<T: BackendElement>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
    set: OutputSet,
    limit: f64,
) -> softmax::Result<Option<f64>> {
    let (n, d, c) = (problem.n_samples() as u64, problem.n_features() as u64, problem.n_classes() as u64);
    let row = row_work(d, c);
    if n.saturating_mul(row) <= PROBE_ABOVE {
        return Ok(None);
    }
    // Scaling the time of some rows to all gives an upper bound, since the work on W does not depend on the rows.
    let is_within = |rows: u64, seconds: f64| seconds * (n as f64 / rows as f64) <= limit;
    let mut time = |rows: u64| -> softmax::Result<f64> {
        let problem = problem.rows(0..rows as usize);
        let mut outputs = OwnedOutputs::zeros(&problem, set);
        let mut call = || -> softmax::Result<f64> {
            let start = Instant::now();
            backend.evaluate(&problem, &mut outputs.as_outputs())?;
            Ok(start.elapsed().as_secs_f64())
        };
        // The first call also allocates. If its time is not within the limit, a second call gives the time.
        let first = call()?;
        if is_within(rows, first) { Ok(first) } else { call() }
    };
    // Two sizes, because of the constant work on W. They are far enough apart that the difference exceeds the noise.
    let few = (PROBE_WORK / row).clamp(1, n);
    let least = time(few)?;
    if is_within(few, least) {
        return Ok(None);
    }
    if least > limit {
        return Ok(Some(least));
    }
    let mut more = (few * 4).min(n);
    let mut longer = time(more)?;
    while longer < 2.0 * least && more < n && !is_within(more, longer) {
        more = (more * 4).min(n);
        longer = time(more)?;
    }
    let per_row = (longer - least).max(0.0) / (more - few).max(1) as f64;
    Ok(Some(longer + per_row * (n - more) as f64))
}

/// Times the backends in turn, round by round, so that a drift of the machine's speed affects all equally. After an
/// interruption the times are those measured so far, possibly none. A backend that fails gets no more turns.
pub(crate) fn interleave<T: BackendElement>(
    contenders: &mut [&mut Contender<'_, T>],
    problem: &Problem<'_, T>,
    set: OutputSet,
    timing: &TimingArgs,
    progress: &Progress,
) -> anyhow::Result<Vec<Result<Timed, softmax::Error>>> {
    let mut outputs = OwnedOutputs::zeros(problem, set);
    let mut turns: Vec<Turns> = contenders.iter().map(|_| Turns::default()).collect();
    rounds(timing, 1, contenders.len(), progress, |k| {
        if turns[k].error.is_some() {
            return Ok(());
        }
        let mut views = outputs.as_outputs();
        let start = Instant::now();
        let Contender { backend, problem } = &mut *contenders[k];
        match backend.evaluate(problem, &mut views) {
            Ok(_) => turns[k].seconds.push(start.elapsed().as_secs_f64()),
            // An error after an interruption does not count as a failure.
            Err(_) if interrupt::requested() => {}
            Err(error) => turns[k].error = Some(error),
        }
        turns[k].on_device.extend(backend.device_time().map(|time| time.as_secs_f64()));
        Ok(())
    })?;
    let timed = |Turns { seconds, mut on_device, error }| match error {
        None => Ok(Timed { time: Time::of(seconds), device_s: median(&mut on_device) }),
        Some(error) => Err(error),
    };
    Ok(turns.into_iter().map(timed).collect())
}

/// Runs rounds in which each of `count` contenders has one turn. The number of rounds is as requested, or else at least
/// `fewest`, and more as the budget allows. An interruption ends them.
pub(crate) fn rounds(
    timing: &TimingArgs,
    fewest: usize,
    count: usize,
    progress: &Progress,
    mut turn: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    progress.doing("timing");
    let budget = Duration::from_secs_f64(timing.time_budget);
    let start = Instant::now();
    for round in 0.. {
        let elapsed = start.elapsed();
        let done = match timing.repeat {
            Some(rounds) => round >= rounds as usize,
            None => round >= fewest && (elapsed > budget || round >= MOST_ROUNDS),
        };
        if done {
            break;
        }
        match timing.repeat {
            Some(rounds) => progress.at(round, rounds as usize),
            None => progress.at(elapsed.min(budget).as_millis() as usize, budget.as_millis() as usize),
        }
        for k in 0..count {
            if interrupt::requested() {
                return Ok(());
            }
            turn(k)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_work() {
        // 10⁹ multiply-adds for the scores, and 2·10⁷ exponentials.
        assert!(20 * row_work(50, 1_000_000) > PROBE_ABOVE);
        assert!(1797 * row_work(64, 10) < PROBE_ABOVE);
        assert_eq!(row_work(u64::MAX, u64::MAX), u64::MAX);
        assert!(row_work(0, 1) > 0 && row_work(5, 0) > 0, "it divides");
    }
}
