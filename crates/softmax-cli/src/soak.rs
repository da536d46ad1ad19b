//! `softmax workbench soak`, which `cargo xtask soak` drives: random problems in a row through backends that live on, each
//! answer held against the oracle, with an eye on memory.

use crate::args::SoakArgs;
use crate::progress::Progress;
use crate::registry::{BackendEntry, CliElement, Registry, Setup};
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use softmax_conformance::{check, reference};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Objective, OutputKind, OutputSet, OwnedOutputs, OwnedProblem, OwnedTargets, Problem, Reduction,
    SoftmaxBackend, Targets,
};
use softmax_record::units;
use std::io::Write;

/// Sizes at most: beyond the limit between the kernels, and beyond vectors in any direction.
const SAMPLES: usize = 70;
const FEATURES: usize = 40;
const CLASSES: usize = 150;

/// What may be held at the end beyond what was held after the first tenth: allocators round, and pools grow late.
const GROWTH: usize = 4 << 20;

pub(crate) fn run(args: &SoakArgs, registry: &Registry, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    interrupt::listen();
    let setup = Setup { threads: machine::set_threads(None)? };
    let entries = registry.select(&args.backends)?;
    let mut single: Vec<Backend<'_, f32>> = entries.iter().map(|entry| Backend::new(entry, setup)).collect();
    let mut double: Vec<Backend<'_, f64>> = entries.iter().map(|entry| Backend::new(entry, setup)).collect();
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let progress = Progress::new(args.count);
    progress.doing("random problems");
    let (mut held, mut wrong) = (0, Vec::new());
    for k in 0..args.count {
        if interrupt::requested() {
            return Ok(Verdict::Interrupted);
        }
        let place = random.random_range(0..entries.len());
        let failures = if random.random_bool(0.5) {
            single[place].evaluate(&mut random, k == 0)?
        } else {
            double[place].evaluate(&mut random, k == 0)?
        };
        wrong.extend(
            failures.into_iter().map(|failure| format!("problem {k}, {}: {failure}", entries[place].name)),
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
    writeln!(
        out,
        "{count} evaluations by {} backends, {wrong_count} wrong, memory grew by {grown}",
        entries.len()
    )?;
    let right = wrong.is_empty() && growth <= GROWTH;
    Ok(if right { Verdict::AllAgree } else { Verdict::Disagreement })
}

/// A backend that lives through all of it.
struct Backend<'e, T> {
    entry: &'e BackendEntry,
    backend: Box<dyn SoftmaxBackend<T>>,
}

impl<'e, T: CliElement> Backend<'e, T> {
    fn new(entry: &'e BackendEntry, setup: Setup) -> Self {
        Backend { entry, backend: T::make(entry, setup) }
    }

    /// What is wrong with its answer to a random problem.
    fn evaluate(&mut self, random: &mut ChaCha8Rng, largest: bool) -> anyhow::Result<Vec<String>> {
        let owned = problem::<T>(random, largest);
        let problem = owned.problem()?;
        let set: OutputSet = OutputKind::ALL.into_iter().filter(|_| random.random_bool(0.7)).collect();
        let mut outputs = OwnedOutputs::zeros(&problem, set);
        let evaluation = match self.backend.evaluate(&problem, &mut outputs.as_outputs()) {
            Ok(evaluation) => evaluation,
            Err(softmax_core::Error::Unsupported { .. }) => return Ok(Vec::new()),
            Err(error) => return Ok(vec![format!("{}: {error}", self.entry.name)]),
        };
        let errors = check(&evaluation, &outputs, &reference(&problem, set));
        let wrong = errors.iter().filter(|error| !error.is_within_bound());
        Ok(wrong.map(|error| format!("{}: {error}", describe(&problem))).collect())
    }
}

/// Its sizes and options, for a message.
fn describe<T: CliElement>(problem: &Problem<'_, T>) -> String {
    let [n, d, c] = [problem.n_samples(), problem.n_features(), problem.n_classes()];
    let mut text = format!("{n}x{d}x{c} {}", T::DTYPE);
    let parts = [
        ("soft targets", matches!(problem.targets(), Targets::Soft(_))),
        ("bias", problem.bias().is_some()),
        ("class weights", problem.class_weights().is_some()),
        ("sample weights", problem.sample_weights().is_some()),
    ];
    for (name, _) in parts.into_iter().filter(|(_, is_there)| *is_there) {
        text.push_str(", ");
        text.push_str(name);
    }
    format!("{text}, {:?}", problem.objective())
}

/// Of any size and with any options.
fn problem<T: CliElement>(random: &mut ChaCha8Rng, largest: bool) -> OwnedProblem<T> {
    let [n, d, c] =
        [SAMPLES, FEATURES, CLASSES].map(|most| if largest { most } else { random.random_range(0..=most) });
    let c = c.max(1);
    let spread = [0.01, 1.0, 30.0][random.random_range(0..3)];
    let features = matrix(random, n, d, 1.0);
    let weights = matrix(random, d, c, spread);
    let is_soft = random.random_bool(0.2);
    let targets = if is_soft {
        OwnedTargets::Soft(matrix(random, n, c, 1.0).mapv(|x: T| x * x))
    } else {
        OwnedTargets::Labels(Array1::from_shape_simple_fn(n, || random.random_range(0..c)))
    };
    let mut sometimes = |low: f64, high: f64, length: usize| {
        random.random_bool(0.4).then(|| vector(random, length, low, high))
    };
    let (bias, class_weights) = (sometimes(-1.0, 1.0, c), sometimes(0.1, 2.0, c));
    let sample_weights = sometimes(0.0, 2.0, n);
    let mut now = || random.random_bool(0.3);
    let objective = Objective {
        reduction: if now() { Reduction::Sum } else { Reduction::Mean },
        label_smoothing: if now() { 0.1 } else { 0.0 },
        ignore_index: (now() && !is_soft).then_some(0),
        l2: if now() { 0.01 } else { 0.0 },
        z_loss: if now() { 1e-3 } else { 0.0 },
        softcap: now().then_some(5.0),
        temperature: if now() { 1.5 } else { 1.0 },
    };
    OwnedProblem { features, weights, targets, bias, class_weights, sample_weights, objective }
}

fn vector<T: CliElement>(random: &mut ChaCha8Rng, length: usize, low: f64, high: f64) -> Array1<T> {
    Array1::from_shape_simple_fn(length, || T::narrow(low + (high - low) * random.random::<f64>()))
}

fn matrix<T: CliElement>(random: &mut ChaCha8Rng, rows: usize, columns: usize, size: f64) -> Array2<T> {
    Array2::from_shape_simple_fn((rows, columns), || T::narrow(size * (2.0 * random.random::<f64>() - 1.0)))
}
