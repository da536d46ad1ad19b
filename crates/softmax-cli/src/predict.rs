//! `softmax predict`: classifies samples with a model.

use crate::accuracy::Accuracy;
use crate::destinations::{self, is_standard_output};
use crate::doubts::unknown_labels;
use crate::fit_args::PredictArgs;
use crate::flags::of_fit;
use crate::memory::check_predictions;
use crate::source::{check_dense, samples};
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use softmax::{BackendElement, Dtype};
use softmax_data::{Predictions, ReadOptions, printable, write_predictions};
use softmax_fit::{Model, dtype_of_model};
use std::io::Write;

pub(crate) fn run(args: &PredictArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Verdict> {
    destinations::check_predict(args)?;
    interrupt::end_cleanly();
    machine::set_threads(args.threads)?;
    match dtype_of_model(&args.model).map_err(of_fit)? {
        Dtype::F32 => run_as::<f32>(args, out, err),
        Dtype::F64 => run_as::<f64>(args, out, err),
    }
}

fn run_as<T: BackendElement>(
    args: &PredictArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let model = Model::<T>::load(&args.model).map_err(of_fit)?;
    let (features, classes) = model.weights.dim();
    let top = args.top.unwrap_or(0);
    if top > classes {
        anyhow::bail!("--top {top}: expected at most {classes}, the number of classes");
    }
    let layout = Some(model.layout.clone());
    let ignore_index = model.objective.ignore_index;
    let options = ReadOptions { unlabelled: Some(features), layout, ignore_index, ..args.data.options() };
    let dataset = samples::<T>(&args.data, options)?.with_features(features);
    if model.standardization.is_some() {
        check_dense(&dataset)?;
    }
    let (samples, whose) = (dataset.features.dim().0, printable(&dataset.origin));
    check_predictions::<T>(&whose, "--data", samples, 1)?;
    check_predictions::<T>(&whose, "--top", samples, top)?;
    check_predictions::<T>(&whose, "--probabilities", samples, if args.probabilities { classes } else { 0 })?;
    let predicted = model.predict(&dataset).map_err(of_fit)?;
    let best = (top > 0).then(|| model.top(&dataset, top)).transpose().map_err(of_fit)?;
    let log_p = args.probabilities.then(|| model.log_probabilities(&dataset)).transpose().map_err(of_fit)?;
    let probabilities = log_p.map(|log_p| log_p.mapv_into(T::exp));
    let names: Vec<String> = (0..classes).map(|class| model.class_name(class)).collect();
    let predictions = Predictions {
        predicted: predicted.view(),
        top_classes: best.as_ref().map(|best| best.classes.view()),
        top_log_prob: best.as_ref().map(|best| best.log_probabilities.view()),
        probabilities: probabilities.as_ref().map(|p| p.view()),
    };
    let is_standard_output = is_standard_output(&args.out);
    write_predictions(&args.out, &predictions, &names)?;
    if let Some(doubt) = unknown_labels(&model, &dataset) {
        writeln!(err, "softmax: {}: {doubt}", printable(&dataset.origin))?;
    }
    let out: &mut dyn Write = if is_standard_output { &mut *err } else { &mut *out };
    if let Some(accuracy) = Accuracy::of(model.hits(&dataset, &predicted)) {
        writeln!(out, "{}: {accuracy}", printable(&dataset.origin))?;
    }
    if args.out.is_file() {
        let predictions = if predicted.len() == 1 { "prediction" } else { "predictions" };
        writeln!(out, "{}: {} {predictions}", printable(&args.out.to_string_lossy()), predicted.len())?;
    }
    Ok(Verdict::AllAgree)
}
