//! Where a command's problem comes from, and what is asked of it.

use crate::args::{ObjectiveArgs, ProblemArgs, Shape};
use crate::{machine, units};
use softmax_core::{Element, OutputKind, OutputSet, OwnedProblem, Problem};
use softmax_data::{ReadOptions, digits, read, read_weights, synthetic};

/// A problem and a word on its origin.
#[derive(Debug)]
pub(crate) struct Source<T> {
    pub(crate) origin: String,
    pub(crate) problem: OwnedProblem<T>,
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
    }
    let origin = dataset.origin.clone();
    dataset.check_classes(objective.ignore_index)?;
    if dataset.weights.is_none() {
        let (d, c) = (dataset.features.ncols(), dataset.n_classes(objective.ignore_index));
        check_room::<T>(&origin, Shape { n: 0, d, c })?;
    }
    let problem = dataset.into_problem(objective.objective(), objective.ignore_index, args.seed)?;
    Ok(Source { origin, problem })
}

/// Refuses a problem whose arrays this machine has no memory for.
pub(crate) fn check_room<T>(whose: &str, shape: Shape) -> anyhow::Result<()> {
    let Shape { n, d, c } = shape;
    // X, W and dW; what else a backend takes is its own.
    let needed = (n as f64 * d as f64 + 2.0 * d as f64 * c as f64) * size_of::<T>() as f64;
    let available = machine::available_bytes().map_or(f64::INFINITY, |bytes| bytes as f64);
    if needed > available {
        let (needed, available) = (units::bytes(needed as usize), units::bytes(available as usize));
        anyhow::bail!(
            "{whose}: expected a problem that fits into {available} of memory, found {n}x{d}x{c}, which takes {needed}"
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
