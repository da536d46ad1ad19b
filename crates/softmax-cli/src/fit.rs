//! `softmax fit`: trains a model on samples.

use crate::accuracy::Accuracy;
use crate::class_counts::{ClassCounts, balanced_weights};
use crate::destinations::{self, is_standard_output};
use crate::doubts::{doubts, unknown_labels};
use crate::fit_args::{ClassWeights, FitArgs, FitFormat, Validation};
use crate::flags::{check_simd, in_words_of_flags, of_fit};
use crate::held_out::HeldOut;
use crate::json::write_json;
use crate::memory::check_fit;
use crate::parallel::{Processes, Travels};
use crate::progress::Spinner;
use crate::source::{check_dense, lacking_storage, samples};
use crate::validation::{self, check_labels};
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use anyhow::Context;
use serde::{Serialize, Serializer};
use softmax::ndarray::{Array1, ArrayView2, ShapeBuilder};
use softmax::{BackendElement, Dtype, Objective, Registry, Setup, SoftmaxBackend};
use softmax_data::{
    Dataset, FeatureLayout, ReadOptions, Standardization, printable, shown, write_atomically,
};
use softmax_fit::{Fit, Fitted, Model, Report, Step, Stop};
use softmax_record::plot::{self, Axis, Line};
use softmax_record::{CurvePoint, Shape, units};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::slice;

/// The result that is printed. The fields are the keys of the JSON.
#[derive(Debug, Serialize)]
struct Summary {
    loss: f64,
    gradient_max: f64,
    iterations: usize,
    evaluations: usize,
    seconds: f64,
    converged: bool,
    /// Why the solver stopped.
    stopped: String,
    solver: String,
    /// The accuracy on the training samples. `None` without hard labels.
    #[serde(serialize_with = "fraction")]
    train_accuracy: Option<Accuracy>,
    #[serde(serialize_with = "fraction")]
    validation_accuracy: Option<Accuracy>,
    /// The state after each iteration, with the starting point first.
    curve: Vec<CurvePoint>,
}

fn fraction<S: Serializer>(accuracy: &Option<Accuracy>, serializer: S) -> Result<S::Ok, S::Error> {
    accuracy.map(Accuracy::fraction).serialize(serializer)
}

pub(crate) fn run(
    args: &FitArgs,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let processes = Processes::start(args.parallel)?;
    interrupt::listen();
    let checked = if processes.is_first() { destinations::check_fit(args) } else { Ok(()) };
    processes.agree(checked)?;
    match args.dtype {
        Dtype::F32 => run_as::<f32>(args, &processes, registry, out, err),
        Dtype::F64 => run_as::<f64>(args, &processes, registry, out, err),
    }
}

fn run_as<T: BackendElement + Travels>(
    args: &FitArgs,
    processes: &Processes,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let prepared = processes.agree(prepare::<T>(args, processes.is_first(), registry, err))?;
    let Training { dataset, validation, backend, objective, held_out, standardization } = prepared;
    if processes.is_first() {
        for doubt in doubts(&dataset, objective.ignore_index) {
            writeln!(err, "softmax: {}: {doubt}", printable(&dataset.origin))?;
        }
    }
    let zero = T::zero();
    let shape = (dataset.features.dim().1, dataset.n_classes(objective.ignore_index));
    let fitted = {
        // The solver has its own W.
        let weights = placeholder(&zero, shape)?;
        let problem =
            processes.agree(dataset.problem_at(weights, None, objective).map_err(in_words_of_flags))?;
        let fitted = processes.lead(backend, &problem, |backend| fit(args, objective, &dataset, backend));
        processes.agree(fitted.map_err(Into::into))?
    };
    let finished = match fitted {
        None => Ok(Verdict::AllAgree),
        Some(fitted) => fitted.map_err(of_fit).and_then(|Fitted { mut model, report }| {
            if report.stop == Stop::Interrupted && report.last().iteration == 0 {
                writeln!(err, "softmax: interrupted before the first iteration: no model is written")?;
                return Ok(Verdict::Interrupted);
            }
            // The model gets its standardisation after this, because the data are already standardised.
            let accuracies = accuracies(&model, &dataset, held_out.as_ref())?;
            model.standardization = standardization;
            finish(args, (&dataset, validation.as_ref()), (&model, &report), accuracies, (out, err))
        }),
    };
    processes.agree(finished)
}

