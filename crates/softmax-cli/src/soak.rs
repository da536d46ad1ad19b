//! `softmax workbench soak`, which `cargo xtask soak` runs: evaluates random problems with long-lived backends, checks
//! each answer against the oracle, and checks that memory does not grow.
//!
//! Backends keep working memory, which grows until they have met their largest problem. So the run has two rounds over
//! the same problems: in the second, a backend that leaks nothing has all the memory that it needs.

use crate::args::SoakArgs;
use crate::progress::Progress;
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use peak_alloc::PeakAlloc;
use softmax::{Error, Registry, Setup, SoftmaxBackend};
use softmax_conformance::RandomProblem;
use softmax_record::units;
use std::io::Write;

/// The bytes by which the heap may grow in the second round: each thread of a pool keeps memory of its own, and the
/// second round can give a thread a larger part of a problem than the first.
const GROWTH: usize = 1 << 20;

/// A backend in both element types, which evaluates all problems of the run.
struct Lasting {
    name: String,
    single: Box<dyn SoftmaxBackend<f32>>,
    double: Box<dyn SoftmaxBackend<f64>>,
}

pub(crate) fn run(args: &SoakArgs, registry: &Registry, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    interrupt::listen();
    let setup = Setup { threads: Some(machine::set_threads(None)?), ..Setup::default() };
    let entries = registry.select(&args.backends)?;
    let lasting = entries.iter().map(|entry| Lasting {
        name: entry.name().to_owned(),
        single: entry.make(setup),
        double: entry.make(setup),
    });
    let mut backends: Vec<Lasting> = lasting.collect();
    let problems = args.count.div_ceil(2);
    let count = 2 * problems;
    let progress = Progress::new(count);
    progress.doing("random problems");
    let (mut held, mut wrong) = (0, Vec::new());
    for k in 0..count {
        if interrupt::requested() {
            return Ok(Verdict::Interrupted);
        }
        if k == problems {
            held = PeakAlloc.current_usage();
        }
        let number = k % problems;
        let seed = args.seed + number as u64;
        let problem = RandomProblem::new(seed);
        // Each backend in turn; f32 and f64 in turns of all backends.
        let backend = &mut backends[number % entries.len()];
        let answer = if (number / entries.len()).is_multiple_of(2) {
            problem.judge(backend.single.as_mut())
        } else {
            problem.judge(backend.double.as_mut())
        };
        let faults = match answer {
            Ok(faults) => faults,
            Err(Error::Unsupported { .. }) => Vec::new(),
            Err(error) => vec![error.to_string()],
        };
        let name = &backend.name;
        wrong.extend(faults.into_iter().map(|fault| format!("problem {seed}, {name}: {problem}: {fault}")));
        progress.at(k + 1, count);
    }
    let growth = PeakAlloc.current_usage().saturating_sub(held);
    for failure in wrong.iter().take(10) {
        writeln!(out, "{failure}")?;
    }
    let (backends, wrong_count) = (entries.len(), wrong.len());
    writeln!(out, "{count} evaluations by {backends} backends, {wrong_count} wrong")?;
    writeln!(out, "in the second round, memory grew by {}", units::bytes(growth as u64))?;
    let right = wrong.is_empty() && growth <= GROWTH;
    Ok(if right { Verdict::AllAgree } else { Verdict::Disagreement })
}
