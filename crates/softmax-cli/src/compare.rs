//! `softmax compare`: every backend is checked against the oracle, then all are timed side by side.

use crate::args::{CompareArgs, TimingArgs};
use crate::measure::{self, Time, Timed};
use crate::progress::Progress;
use crate::registry::{BackendEntry, CliElement, Registry, Setup};
use crate::source::{self, Source};
use crate::style::Palette;
use crate::{Verdict, interrupt, machine, plot, report, units};
use anyhow::Context;
use serde::Serialize;
use softmax_conformance::{OutputError, Precision, Reference, check, reference};
use softmax_core::{
    Dtype, Error, OutputKind, OutputSet, OwnedOutputs, OwnedProblem, Problem, SoftmaxBackend,
};
use softmax_data::write_atomically;
use std::collections::BTreeMap;
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
    /// Where nothing but a file's labels says how many classes there are: a stray one makes many.
    pub(crate) classes_without_samples: usize,
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
    /// Of each output that was asked for.
    pub(crate) errors: BTreeMap<String, f64>,
    /// None for a backend that disagrees: a wrong answer is not timed.
    pub(crate) time: Option<Time>,
    /// The median of what a device took of that, without transfers, where there is a device.
    pub(crate) device_s: Option<f64>,
    /// The baseline's time over this one's.
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

/// What to do with a problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) dx: bool,
    pub(crate) timing: &'a TimingArgs,
    /// The backend that speed-ups are relative to; the first where there is none.
    pub(crate) baseline: Option<&'a str>,
    pub(crate) threads: usize,
}

pub(crate) fn run(
    args: &CompareArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let entries = registry.select(&args.backends)?;
    if let Some(name) = args.baseline.as_deref().filter(|name| !entries.iter().any(|e| e.name == *name)) {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        anyhow::bail!(
            "--baseline: expected one of the backends compared, {}, found {name}",
            names.join(", ")
        );
    }
    let comparison = match args.problem.dtype.into() {
        Dtype::F32 => load_and_compare::<f32>(args, &entries)?,
        Dtype::F64 => load_and_compare::<f64>(args, &entries)?,
    };
    if let Some(path) = &args.plot {
        let picture = plot::draw(&comparison)?;
        write_atomically(path, |file| file.write_all(picture.as_bytes()))?;
    }
    match &args.output {
        None => report::write(&comparison, args.format, palette, out)?,
        Some(path) => write_atomically(path, |mut file| {
            report::write(&comparison, args.format, Palette::PLAIN, &mut file)
        })?,
    }
    Ok(match comparison.agree {
        _ if interrupt::requested() => Verdict::Interrupted,
        true => Verdict::AllAgree,
        false => Verdict::Disagreement,
    })
}

fn load_and_compare<T: CliElement>(
    args: &CompareArgs,
    entries: &[&BackendEntry],
) -> anyhow::Result<Comparison> {
    let source = source::load::<T>(&args.problem, &args.objective)?;
    let threads = machine::set_threads(args.threads)?;
    interrupt::listen();
    let plan = Plan { dx: args.dx, timing: &args.timing, baseline: args.baseline.as_deref(), threads };
    compare(source, entries, &plan)
}

