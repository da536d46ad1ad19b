//! `softmax eval`: one backend, one problem, all outputs.

use crate::args::EvalArgs;
use crate::machine;
use crate::registry::{CliElement, Registry, Setup};
use crate::verdict::Verdict;
use anyhow::Context;
use softmax_core::{Dtype, OutputSet, OwnedOutputs};
use softmax_data::{DataError, float_type_of_npz, read_npz, write_evaluation_npz};

pub(crate) fn run(args: &EvalArgs, registry: &Registry) -> anyhow::Result<Verdict> {
    let dtype = match args.dtype {
        Some(dtype) => dtype.into(),
        None => float_type_of_npz(&args.data)?,
    };
    match dtype {
        Dtype::F32 => run_as::<f32>(args, registry),
        Dtype::F64 => run_as::<f64>(args, registry),
    }
}

fn run_as<T: CliElement>(args: &EvalArgs, registry: &Registry) -> anyhow::Result<Verdict> {
    let entry = registry.find(&args.backend)?;
    let dataset = read_npz::<T>(&args.data)?;
    let file = dataset.origin.clone();
    if dataset.weights.is_none() {
        let expected = "a matrix of D rows and C columns".to_owned();
        let found = "no array of that name".to_owned();
        return Err(DataError::Field { origin: file, field: "W".to_owned(), expected, found }.into());
    }
    let objective = args.objective.objective();
    let owned = dataset.into_problem(objective, args.objective.ignore_index, 0)?;
    let problem = owned.problem().context(file)?;
    let threads = machine::set_threads(args.threads)?;
    let mut backend = T::make(entry, Setup { threads });
    let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    write_evaluation_npz(&args.out, &evaluation, &outputs)?;
    Ok(Verdict::AllAgree)
}