/// The data, the backend and the objective of a fit.
struct Training<T> {
    dataset: Dataset<T>,
    /// The samples of a file of validation samples, on the first process alone.
    validation: Option<Dataset<T>>,
    backend: Box<dyn SoftmaxBackend<T>>,
    objective: Objective,
    held_out: Option<HeldOut>,
    standardization: Option<Standardization>,
}

fn prepare<T: BackendElement>(
    args: &FitArgs,
    is_first: bool,
    registry: &Registry,
    err: &mut dyn Write,
) -> anyhow::Result<Training<T>> {
    let objective = args.objective.objective()?;
    let entry = registry.find(&args.backend)?;
    check_simd(args.simd, &[entry])?;
    let threads = Some(machine::set_threads(args.threads)?);
    let ignore_index = objective.ignore_index;
    let mut dataset = samples::<T>(&args.data, ReadOptions { ignore_index, ..args.data.options() })?;
    let (held_out, validation) = match &args.validation {
        Some(Validation::Fraction(fraction)) => {
            check_labels(&dataset).context("--validation")?;
            (Some(HeldOut::draw(&mut dataset, *fraction, args.seed)?), None)
        }
        Some(Validation::File(path)) if is_first => {
            (None, Some(validation::read(path, &args.data, &dataset, ignore_index)?))
        }
        Some(Validation::File(_)) | None => (None, None),
    };
    dataset.check_classes(ignore_index).map_err(in_words_of_flags)?;
    if let Some(ClassWeights::Balanced) = args.class_weights {
        dataset.class_weights = Some(balanced(&dataset, ignore_index)?);
    }
    let standardization = if args.standardize {
        check_dense(&dataset)?;
        let is_trained_on = |i: usize| held_out.as_ref().is_none_or(|held_out| !held_out.contains(i));
        let (standardized, standardization) = dataset.standardized(is_trained_on);
        dataset = standardized;
        Some(standardization)
    } else {
        None
    };
    let backend = entry.make::<T>(Setup { threads, level: args.simd, shards: None });
    let (d, c) = (dataset.features.dim().1, dataset.n_classes(objective.ignore_index));
    check_fit::<T>(&dataset.origin, d, c)?;
    let dataset = in_storage_of(backend.as_ref(), dataset, entry.name(), args, err)?;
    Ok(Training { dataset, validation, backend, objective, held_out, standardization })
}

/// The class weights that give each class the same share.
fn balanced<T: BackendElement>(dataset: &Dataset<T>, ignored: Option<i64>) -> anyhow::Result<Array1<T>> {
    let refuse = |found: &str| {
        let origin = printable(&dataset.origin);
        anyhow::anyhow!(
            "{origin}: --class-weights balanced: expected labels, and no class weights, found {found}"
        )
    };
    if dataset.class_weights.is_some() {
        return Err(refuse("class_weight"));
    }
    balanced_weights(dataset, dataset.n_classes(ignored), ignored).ok_or_else(|| refuse("soft targets"))
}

