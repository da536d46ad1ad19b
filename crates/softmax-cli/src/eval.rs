//! `softmax eval`: one backend, one problem, all outputs.

use crate::args::EvalArgs;
use crate::flags::{check_simd, in_words_of_flags};
use crate::memory::require_call;
use crate::source::{lacking_storage, read_npz};
use crate::verdict::Verdict;
use crate::{destinations, interrupt, machine};
use softmax::{BackendElement, Dtype, OutputKind, OutputSet, OwnedOutputs, Registry, Setup};
use softmax_data::{float_type_of_npz, printable, write_evaluation_npz};
use std::io::Write;

pub(crate) fn run(
    args: &EvalArgs,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    destinations::check_eval(args)?;
    interrupt::end_cleanly();
    let dtype = match args.dtype {
        Some(dtype) => dtype,
        None => float_type_of_npz(&args.data)?,
    };
    match dtype {
        Dtype::F32 => run_as::<f32>(args, registry, out, err),
        Dtype::F64 => run_as::<f64>(args, registry, out, err),
    }
}

fn run_as<T: BackendElement>(
    args: &EvalArgs,
    registry: &Registry,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let entry = registry.find(&args.backend)?;
    let objective = args.objective.objective()?;
    let mut dataset = read_npz::<T>(&args.data, args.storage).map_err(in_words_of_flags)?;
    let threads = Some(machine::set_threads(args.threads)?);
    check_simd(args.simd, &[entry])?;
    let mut backend = entry.make::<T>(Setup { threads, level: args.simd });
    if let Some(feature) =
        lacking_storage(backend.as_ref(), &dataset.problem(objective).map_err(in_words_of_flags)?)
    {
        writeln!(err, "softmax: {} does not support {feature}: widened to {}", args.backend, T::DTYPE)?;
        dataset = dataset.widened();
    }
    let problem = dataset.problem(objective).map_err(in_words_of_flags)?;
    require_call(&dataset.origin, entry, &problem, OutputSet::ALL)?;
    let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    write_evaluation_npz(&args.out, &evaluation, &outputs)?;
    // Not after the arrays themselves, where they went into a pipe.
    if args.out.is_file() {
        let names: Vec<&str> = OutputSet::ALL.iter().map(OutputKind::symbol).collect();
        writeln!(out, "{}: loss, {}", printable(&args.out.to_string_lossy()), names.join(", "))?;
    }
    Ok(Verdict::AllAgree)
}
