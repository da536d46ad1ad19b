//! `softmax compare`: every backend is checked against the oracle, then all are timed side by side.

use crate::args::{CompareArgs, Format};
use crate::measure::{self, Time};
use crate::registry::{BackendEntry, CliElement, Registry, Setup};
use crate::source::{self, Source};
use crate::{Verdict, machine, report, units};
use anyhow::Context;
use serde::Serialize;
use softmax_conformance::{OutputError, Precision, Reference, check, reference};
use softmax_core::{Dtype, OutputKind, OutputSet, OwnedOutputs, OwnedProblem, Problem, SoftmaxBackend};
use softmax_data::write_atomically;
use std::io::Write;

/// How many time budgets a single call may take before its backend is left out.
const PATIENCE: f64 = 4.0;

/// The result. Its JSON keys are a contract.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) problem: ProblemRecord,
    pub(crate) reference: ReferenceRecord,
    pub(crate) agree: bool,
    pub(crate) backends: Vec<Measured>,
    pub(crate) skipped: Vec<Skipped>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ProblemRecord {
    pub(crate) n: usize,
    pub(crate) d: usize,
    pub(crate) c: usize,
    pub(crate) dtype: String,
    pub(crate) source: String,
    pub(crate) threads: usize,
    pub(crate) cpu: String,
    /// dW, db, dX: what is asked for beside the loss.
    pub(crate) gradients: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReferenceRecord {
    pub(crate) loss: f64,
    pub(crate) arithmetic: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) loss: f64,
    /// Relative.
    pub(crate) loss_error: f64,
    /// max |g − g_ref| / max |g_ref|, the worst of the gradients.
    pub(crate) gradient_error: f64,
    /// None for a backend that disagrees: a wrong answer is not timed.
    pub(crate) time: Option<Time>,
    /// The first backend's time over this one's.
    pub(crate) speedup: Option<f64>,
    /// The peak of heap that the first call held beyond inputs and outputs.
    pub(crate) extra_bytes: usize,
    pub(crate) gflops: Option<f64>,
    pub(crate) failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) output: String,
    pub(crate) index: Vec<usize>,
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) estimate_s: Option<f64>,
}

pub(crate) fn run(args: &CompareArgs, registry: &Registry, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let entries = registry.select(&args.backends)?;
    let comparison = match args.problem.dtype.into() {
        Dtype::F32 => compare::<f32>(args, &entries)?,
        Dtype::F64 => compare::<f64>(args, &entries)?,
    };
    let write = |out: &mut dyn Write| match args.format {
        Format::Table => report::write_table(&comparison, out),
        Format::Json => report::write_json(&comparison, out),
    };
    match &args.output {
        None => write(out)?,
        Some(path) => write_atomically(path, |mut file| write(&mut file))?,
    }
    Ok(if comparison.agree { Verdict::AllAgree } else { Verdict::Disagreement })
}

fn compare<T: CliElement>(args: &CompareArgs, entries: &[&BackendEntry]) -> anyhow::Result<Comparison> {
    let Source { origin, problem: owned } = source::load::<T>(&args.problem, &args.objective)?;
    let problem = owned.problem().with_context(|| origin.clone())?;
    let threads = machine::set_threads(args.timing.threads)?;
    let set = outputs_to_compare(&problem, args.dx);
    let reference = reference(&problem, set);

    let mut checked = Vec::new();
    let mut backends = Vec::new();
    let mut skipped = Vec::new();
    for entry in entries {
        let mut trial = T::make(entry, Setup { threads });
        match worth_running(trial.as_mut(), &owned, set, args.timing.time_budget) {
            Err(mut reason) => {
                reason.name = entry.name.to_owned();
                skipped.push(reason);
            }
            Ok(()) => {
                drop(trial);
                let make = || T::make(entry, Setup { threads });
                let (measured, backend) = check_backend(entry.name, make, &problem, set, &reference)?;
                checked.push(measured);
                backends.push(backend);
            }
        }
    }

    time_those_that_agree(&mut checked, backends, &problem, set, args)?;
    let names = |kind| match kind {
        OutputKind::WeightsGradient => "dW",
        OutputKind::BiasGradient => "db",
        _ => "dX",
    };
    Ok(Comparison {
        problem: ProblemRecord {
            n: problem.n_samples(),
            d: problem.n_features(),
            c: problem.n_classes(),
            dtype: T::DTYPE.to_string(),
            source: origin,
            threads,
            cpu: machine::cpu(),
            gradients: set.iter().map(names).collect(),
        },
        reference: ReferenceRecord { loss: reference.loss.value(), arithmetic: arithmetic(&reference) },
        agree: checked.iter().all(|backend| backend.failures.is_empty()) && !checked.is_empty(),
        backends: checked,
        skipped,
    })
}

