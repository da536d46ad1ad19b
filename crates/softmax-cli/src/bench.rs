//! `softmax bench`: comparisons over shapes, element types and numbers of threads, or over the sizes of sweeps. Each
//! is a line of JSON, written as soon as it is complete.

use crate::args::BenchArgs;
use crate::externals::Externals;
use crate::isolated::Contest;
use crate::side_by_side::{self, Plan};
use crate::source::Source;
use crate::verdict::Verdict;
use crate::{destinations, interrupt, machine, memory, sweeps};
use softmax::{Backend, BackendElement, Dtype, Fused, Registry};
use softmax_data::printable;
use softmax_record::{Comparison, Journal, Machine, Palette, Record, Roofline, Sweep, Task};
use softmax_roofline::{Roofline as Limits, Work};
use std::io::Write;

pub(crate) fn run(
    args: &BenchArgs,
    words: &[String],
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    destinations::check_bench(args)?;
    let (externals, registry) = Externals::add(&args.external, registry)?;
    let entries = registry.select(&externals.beside(&args.backends))?;
    let backends: Vec<String> = entries.iter().map(|entry| entry.name().to_owned()).collect();
    // Checked before the output file is created.
    for &shape in &args.shapes {
        for &dtype in &args.dtypes {
            match dtype {
                Dtype::F32 => memory::check_problem::<f32>("--shapes", shape)?,
                Dtype::F64 => memory::check_problem::<f64>("--shapes", shape)?,
            }
        }
    }
    interrupt::listen();
    let (mut journal, known) = match args.resume {
        true => Journal::resume(&args.output)?,
        false => (Journal::create(&args.output)?, Vec::new()),
    };
    let is_isolated = args.isolate || args.peers.is_some() || args.sweeps;
    let contest = || Contest::new(args.peers.as_deref(), &externals, &args.timing, &args.output);
    let contest = is_isolated.then(contest).transpose()?;
    let bench = Bench { args, registry: &registry, ways: sweeps::ways(), contest };
    let simd = Fused::new().descriptor().simd.into_owned();
    let this_machine = Machine::this(simd, args.rustc.clone(), args.commit.clone());

    let all_threads = machine::set_threads(None)?;
    let mut agree = known.iter().all(|record| record.comparison.agree);
    let mut kept = 0;
    for task in tasks(args, &backends, bench.contest.as_ref(), all_threads) {
        if known.iter().any(|record| record.asked == task) {
            kept += 1;
            continue;
        }
        let has_floor = task.isolated && task.sweep.is_none();
        let mut comparison = match task.dtype {
            Dtype::F32 => bench.compare::<f32>(&task)?,
            Dtype::F64 => bench.compare::<f64>(&task)?,
        };
        if !task.isolated {
            externals.describe(&mut comparison);
        }
        let record = Record {
            roofline: has_floor.then(|| roofline(&task)),
            comparison,
            asked: task,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: Some(args.command.clone().unwrap_or_else(|| command(words))),
            machine: Some(this_machine.clone()),
        };
        if interrupt::requested() {
            return Ok(Verdict::Interrupted);
        }
        journal.append(&record)?;
        writeln!(out, "{}", record.text(palette))?;
        agree &= record.comparison.agree;
    }
    if kept > 0 {
        let file = args.output.to_string_lossy();
        writeln!(out, "{}: kept {kept} of the requested records.", printable(&file))?;
    }
    Ok(if agree { Verdict::AllAgree } else { Verdict::Disagreement })
}

/// The requested comparisons, in the order in which they are measured.
fn tasks(
    args: &BenchArgs,
    backends: &[String],
    contest: Option<&Contest<'_>>,
    all_threads: usize,
) -> Vec<Task> {
    let peers = contest.map_or(Vec::new(), Contest::peers);
    let threads = match args.threads.as_slice() {
        [] => vec![all_threads],
        threads => threads.to_vec(),
    };
    if args.sweeps {
        return sweeps::tasks(backends, &peers, threads.into_iter().max().unwrap_or(1));
    }
    let mut tasks = Vec::new();
    for &shape in &args.shapes {
        for &dtype in &args.dtypes {
            tasks.extend(threads.iter().map(|&threads| Task {
                shape,
                dtype,
                threads,
                dx: args.dx,
                seed: args.seed,
                backends: [backends, &peers].concat(),
                isolated: contest.is_some(),
                sweep: None,
            }));
        }
    }
    tasks
}

/// Runs the comparisons.
struct Bench<'a> {
    args: &'a BenchArgs,
    registry: &'a Registry,
    /// The variants of `fused`, for sweeps.
    ways: Registry,
    contest: Option<Contest<'a>>,
}

impl Bench<'_> {
    fn compare<T: BackendElement>(&self, task: &Task) -> anyhow::Result<Comparison> {
        let mut source = Source::<T>::random(task.shape, task.seed);
        if task.sweep == Some(Sweep::Storage) {
            source.dataset = sweeps::round_to_halves(source.dataset);
        }
        if let Some(contest) = self.contest.as_ref().filter(|_| task.isolated) {
            return contest.compare(&source, task);
        }
        let is_of_subject = task.sweep.is_some_and(Sweep::is_of_subject);
        let registry = if is_of_subject { &self.ways } else { self.registry };
        let entries = registry.select(&task.backends)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(task.threads).build()?;
        let plan = Plan {
            dx: task.dx,
            timing: &self.args.timing,
            baseline: None,
            threads: task.threads,
            shards: None,
            simd: None,
        };
        pool.install(|| side_by_side::compare(&source, &entries, &plan))
    }
}

/// The command line without `--resume`.
fn command(words: &[String]) -> String {
    let words = words.iter().skip(1).map(String::as_str).filter(|&word| word != "--resume");
    ["softmax"].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Measures the limits of this machine, and the minimum time of the problem that follows from them.
fn roofline(task: &Task) -> Roofline {
    let limits = Limits::measure(task.threads);
    let Task { shape, dtype, dx, .. } = *task;
    let work = Work { samples: shape.n, features: shape.d, classes: shape.c, dtype, dx };
    let flops = match dtype {
        Dtype::F32 => limits.f32_flops,
        Dtype::F64 => limits.f64_flops,
    };
    Roofline { flops, read_bytes: limits.read_bytes, floor_s: limits.floor_s(work) }
}