fn fit<T: BackendElement>(
    args: &FitArgs,
    objective: Objective,
    dataset: &Dataset<T>,
    backend: &mut dyn SoftmaxBackend<T>,
) -> softmax_fit::Result<Fitted<T>> {
    let spinner = Spinner::new();
    let fit = Fit::new(objective)
        .solver(args.solver)
        .bias(!args.no_bias)
        .tolerance(args.tolerance)
        .max_iterations(args.max_iterations);
    fit.fit_with(dataset, None, backend, &mut |step| {
        let (loss, gradient) = (units::loss(step.loss), units::error(step.gradient_max));
        let time = units::seconds(step.seconds);
        spinner
            .say(format!("iteration {}: loss {loss}, largest |gradient| {gradient}, {time}", step.iteration));
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// The accuracies on the training samples and on the held-out samples.
fn accuracies<T: BackendElement>(
    model: &Model<T>,
    dataset: &Dataset<T>,
    held_out: Option<&HeldOut>,
) -> anyhow::Result<(Option<Accuracy>, Option<Accuracy>)> {
    match held_out {
        Some(held_out) => held_out.accuracies(model, dataset).map_err(of_fit),
        None => Ok((accuracy(model, dataset)?, None)),
    }
}

fn accuracy<T: BackendElement>(model: &Model<T>, dataset: &Dataset<T>) -> anyhow::Result<Option<Accuracy>> {
    let predicted = model.predict(dataset).map_err(of_fit)?;
    Ok(Accuracy::of(model.hits(dataset, &predicted)))
}

/// Writes the plot and the model, and prints the summary.
fn finish<T: BackendElement>(
    args: &FitArgs,
    (dataset, validation): (&Dataset<T>, Option<&Dataset<T>>),
    (model, report): (&Model<T>, &Report),
    (train_accuracy, mut validation_accuracy): (Option<Accuracy>, Option<Accuracy>),
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> anyhow::Result<Verdict> {
    if let Some(validation) = validation {
        validation_accuracy = accuracy(model, validation).context("--validation")?;
        if let Some(doubt) = unknown_labels(model, validation) {
            writeln!(err, "softmax: {}: {doubt}", printable(&validation.origin))?;
        }
    }
    // Before the model, so that no model is written if this fails.
    if let Some(path) = &args.plot {
        write_curve(report, &dataset.origin, path)?;
    }
    // Before the model, which replaces a file to which standard output goes.
    let is_standard_output = is_standard_output(&args.out);
    model.save(&args.out).map_err(of_fit)?;
    let out: &mut dyn Write = if is_standard_output { &mut *err } else { &mut *out };
    let last = report.last();
    let summary = Summary {
        loss: last.loss,
        gradient_max: last.gradient_max,
        iterations: last.iteration,
        evaluations: last.evaluations,
        seconds: report.seconds,
        converged: report.converged(),
        stopped: report.stop.to_string(),
        solver: report.solver.to_string(),
        train_accuracy,
        validation_accuracy,
        curve: report.curve.iter().map(point).collect(),
    };
    match args.format {
        FitFormat::Json => write_json(&summary, out)?,
        FitFormat::Text => {
            write_text(&summary, args, dataset, model, out)?;
            let advice = match T::DTYPE {
                Dtype::F32 if args.standardize => Some("--dtype f64"),
                Dtype::F32 => Some("--dtype f64 or --standardize"),
                Dtype::F64 => (!args.standardize).then_some("--standardize"),
            };
            if report.stop == Stop::Rounding
                && let Some(advice) = advice
            {
                writeln!(out, "{} resolves no smaller steps: {advice} may go further", T::DTYPE)?;
            }
        }
    }
    Ok(if report.stop == Stop::Interrupted { Verdict::Interrupted } else { Verdict::AllAgree })
}

/// Weights of one number, in place of W. With strides of 0 they take no memory.
fn placeholder<T>(number: &T, shape: (usize, usize)) -> anyhow::Result<ArrayView2<'_, T>> {
    ArrayView2::from_shape(shape.strides((0, 0)), slice::from_ref(number)).context("weights")
}

/// Converts the data to a storage that the backend supports. Prints a message to `err` if they had to be widened.
fn in_storage_of<T: BackendElement>(
    backend: &dyn SoftmaxBackend<T>,
    dataset: Dataset<T>,
    name: &str,
    args: &FitArgs,
    err: &mut dyn Write,
) -> anyhow::Result<Dataset<T>> {
    let objective = args.objective.objective()?;
    let (zero, classes) = (T::zero(), dataset.n_classes(objective.ignore_index).max(1));
    let weights = placeholder(&zero, (dataset.features.dim().1, classes))?;
    let problem = dataset.problem_at(weights, None, objective).map_err(in_words_of_flags)?;
    match lacking_storage(backend, &problem) {
        None => Ok(dataset),
        Some(feature) => {
            writeln!(err, "softmax: {name} does not support {feature}: widened to {}", T::DTYPE)?;
            check_dense(&dataset)?;
            Ok(dataset.widened())
        }
    }
}

fn write_text<T: BackendElement>(
    summary: &Summary,
    args: &FitArgs,
    dataset: &Dataset<T>,
    model: &Model<T>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let ((n, d), classes) = (dataset.features.dim(), model.weights.ncols());
    let title = Shape { n, d, c: classes }.title();
    writeln!(out, "{}: {title}, {}", printable(&dataset.origin), T::DTYPE)?;
    if let Some(counts) = ClassCounts::of(dataset, classes, model.objective.ignore_index) {
        let FeatureLayout { label_column, label_index, .. } = &dataset.layout;
        let column = match (label_column, label_index) {
            (Some(name), _) => format!("; labels from column {}", shown(name)),
            (None, Some(index)) if args.data.drop_columns.is_empty() => {
                format!("; labels from column {index}, counted from 0")
            }
            (None, Some(index)) => {
                format!("; labels from column {index}, counted from 0 without the dropped columns")
            }
            (None, None) => String::new(),
        };
        writeln!(out, "classes: {}{column}", counts.listed(dataset.class_names.as_deref()))?;
    }
    let Summary { solver, iterations, evaluations, stopped, .. } = summary;
    let (loss, gradient) = (units::loss(summary.loss), units::error(summary.gradient_max));
    let time = units::seconds(summary.seconds);
    writeln!(out, "{solver}: {iterations} iterations, {evaluations} evaluations, {time}")?;
    let verdict = if summary.converged { "converged" } else { "not converged" };
    writeln!(out, "loss {loss}, largest |gradient| {gradient}; {verdict}: {stopped}")?;
    for (name, accuracy) in
        [("training", summary.train_accuracy), ("validation", summary.validation_accuracy)]
    {
        if let Some(accuracy) = accuracy {
            writeln!(out, "accuracy in {name}: {accuracy}")?;
        }
    }
    writeln!(out, "{}: the model", printable(&args.out.to_string_lossy()))?;
    Ok(())
}

fn point(step: &Step) -> CurvePoint {
    let Step { iteration, evaluations, loss, gradient_max, seconds } = *step;
    CurvePoint { iteration, evaluations, loss, gradient_max, seconds }
}

/// The number of points to which a line is thinned. Its last point is added in any case.
const MOST_POINTS: usize = 60;

/// Plots the loss and the largest |gradient| against evaluations.
fn write_curve(report: &Report, origin: &str, path: &Path) -> anyhow::Result<()> {
    let thinned = report.curve.len().div_ceil(MOST_POINTS);
    let steps = || report.curve.iter().step_by(thinned).chain(report.curve.last());
    let line = |name: &str, value: fn(&Step) -> f64| {
        let points = steps().map(|step| (step.evaluations as f64, value(step)));
        Line { name: name.to_owned(), points: points.filter(|point| point.1 > 0.0).collect() }
    };
    let lines = [line("loss", |step| step.loss), line("largest |gradient|", |step| step.gradient_max)];
    let evaluations = Axis { label: "evaluations", format: |x| format!("{x}"), is_binary: false };
    let values =
        Axis { label: "loss, and largest |gradient|", format: |y| format!("{y:e}"), is_binary: false };
    let title = format!("{}: loss and gradient on {}", report.solver, printable(origin));
    let picture = plot::lines(&title, &lines, evaluations, values).context("--plot")?;
    write_atomically(path, |file| file.write_all(picture.as_bytes()))?;
    Ok(())
}
