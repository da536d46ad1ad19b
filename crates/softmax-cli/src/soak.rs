//! `softmax workbench soak`, which `cargo xtask soak` runs: evaluates random problems with long-lived backends, checks
//! each answer against the oracle, and checks that memory does not grow.

use crate::args::SoakArgs;
use crate::progress::Progress;
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use peak_alloc::PeakAlloc;
use softmax::{Error, Registry, Setup, SoftmaxBackend};
use softmax_conformance::{Generator, RandomProblem};
use softmax_record::units;
use std::io::Write;

/// The bytes by which the heap may grow after the first tenth of the problems: allocators round, and pools grow late.
const GROWTH: usize = 4 << 20;

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
    let mut g = Generator::new(args.seed);
    let progress = Progress::new(args.count);
    progress.doing("random problems");
    let (mut held, mut wrong) = (0, Vec::new());
    for k in 0..args.count {
        if interrupt::requested() {
            return Ok(Verdict::Interrupted);
        }
        let seed = args.seed + k as u64;
        let problem = RandomProblem::new(seed);
        let backend = &mut backends[g.below(entries.len())];
        let answer = if g.below(2) == 0 {
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
        if k == args.count / 10 {
            held = PeakAlloc.current_usage();
        }
        progress.at(k + 1, args.count);
    }
    let growth = PeakAlloc.current_usage().saturating_sub(held);
    for failure in wrong.iter().take(10) {
        writeln!(out, "{failure}")?;
    }
    let (count, wrong_count, grown) = (args.count, wrong.len(), units::bytes(growth as u64));
    let backends = entries.len();
    writeln!(out, "{count} evaluations by {backends} backends, {wrong_count} wrong, memory grew by {grown}")?;
    let right = wrong.is_empty() && growth <= GROWTH;
    Ok(if right { Verdict::AllAgree } else { Verdict::Disagreement })
}
