//! `softmax workbench soak`, which `cargo xtask soak` drives: random problems in a row through backends that live on, each
//! answer held against the oracle, with an eye on memory.

use crate::args::SoakArgs;
use crate::progress::Progress;
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use peak_alloc::PeakAlloc;
use softmax::{BackendElement, Error, OutputKind, OutputSet, OwnedOutputs, Registry, Setup, SoftmaxBackend};
use softmax_conformance::{Case, Generator, Storage, check, reference};
use softmax_record::units;
use std::io::Write;

/// Sizes at most: beyond the limit between the kernels, and beyond vectors in any direction.
const SAMPLES: usize = 70;
const FEATURES: usize = 40;
const CLASSES: usize = 150;

/// Factors of the weights: scores that hardly differ, ordinary ones, and confident ones.
const SPREADS: [f64; 3] = [0.01, 1.0, 30.0];

/// What may be held at the end beyond what was held after the first tenth: allocators round, and pools grow late.
const GROWTH: usize = 4 << 20;

/// A backend that lives through all of it, in both types.
struct Lasting {
    name: String,
    single: Box<dyn SoftmaxBackend<f32>>,
    double: Box<dyn SoftmaxBackend<f64>>,
}

pub(crate) fn run(args: &SoakArgs, registry: &Registry, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    interrupt::listen();
    let setup = Setup { threads: Some(machine::set_threads(None)?) };
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
        let case = random_case(&mut g, k == 0);
        let set: OutputSet = OutputKind::ALL.iter().copied().filter(|_| g.below(10) < 7).collect();
        let backend = &mut backends[g.below(entries.len())];
        let failures = if g.below(2) == 0 {
            evaluate(backend.single.as_mut(), &case, set)?
        } else {
            evaluate(backend.double.as_mut(), &case, set)?
        };
        let name = &backend.name;
        wrong.extend(
            failures.into_iter().map(|failure| format!("problem {k}, {name}: {}: {failure}", case.name)),
        );
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

/// Of any size, with any options, in any storage.
fn random_case(g: &mut Generator, largest: bool) -> Case {
    let [n, d, c] = [SAMPLES, FEATURES, CLASSES].map(|most| if largest { most } else { g.below(most + 1) });
    let choices = g.choices();
    let mut problem = g.problem_with(n, d, c.max(1), choices);
    problem.weights *= SPREADS[g.below(SPREADS.len())];
    let name = format!("{n}x{d}x{}{}", c.max(1), choices.describe());
    let storage = if g.below(2) == 0 { Storage::default() } else { g.storage() };
    Case::new(name, problem).stored_as(storage)
}

/// What is wrong with an answer.
fn evaluate<T: BackendElement>(
    backend: &mut dyn SoftmaxBackend<T>,
    case: &Case,
    set: OutputSet,
) -> anyhow::Result<Vec<String>> {
    let stored = case.stored::<T>();
    let problem = stored.problem()?;
    let mut outputs = OwnedOutputs::zeros(&problem, set);
    let evaluation = match backend.evaluate(&problem, &mut outputs.as_outputs()) {
        Ok(evaluation) => evaluation,
        Err(Error::Unsupported { .. }) => return Ok(Vec::new()),
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let errors = check(&evaluation, &outputs, &reference(&problem, set));
    let wrong = errors.iter().filter(|error| !error.is_within_bound());
    Ok(wrong.map(|error| format!("{}, {:?}: {error}", T::DTYPE, case.storage)).collect())
}
