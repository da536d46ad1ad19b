//! `softmax eval`: one backend, one problem, all outputs.

use crate::args::EvalArgs;
use crate::externals::Externals;
use crate::flags::{check_simd, in_words_of_flags};
use crate::memory::require_call;
use crate::parallel::{Processes, Travels};
use crate::source::{lacking_storage, read_npz};
use crate::verdict::Verdict;
use crate::{destinations, interrupt, machine};
use softmax::{
    BackendElement, Dtype, Evaluation, Feature, Objective, OutputKind, OutputSet, OwnedOutputs, Registry,
    Setup, SoftmaxBackend,
};
use softmax_data::{Dataset, float_type_of_npz, printable, write_evaluation_npz};
use std::io::Write;

/// The default backend.
const DEFAULT: &str = "fused";

pub(crate) fn run(
    args: &EvalArgs,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let processes = Processes::start(args.parallel)?;
    interrupt::end_cleanly();
    match processes.agree(dtype(args, processes.is_first()))? {
        Dtype::F32 => run_as::<f32>(args, &processes, registry, out, err),
        Dtype::F64 => run_as::<f64>(args, &processes, registry, out, err),
    }
}

fn dtype(args: &EvalArgs, writes: bool) -> anyhow::Result<Dtype> {
    if writes {
        destinations::check_eval(args)?;
    }
    match args.dtype {
        Some(dtype) => Ok(dtype),
        None => Ok(float_type_of_npz(&args.data)?),
    }
}

fn run_as<T: BackendElement + Travels>(
    args: &EvalArgs,
    processes: &Processes,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let objective = args.objective.objective()?;
    let externals = processes.agree(Externals::add(&args.external, registry))?;
    let Call { dataset, backend, asked } = processes.agree(prepare::<T>(args, &externals, objective, err))?;
    let problem = dataset.problem(objective).map_err(in_words_of_flags)?;
    let evaluated = processes.agree(processes.evaluate(backend, &problem, asked).map_err(Into::into))?;
    let written = match &evaluated {
        None => Ok(()),
        Some((evaluation, outputs)) => write(args, evaluation, outputs, asked.0, out),
    };
    processes.agree(written)?;
    Ok(Verdict::AllAgree)
}

/// The data, the backend and the outputs of an evaluation.
struct Call<T> {
    dataset: Dataset<T>,
    backend: Box<dyn SoftmaxBackend<T>>,
    /// The outputs, and the number of classes in the top-k outputs.
    asked: (OutputSet, usize),
}

fn prepare<T: BackendElement>(
    args: &EvalArgs,
    (externals, registry): &(Externals, Registry),
    objective: Objective,
    err: &mut dyn Write,
) -> anyhow::Result<Call<T>> {
    let name = externals.one(args.backend.as_deref())?;
    let entry = registry.find(name.as_deref().unwrap_or(DEFAULT))?;
    let mut dataset = read_npz::<T>(&args.data, args.storage).map_err(in_words_of_flags)?;
    let threads = Some(machine::set_threads(args.threads)?);
    check_simd(args.simd, &[entry])?;
    let backend = entry.make::<T>(Setup { threads, level: args.simd, shards: None });
    if let Some(feature) =
        lacking_storage(backend.as_ref(), &dataset.problem(objective).map_err(in_words_of_flags)?)
    {
        writeln!(err, "softmax: {} does not support {feature}: widened to {}", entry.name(), T::DTYPE)?;
        dataset = dataset.widened();
    }
    let problem = dataset.problem(objective).map_err(in_words_of_flags)?;
    let set = set(backend.as_ref(), args.top);
    let missing: Vec<&str> =
        asked(args.top).iter().filter(|&kind| !set.contains(kind)).map(OutputKind::symbol).collect();
    if !missing.is_empty() {
        writeln!(
            err,
            "softmax: {} does not support the outputs {}: left out",
            entry.name(),
            missing.join(", ")
        )?;
    }
    let top = args.top.unwrap_or(0);
    if top > problem.n_classes() {
        anyhow::bail!("--top {top}: expected at most {}, the number of classes", problem.n_classes());
    }
    require_call(&dataset.origin, entry, &problem, (set, top))?;
    Ok(Call { dataset, backend, asked: (set, top) })
}

fn write<T: BackendElement>(
    args: &EvalArgs,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
    set: OutputSet,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    write_evaluation_npz(&args.out, evaluation, outputs)?;
    // Not if the arrays went into a pipe: these lines would follow them.
    if args.out.is_file() {
        writeln!(out, "loss {}", evaluation.loss)?;
        let names: Vec<&str> = set.iter().map(OutputKind::symbol).collect();
        writeln!(out, "{}: loss, {}", printable(&args.out.to_string_lossy()), names.join(", "))?;
    }
    Ok(())
}

/// All outputs, with the top-k ones only if `top` is given.
fn asked(top: Option<usize>) -> OutputSet {
    let of_top = |kind: OutputKind| kind.feature() == Some(Feature::TopClasses);
    OutputSet::ALL.iter().filter(|&kind| top.is_some() || !of_top(kind)).collect()
}

/// The outputs of [`asked`] that the backend supports. The top-k outputs are always kept, since they were requested.
fn set<T: BackendElement>(backend: &dyn SoftmaxBackend<T>, top: Option<usize>) -> OutputSet {
    let gives = |feature: Feature| feature == Feature::TopClasses || backend.supports(feature);
    asked(top).iter().filter(|kind| kind.feature().is_none_or(gives)).collect()
}
