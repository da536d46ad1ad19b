//! `softmax workbench`, which `cargo xtask bench` drives: what it takes to time this program's backends side by side
//! with other libraries, each in a process of its own, on one problem from one file.

use crate::args::{
    JudgeArgs, KernelsArgs, RepeatArgs, RooflineArgs, Shape, WorkbenchCommand, WorkerArgs, WriteProblemArgs,
};
use crate::progress::Progress;
use crate::registry::{CliElement, Registry, Setup};
use crate::{Verdict, machine, measure, soak};
use anyhow::Context;
use serde_json::json;
use softmax_conformance::{check, reference};
use softmax_core::{Dtype, Evaluation, OutputKind, OutputSet, OwnedOutputs, OwnedProblem, SoftmaxBackend};
use softmax_data::{
    float_type_of_npz, read_evaluation_npz, read_npz, synthetic, write_evaluation_npz, write_problem_npz,
};
use softmax_fused::Fused;
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
        WorkbenchCommand::Kernels(args) => kernels(args, out)?,
        WorkbenchCommand::Soak(args) => return soak::run(args, registry, out),
        WorkbenchCommand::Repeat(args) => match args.dtype.into() {
            Dtype::F32 => repeat::<f32>(args, registry)?,
            Dtype::F64 => repeat::<f64>(args, registry)?,
        },
    }
    Ok(Verdict::AllAgree)
}

fn problem<T: CliElement>(args: &WriteProblemArgs) -> anyhow::Result<()> {
    Ok(write_problem_npz(&args.out, &random::<T>(args.synthetic, args.seed)?)?)
}

fn random<T: CliElement>(shape: Shape, seed: u64) -> anyhow::Result<OwnedProblem<T>> {
    let dataset = synthetic::<T>(shape.n, shape.d, shape.c, seed);
    Ok(dataset.into_problem(Default::default(), None, seed)?)
}

/// Loss and dW, and dX if it is wanted.
fn outputs(dx: bool) -> OutputSet {
    let set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    if dx { set.with(OutputKind::FeaturesGradient) } else { set }
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
    let mut outputs = OwnedOutputs::zeros(&problem, outputs(args.dx));
    let first = || backend.evaluate(&problem, &mut outputs.as_outputs());
    let (first, extra_bytes) = measure::extra_bytes(first);
    first?;
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    write_evaluation_npz(&args.answer, &evaluation, &outputs)?;
    let (version, simd) = (env!("CARGO_PKG_VERSION"), backend.descriptor().simd);
    writeln!(out, "{}", json!({ "version": version, "simd": simd, "extra_bytes": extra_bytes }))?;
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
        args.answers.iter().map(|path| read_evaluation_npz(path)).collect::<Result<_, _>>()?;
    let set = outputs(answers.iter().any(|(_, outputs)| outputs.features_gradient.is_some()));
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

/// A line for each number of classes: how long the kernel for few classes takes, where it does that many, and how long the
/// one for many, in turns.
fn kernels(args: &KernelsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    machine::set_threads(Some(args.threads))?;
    for &classes in &args.classes {
        let owned = random::<f32>(Shape { n: args.samples, d: args.features, c: classes }, 0)?;
        let problem = owned.problem()?;
        let mut backends: Vec<Box<dyn SoftmaxBackend<f32>>> = vec![Box::new(Fused::detect().narrow_up_to(0))];
        if classes <= Fused::MOST_NARROW_CLASSES {
            backends.push(Box::new(Fused::detect()));
        }
        let progress = Progress::new(0);
        let times = measure::interleave(&mut backends, &problem, outputs(false), &args.timing, &progress)?;
        let line = json!({ "classes": classes, "wide": times[0].time, "narrow": times.get(1).and_then(|timed| timed.time) });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// For whoever counts what a call does: `cargo xtask regress`.
fn repeat<T: CliElement>(args: &RepeatArgs, registry: &Registry) -> anyhow::Result<()> {
    let entry = registry.find(&args.backend)?;
    let owned = random::<T>(args.synthetic, 0)?;
    let problem = owned.problem()?;
    let threads = machine::set_threads(Some(1))?;
    let mut backend = T::make(entry, Setup { threads });
    let mut outputs = OwnedOutputs::zeros(&problem, outputs(args.dx));
    for _ in 0..args.times {
        backend.evaluate(&problem, &mut outputs.as_outputs())?;
    }
    Ok(())
}
