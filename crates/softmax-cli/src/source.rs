//! Where a command's problem comes from, and what is asked of it.

use crate::args::{ObjectiveArgs, ProblemArgs};
use crate::machine;
use softmax_core::{Element, OutputKind, OutputSet, OwnedProblem, OwnedTargets, Problem};
use softmax_data::{ReadOptions, digits, read, read_weights, synthetic};
use softmax_record::{Shape, units};

/// A problem and what is known of its origin.
#[derive(Debug)]
pub(crate) struct Source<T> {
    pub(crate) origin: String,
    pub(crate) problem: OwnedProblem<T>,
    /// Classes that are there only since a file's labels go beyond them.
    pub(crate) classes_without_samples: usize,
}

impl<T: Element> Source<T> {
    /// One whose number of classes was given.
    pub(crate) fn new(origin: String, problem: OwnedProblem<T>) -> Self {
        Source { origin, problem, classes_without_samples: 0 }
    }
}

/// A random problem.
pub(crate) fn random<T: Element>(shape: Shape, seed: u64) -> anyhow::Result<Source<T>> {
    let dataset = synthetic::<T>(shape.n, shape.d, shape.c, seed);
    let origin = dataset.origin.clone();
    Ok(Source::new(origin, dataset.into_problem(Default::default(), None, seed)?))
}

pub(crate) fn load<T: Element>(args: &ProblemArgs, objective: &ObjectiveArgs) -> anyhow::Result<Source<T>> {
    let mut dataset = match (&args.data, args.synthetic) {
        (Some(path), _) => read(
            path,
            &ReadOptions {
                format: args.data_format.map(Into::into),
                labels: args.labels.clone(),
                label_column: args.label_column.clone(),
                limit: args.limit,
            },
        )?,
        (None, Some(shape)) => {
            check_room::<T>("--synthetic", shape)?;
            synthetic(shape.n, shape.d, shape.c, args.seed)
        }
        (None, None) => digits(),
    };
    if let (None, Some(limit)) = (&args.data, args.limit) {
        dataset = dataset.limit(limit);
    }
    if args.standardize {
        dataset = dataset.standardize();
    }
    if args.bias_column {
        dataset = dataset.with_bias_column();
    }
    if let Some(path) = &args.weights {
        let (weights, bias) = read_weights(path)?;
        dataset.weights = Some(weights);
        dataset.bias = bias.or(dataset.bias);
        dataset.check_weights(&path.display().to_string())?;
    }
    let origin = dataset.origin.clone();
    dataset.check_classes(objective.ignore_index)?;
    if dataset.weights.is_none() {
        let (d, c) = (dataset.features.ncols(), dataset.n_classes(objective.ignore_index));
        check_room::<T>(&origin, Shape { n: 0, d, c })?;
    }
    let is_counted = args.data.is_some()
        && dataset.weights.is_none()
        && dataset.bias.is_none()
        && dataset.class_weights.is_none();
    let problem = dataset.into_problem(objective.objective(), objective.ignore_index, args.seed)?;
    let source = Source::new(origin, problem);
    let classes_without_samples = if is_counted { classes_without_samples(&source.problem) } else { 0 };
    Ok(Source { classes_without_samples, ..source })
}

fn classes_without_samples<T: Element>(problem: &OwnedProblem<T>) -> usize {
    match &problem.targets {
        OwnedTargets::Labels(labels) => {
            let mut is_there = vec![false; problem.weights.ncols()];
            labels.iter().filter_map(|&y| is_there.get_mut(y).map(|there| *there = true)).for_each(drop);
            is_there.iter().filter(|there| !**there).count()
        }
        OwnedTargets::Soft(_) => 0,
    }
}

/// Refuses a problem whose arrays this machine has no memory for.
pub(crate) fn check_room<T>(whose: &str, shape: Shape) -> anyhow::Result<()> {
    let Shape { n, d, c } = shape;
    // X, W and dW; what else a backend takes is its own.
    let needed = (n as f64 * d as f64 + 2.0 * d as f64 * c as f64) * size_of::<T>() as f64;
    let available = machine::available_bytes().map_or(f64::INFINITY, |bytes| bytes as f64);
    if needed > available {
        let (needed, available) = (units::bytes(needed as u64), units::bytes(available as u64));
        anyhow::bail!(
            "{whose}: expected a problem that fits into {available} of memory, found {shape}, which takes {needed}"
        );
    }
    Ok(())
}

/// dW, db where there is a bias, and dX if it is asked for.
pub(crate) fn gradients<T: Element>(problem: &Problem<'_, T>, dx: bool) -> OutputSet {
    let mut set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    if problem.bias().is_some() {
        set = set.with(OutputKind::BiasGradient);
    }
    if dx { set.with(OutputKind::FeaturesGradient) } else { set }
}