fn outputs_to_compare<T: CliElement>(problem: &Problem<'_, T>, dx: bool) -> OutputSet {
    let mut set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    if problem.bias().is_some() {
        set = set.with(OutputKind::BiasGradient);
    }
    if dx { set.with(OutputKind::FeaturesGradient) } else { set }
}

/// Refuses a backend that does not do this, or whose one call would take several time budgets.
fn worth_running<T: CliElement>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
    set: OutputSet,
    budget: f64,
) -> Result<(), Skipped> {
    let skipped = |reason, estimate_s| Skipped { name: String::new(), reason, estimate_s };
    let estimate =
        measure::estimate(backend, owned, set).map_err(|error| skipped(error.to_string(), None))?;
    let Some(seconds) = estimate.map(|estimate| estimate.as_secs_f64()) else { return Ok(()) };
    if seconds <= PATIENCE * budget {
        return Ok(());
    }
    let (call, budget) = (units::seconds(seconds), units::seconds(budget));
    let reason = format!("one call would take about {call}, with a time budget of {budget}");
    Err(skipped(reason, Some(seconds)))
}

fn check_backend<T: CliElement>(
    name: &str,
    make: impl FnOnce() -> Box<dyn SoftmaxBackend<T>>,
    problem: &Problem<'_, T>,
    set: OutputSet,
    reference: &Reference,
) -> anyhow::Result<(Measured, Box<dyn SoftmaxBackend<T>>)> {
    let mut outputs = OwnedOutputs::zeros(problem, set);
    let first_call = || {
        let mut backend = make();
        let evaluation = backend.evaluate(problem, &mut outputs.as_outputs());
        (backend, evaluation)
    };
    let ((backend, evaluation), extra_bytes) = measure::extra_bytes(first_call);
    let evaluation = evaluation?;
    let errors = check(&evaluation, &outputs, reference);
    let error_of = |wanted: &dyn Fn(&OutputError) -> bool| {
        errors.iter().filter(|e| wanted(e)).map(|e| e.relative_error).fold(0.0, f64::max)
    };
    let failure = |error: &OutputError| Failure {
        output: error.output.to_owned(),
        index: error.index.clone(),
        message: error.to_string(),
    };
    let measured = Measured {
        name: name.to_owned(),
        loss: evaluation.loss,
        loss_error: error_of(&|e| e.output == "loss"),
        gradient_error: error_of(&|e| e.output.ends_with("gradient")),
        time: None,
        speedup: None,
        extra_bytes,
        gflops: None,
        failures: errors.iter().filter(|e| !e.is_within_bound()).map(failure).collect(),
    };
    Ok((measured, backend))
}

fn time_those_that_agree<T: CliElement>(
    checked: &mut [Measured],
    backends: Vec<Box<dyn SoftmaxBackend<T>>>,
    problem: &Problem<'_, T>,
    set: OutputSet,
    args: &CompareArgs,
) -> anyhow::Result<()> {
    let agrees: Vec<usize> = (0..checked.len()).filter(|&k| checked[k].failures.is_empty()).collect();
    let mut backends: Vec<_> = backends
        .into_iter()
        .enumerate()
        .filter_map(|(k, backend)| agrees.contains(&k).then_some(backend))
        .collect();
    let times = measure::interleave(&mut backends, problem, set, &args.timing)?;
    let products = if set.contains(OutputKind::FeaturesGradient) { 3.0 } else { 2.0 };
    let work = 2.0
        * products
        * problem.n_samples() as f64
        * problem.n_features() as f64
        * problem.n_classes() as f64;
    let baseline = times.first().map(|time| time.median_s);
    for (&k, &time) in agrees.iter().zip(&times) {
        checked[k].speedup = baseline.map(|baseline| baseline / time.median_s);
        checked[k].gflops = Some(work / time.median_s / 1e9);
        checked[k].time = Some(time);
    }
    Ok(())
}

fn arithmetic(reference: &Reference) -> String {
    let mut text = match reference.precision {
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
        text.push_str(&format!(" (checks {})", samples.join(" and ")));
    }
    text
}
