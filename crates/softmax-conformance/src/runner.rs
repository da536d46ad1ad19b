use crate::case::Case;
use crate::check::{OutputError, check};
use crate::oracle::reference;
use softmax_core::{Element, Error, OutputSet, OwnedOutputs, SoftmaxBackend};

/// A run.
pub fn run_case<T: Element>(
    case: &Case,
    backend: &mut dyn SoftmaxBackend<T>,
) -> Result<Vec<OutputError>, Error> {
    let owned = case.narrowed::<T>();
    let problem = owned.problem()?;
    let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    Ok(check(&evaluation, &outputs, &reference(&problem, OutputSet::ALL)))
}
