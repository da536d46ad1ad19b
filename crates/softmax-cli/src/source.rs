//! Where a command's problem comes from.

use crate::args::{ObjectiveArgs, ProblemArgs};
use softmax_core::{Element, OwnedProblem};
use softmax_data::{digits, read_npz, read_weights_npz, synthetic};

/// A problem and a word on its origin.
#[derive(Debug)]
pub(crate) struct Source<T> {
    pub(crate) origin: String,
    pub(crate) problem: OwnedProblem<T>,
}

pub(crate) fn load<T: Element>(args: &ProblemArgs, objective: &ObjectiveArgs) -> anyhow::Result<Source<T>> {
    let mut dataset = match (&args.data, args.synthetic) {
        (Some(path), _) => read_npz(path)?,
        (None, Some(shape)) => synthetic(shape.n, shape.d, shape.c, args.seed),
        (None, None) => digits(),
    };
    if let Some(path) = &args.weights {
        let (weights, bias) = read_weights_npz(path)?;
        dataset.weights = Some(weights);
        dataset.bias = bias.or(dataset.bias);
    }
    let origin = dataset.origin.clone();
    let problem = dataset.into_problem(objective.objective(), objective.ignore_index, args.seed)?;
    Ok(Source { origin, problem })
}
