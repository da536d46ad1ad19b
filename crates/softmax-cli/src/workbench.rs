//! `softmax workbench`: commands that run in a separate process, where they can be timed, profiled or monitored.

use crate::args::{RepeatArgs, WorkbenchCommand, WorkerArgs};
use crate::source::{self, Source};
use crate::verdict::Verdict;
use crate::worker::{FirstLine, Ready};
use crate::{machine, measure, soak};
use softmax::{BackendElement, Dtype, Objective, OwnedOutputs, Registry, Setup};
use softmax_data::{Storage, float_type_of_npz, write_evaluation_npz};
use softmax_external::serve;
use std::io::{BufRead, Write, stdin};
use std::time::Instant;

pub(crate) fn run(
    command: &WorkbenchCommand,
    registry: &Registry,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    match command {
        WorkbenchCommand::Worker(args) => match float_type_of_npz(&args.data)? {
            Dtype::F32 => worker::<f32>(args, registry, out)?,
            Dtype::F64 => worker::<f64>(args, registry, out)?,
        },
        WorkbenchCommand::Soak(args) => return soak::run(args, registry, out),
        WorkbenchCommand::Serve(args) => {
            let (entry, threads) = (registry.find(&args.backend)?, Some(machine::set_threads(None)?));
            let setup = Setup { threads, ..Setup::default() };
            serve(entry.make(setup), entry.make(setup), concat!("softmax ", env!("CARGO_PKG_VERSION")))?;
        }
        WorkbenchCommand::Repeat(args) => match args.dtype {
            Dtype::F32 => repeat::<f32>(args, registry)?,
            Dtype::F64 => repeat::<f64>(args, registry)?,
        },
    }
    Ok(Verdict::AllAgree)
}

/// Evaluates twice, writes the answer to a file, and prints a [`FirstLine`]. Then evaluates once more for each line of
/// standard input, and prints the seconds. If the problem is not worth running, the first line is the refusal.
fn worker<T: BackendElement>(
    args: &WorkerArgs,
    registry: &Registry,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let entry = registry.find(&args.backend)?;
    let dataset = source::read_npz::<T>(&args.data, Storage::Widen)?;
    let problem = dataset.problem(Objective::default())?;
    let setup = Setup { threads: Some(machine::set_threads(Some(args.threads))?), ..Setup::default() };
    let set = source::gradients(&problem, args.dx);
    if let Err(refused) = measure::worth_running::<T>(entry, setup, &problem, set, args.time_budget) {
        return Ok(writeln!(out, "{}", serde_json::to_string(&FirstLine::Refused(refused))?)?);
    }
    let mut backend = entry.make::<T>(setup);
    let mut outputs = OwnedOutputs::zeros(&problem, set);
    let first = || backend.evaluate(&problem, &mut outputs.as_outputs());
    let (first, extra_bytes) = measure::extra_bytes(first);
    first?;
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    write_evaluation_npz(&args.answer, &evaluation, &outputs)?;
    let ready = Ready { version: env!("CARGO_PKG_VERSION").to_owned(), extra_bytes: Some(extra_bytes) };
    writeln!(out, "{}", serde_json::to_string(&FirstLine::Ready(ready))?)?;
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

/// Evaluates a number of times on one thread, for `cargo xtask regress`, which counts the instructions.
fn repeat<T: BackendElement>(args: &RepeatArgs, registry: &Registry) -> anyhow::Result<()> {
    let entry = registry.find(&args.backend)?;
    let source = Source::<T>::random(args.synthetic, 0);
    let problem = source.problem()?;
    let threads = Some(machine::set_threads(Some(1))?);
    let mut backend = entry.make::<T>(Setup { threads, ..Setup::default() });
    let mut outputs = OwnedOutputs::zeros(&problem, source::gradients(&problem, args.dx));
    for _ in 0..args.times {
        backend.evaluate(&problem, &mut outputs.as_outputs())?;
    }
    Ok(())
}
