//! `softmax workbench`, which `cargo xtask bench` drives: what it takes to time this program's backends side by side
//! with other libraries, each in a process of its own, on one problem from one file.

use crate::args::{JudgeArgs, RooflineArgs, Shape, WorkbenchCommand, WorkerArgs, WriteProblemArgs};
use crate::registry::{CliElement, Registry, Setup};
use crate::{Verdict, machine};
use anyhow::Context;
use serde_json::json;
use softmax_conformance::{check, reference};
use softmax_core::{Dtype, Evaluation, OutputKind, OutputSet, OwnedOutputs, OwnedProblem};
use softmax_data::{float_type_of_npz, read_answer_npz, read_npz, synthetic, write_npz, write_problem_npz};
use softmax_roofline::{Roofline, Work};
use std::io::{BufRead, Write, stdin};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(
    command: &WorkbenchCommand,
    registry: &Registry,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    match command {
        WorkbenchCommand::Problem(args) => match args.dtype.into() {
            Dtype::F32 => problem::<f32>(args)?,
            Dtype::F64 => problem::<f64>(args)?,
        },
        WorkbenchCommand::Worker(args) => match float_type_of_npz(&args.data)? {
            Dtype::F32 => worker::<f32>(args, registry, out)?,
            Dtype::F64 => worker::<f64>(args, registry, out)?,
        },
        WorkbenchCommand::Judge(args) => match float_type_of_npz(&args.data)? {
            Dtype::F32 => judge::<f32>(args, out)?,
            Dtype::F64 => judge::<f64>(args, out)?,
        },
        WorkbenchCommand::Roofline(args) => roofline(args, out)?,
    }
    Ok(Verdict::AllAgree)
}

fn problem<T: CliElement>(args: &WriteProblemArgs) -> anyhow::Result<()> {
    let shape = args.synthetic;
    let owned = synthetic::<T>(shape.n, shape.d, shape.c, args.seed).into_problem(
        Default::default(),
        None,
        args.seed,
    )?;
    Ok(write_problem_npz(&args.out, &owned)?)
}

fn load<T: CliElement>(data: &Path) -> anyhow::Result<OwnedProblem<T>> {
    Ok(read_npz::<T>(data)?.into_problem(Default::default(), None, 0)?)
}

/// Evaluates twice, writes the answer, says so in a line, and then once more for each line it reads, answering with
/// the seconds that took.
fn worker<T: CliElement>(args: &WorkerArgs, registry: &Registry, out: &mut dyn Write) -> anyhow::Result<()> {
    let entry = registry.find(&args.backend)?;
    let owned = load::<T>(&args.data)?;
    let problem = owned.problem().with_context(|| args.data.display().to_string())?;
    let threads = machine::set_threads(Some(args.threads))?;
    let mut backend = T::make(entry, Setup { threads });
    let mut set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    if args.dx {
        set = set.with(OutputKind::FeaturesGradient);
    }
    let mut outputs = OwnedOutputs::zeros(&problem, set);
    backend.evaluate(&problem, &mut outputs.as_outputs())?;
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    write_npz(&args.answer, &evaluation, &outputs)?;
    writeln!(out, "{}", json!({ "version": env!("CARGO_PKG_VERSION"), "simd": backend.descriptor().simd }))?;
    out.flush()?;
    for line in stdin().lock().lines() {
        line?;
        let mut views = outputs.as_outputs();
        let start = Instant::now();
        backend.evaluate(&problem, &mut views)?;
        writeln!(out, "{:e}", start.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}

/// An answer's errors by the oracle: the loss's relative one, and the gradients' relative to the largest entry.
fn judge<T: CliElement>(args: &JudgeArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let owned = load::<T>(&args.data)?;
    let problem = owned.problem().with_context(|| args.data.display().to_string())?;
    let answers: Vec<(f64, OwnedOutputs<T>)> =
        args.answers.iter().map(|path| read_answer_npz(path)).collect::<Result<_, _>>()?;
    let mut set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    if answers.iter().any(|(_, outputs)| outputs.features_gradient.is_some()) {
        set = set.with(OutputKind::FeaturesGradient);
    }
    let reference = reference(&problem, set);
    for (path, (loss, outputs)) in args.answers.iter().zip(&answers) {
        // What another library does not give is not judged.
        let evaluation = Evaluation { loss: *loss, total_weight: f64::NAN, correct: None };
        let errors = check(&evaluation, outputs, &reference);
        let error_of = |output: &str| errors.iter().find(|e| e.output == output).map(|e| e.relative_error);
        let line = json!({
            "answer": path,
            "loss": loss,
            "loss_error": error_of("loss"),
            "dw_error": error_of("weights gradient"),
            "dx_error": outputs.features_gradient.as_ref().and(error_of("features gradient")),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What this machine can do, and how long the problem takes at that.
fn roofline(args: &RooflineArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let roofline = Roofline::measure(args.threads);
    let Shape { n, d, c } = args.synthetic;
    let work = Work { samples: n, features: d, classes: c, dtype: args.dtype.into(), dx: args.dx };
    let line = json!({
        "threads": roofline.threads,
        "f32_flops": roofline.f32_flops,
        "f64_flops": roofline.f64_flops,
        "read_bytes": roofline.read_bytes,
        "floor_s": roofline.floor_s(work),
    });
    writeln!(out, "{line}")?;
    Ok(())
}
