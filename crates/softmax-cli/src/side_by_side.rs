//! Compares backends in this process: each is checked against the oracle, then those that agree are timed in turn.

use crate::args::TimingArgs;
use crate::interrupt;
use crate::judge::{judge, problem_record, reference_record};
use crate::measure::{self, Contender, Timed};
use crate::memory::{check_problem, require_reference};
use crate::progress::Progress;
use crate::source::{self, Source, lacking_storage};
use softmax::{BackendElement, Entry, Error, Level, OutputSet, OwnedOutputs, Problem, Setup, SoftmaxBackend};
use softmax_conformance::{Reference, reference};
use softmax_record::{Comparison, Measured, Shape, Skipped};

/// How to compare backends on a problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) dx: bool,
    pub(crate) timing: &'a TimingArgs,
    /// The backend that speed-ups are relative to. `None`: the first that was timed.
    pub(crate) baseline: Option<&'a str>,
    pub(crate) threads: usize,
    /// The number of shards in two passes. `None`: one pass.
    pub(crate) shards: Option<usize>,
    /// The vector instructions of `fused`.
    pub(crate) simd: Option<Level>,
}

/// Checks the backends, and then times those that agree. An interruption skips the remaining work.
pub(crate) fn compare<T: BackendElement>(
    source: &Source<T>,
    entries: &[&Entry],
    plan: &Plan<'_>,
) -> anyhow::Result<Comparison> {
    let problem = source.problem()?;
    let setup = Setup { threads: Some(plan.threads), level: plan.simd, shards: plan.shards };
    let set = source::gradients(&problem, plan.dx);
    require_reference(&source.dataset.origin, &problem, set)?;
    let progress = Progress::new(entries.len());
    progress.doing("oracle");
    let reference = reference(&problem, set);
    // Backends that do not support the storage get a widened copy, and their records say so.
    let lacks = |entry: &&Entry| lacking_storage(entry.make::<T>(setup).as_ref(), &problem).is_some();
    let lacking: Vec<bool> = entries.iter().map(lacks).collect();
    if lacking.contains(&true) {
        let (n, d) = source.dataset.features.dim();
        check_problem::<T>(&source.dataset.origin, Shape { n, d, c: 0 })?;
    }
    let widened = lacking.contains(&true).then(|| source.widened()).transpose()?;
    let widened_problem = widened.as_ref().map(Source::problem).transpose()?;

    // A failed backend is kept with the number of checked ones before it, so that it can be inserted at its place.
    let (mut checked, mut failed, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for (k, (entry, lacks)) in entries.iter().zip(lacking).enumerate() {
        if interrupt::requested() {
            skipped.push(Skipped::new(entry.name(), "interrupted"));
            continue;
        }
        progress.doing(format!("checking {}", entry.name()));
        progress.at(k, entries.len());
        let widened = widened_problem.as_ref().filter(|_| lacks);
        let problem = widened.unwrap_or(&problem);
        let worth = measure::worth_running(entry, setup, problem, set, plan.timing.time_budget);
        if let Err(reason) = worth {
            skipped.push(reason);
            continue;
        }
        match check_backend(entry.name(), || entry.make(setup), problem, set, &reference) {
            Ok((measured, backend)) => {
                let measured = Measured { widened: widened.is_some(), ..measured };
                checked.push((measured, Contender { backend, problem }));
            }
            Err(error @ Error::Unsupported { .. }) => {
                skipped.push(Skipped::new(entry.name(), error.to_string()));
            }
            Err(Error::Backend { .. } | Error::Gone { .. }) if interrupt::requested() => {
                skipped.push(Skipped::new(entry.name(), "interrupted"));
            }
            Err(error @ (Error::Backend { .. } | Error::Gone { .. })) => {
                failed.push((checked.len(), Measured::failed(entry.name(), error.to_string())));
            }
            Err(error) => return Err(error.into()),
        }
    }

    let agreeing = checked.iter_mut().filter(|(measured, _)| measured.agrees());
    let (timed, mut contenders): (Vec<&mut Measured>, Vec<_>) =
        agreeing.map(|(measured, contender)| (measured, contender)).unzip();
    let times = measure::interleave(&mut contenders, &problem, set, plan.timing, &progress)?;
    for (measured, timed) in timed.into_iter().zip(times) {
        match timed {
            Ok(Timed { time, device_s }) => (measured.time, measured.device_s) = (time, device_s),
            Err(error) => *measured = Measured::failed(&measured.name, error.to_string()),
        }
    }
    let mut measured: Vec<Measured> = checked.into_iter().map(|(measured, _)| measured).collect();
    for (k, failed) in failed.into_iter().rev() {
        measured.insert(k, failed);
    }
    let record = problem_record(&problem, source, set, plan.threads, plan.shards);
    Ok(Comparison::new(record, reference_record(&reference), measured, skipped, plan.baseline))
}

fn check_backend<T: BackendElement>(
    name: &str,
    make: impl FnOnce() -> Box<dyn SoftmaxBackend<T>>,
    problem: &Problem<'_, T>,
    set: OutputSet,
    reference: &Reference,
) -> Result<(Measured, Box<dyn SoftmaxBackend<T>>), Error> {
    let mut outputs = OwnedOutputs::zeros(problem, set);
    let first_call = || {
        let mut backend = make();
        let evaluation = backend.evaluate(problem, &mut outputs.as_outputs());
        (backend, evaluation)
    };
    let ((backend, evaluation), extra_bytes) = measure::extra_bytes(first_call);
    let measured = judge(name, &evaluation?, &outputs, reference, |_| true);
    Ok((Measured { extra_bytes: Some(extra_bytes), ..measured }, backend))
}