/// Checks, and then times. An interruption leaves what is not done yet out.
pub(crate) fn compare<T: CliElement>(
    source: Source<T>,
    entries: &[&BackendEntry],
    plan: &Plan<'_>,
) -> anyhow::Result<Comparison> {
    let Source { origin, problem: owned, classes_without_samples } = source;
    let problem = owned.problem().with_context(|| origin.clone())?;
    let threads = plan.threads;
    let set = source::gradients(&problem, plan.dx);
    let progress = Progress::new(entries.len());
    progress.doing("oracle");
    let reference = reference(&problem, set);

    let mut checked = Vec::new();
    let mut backends = Vec::new();
    let mut skipped = Vec::new();
    for (k, entry) in entries.iter().enumerate() {
        if interrupt::requested() {
            let reason = "interrupted".to_owned();
            skipped.push(Skipped { name: entry.name.clone(), reason, estimate_s: None });
            continue;
        }
        progress.doing(format!("checking {}", entry.name));
        progress.at(k, entries.len());
        let mut trial = T::make(entry, Setup { threads });
        match worth_running(trial.as_mut(), &owned, set, plan.timing.time_budget) {
            Err(mut reason) => {
                reason.name = entry.name.clone();
                skipped.push(reason);
            }
            Ok(()) => {
                drop(trial);
                let make = || T::make(entry, Setup { threads });
                match check_backend(&entry.name, make, &problem, set, &reference) {
                    Ok((measured, backend)) => {
                        checked.push(measured);
                        backends.push(backend);
                    }
                    Err(error @ Error::Unsupported { .. }) => {
                        let (name, reason) = (entry.name.clone(), error.to_string());
                        skipped.push(Skipped { name, reason, estimate_s: None });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    time_those_that_agree(&mut checked, backends, &problem, set, plan, &progress)?;
    Ok(Comparison {
        problem: ProblemRecord {
            n: problem.n_samples(),
            d: problem.n_features(),
            c: problem.n_classes(),
            classes_without_samples,
            dtype: T::DTYPE.to_string(),
            source: origin,
            threads,
            cpu: machine::cpu(),
            gradients: set.iter().map(short_name).collect(),
        },
        reference: ReferenceRecord { loss: reference.loss.value(), arithmetic: arithmetic(&reference) },
        agree: checked.iter().all(|backend| backend.failures.is_empty()) && !checked.is_empty(),
        backends: checked,
        skipped,
    })
}

/// What the formulas call a gradient.
pub(crate) fn short_name(output: OutputKind) -> &'static str {
    match output {
        OutputKind::WeightsGradient => "dW",
        OutputKind::BiasGradient => "db",
        OutputKind::FeaturesGradient => "dX",
        other => other.name(),
    }
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
) -> Result<(Measured, Box<dyn SoftmaxBackend<T>>), Error> {
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
    let short = |output: &'static str| {
        let kind = set.iter().find(|kind| kind.name() == output);
        kind.map_or(output, short_name).to_owned()
    };
    let measured = Measured {
        name: name.to_owned(),
        errors: errors.iter().map(|e| (short(e.output), e.relative_error)).collect(),
        loss: evaluation.loss,
        loss_error: error_of(&|e| e.output == "loss"),
        gradient_error: error_of(&|e| e.output.ends_with("gradient")),
        time: None,
        device_s: None,
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
    plan: &Plan<'_>,
    progress: &Progress,
) -> anyhow::Result<()> {
    let agrees: Vec<usize> = (0..checked.len()).filter(|&k| checked[k].failures.is_empty()).collect();
    let mut backends: Vec<_> = backends
        .into_iter()
        .enumerate()
        .filter_map(|(k, backend)| agrees.contains(&k).then_some(backend))
        .collect();
    progress.doing("timing");
    let times = measure::interleave(&mut backends, problem, set, plan.timing, progress)?;
    let products = if set.contains(OutputKind::FeaturesGradient) { 3.0 } else { 2.0 };
    let work = 2.0
        * products
        * problem.n_samples() as f64
        * problem.n_features() as f64
        * problem.n_classes() as f64;
    let baseline = agrees.iter().zip(&times).find_map(|(&k, timed)| match plan.baseline {
        Some(name) if checked[k].name != name => None,
        _ => timed.time,
    });
    for (&k, &Timed { time, device_s }) in agrees.iter().zip(&times) {
        checked[k].time = time;
        checked[k].device_s = device_s;
        checked[k].gflops = time.map(|time| work / time.median_s / 1e9);
        checked[k].speedup = baseline.zip(time).map(|(baseline, time)| baseline.median_s / time.median_s);
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
