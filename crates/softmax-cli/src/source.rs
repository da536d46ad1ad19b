//! Loads the problem of a command, and selects the gradients to compute.

use crate::args::{ObjectiveArgs, ProblemArgs};
use crate::class_counts::ClassCounts;
use crate::data_args::DataArgs;
use crate::flags::{in_words_of_flags, of_reading};
use crate::memory::check_problem;
use softmax::{Backend, BackendElement, Feature, Objective, OutputKind, OutputSet, Problem};
use softmax_data::{
    DataError, Dataset, Format, Preparation, ReadOptions, Storage, digits, printable, read, read_weights,
    synthetic,
};
use softmax_record::Shape;
use std::path::Path;

/// The data and the objective of a problem.
#[derive(Clone, Debug)]
pub(crate) struct Source<T> {
    pub(crate) dataset: Dataset<T>,
    pub(crate) objective: Objective,
    /// The number of classes without a sample, which exist only because a file has larger labels.
    pub(crate) classes_without_samples: usize,
}

impl<T: BackendElement> Source<T> {
    /// A random problem.
    pub(crate) fn random(shape: Shape, seed: u64) -> Self {
        let dataset = synthetic(shape.n, shape.d, shape.c, seed);
        Source { dataset, objective: Objective::default(), classes_without_samples: 0 }
    }

    /// Loads the data that the command line names, by default the embedded digits.
    pub(crate) fn load(args: &ProblemArgs, objective: &ObjectiveArgs) -> anyhow::Result<Self> {
        let objective = objective.objective()?;
        let mut dataset = match args.synthetic {
            Some(shape) => {
                check_problem::<T>("--synthetic", shape)?;
                let dataset = synthetic(shape.n, shape.d, shape.c, args.seed);
                match args.data.limit {
                    Some(limit) => dataset.limit(limit),
                    None => dataset,
                }
            }
            None => {
                let ignore_index = objective.ignore_index;
                samples(&args.data, ReadOptions { ignore_index, ..args.data.options() })?
            }
        };
        if args.bias_column || args.standardize {
            check_dense(&dataset)?;
        }
        dataset =
            dataset.prepare(Preparation { standardize: args.standardize, bias_column: args.bias_column });
        if let Some(path) = &args.weights {
            let (weights, bias) = read_weights(path, args.data.storage).map_err(in_words_of_flags)?;
            dataset.weights = Some(weights);
            dataset.weights_origin = Some(path.display().to_string());
            dataset.bias = bias.or(dataset.bias);
        }
        let is_counted = args.data.data.is_some()
            && dataset.weights.is_none()
            && dataset.bias.is_none()
            && dataset.class_weights.is_none();
        Source::new(dataset, objective, args.seed, is_counted)
    }

    /// Adds random weights if there are none. Fails if they do not fit into memory. `is_counted` says that the labels
    /// alone determine the number of classes.
    fn new(dataset: Dataset<T>, objective: Objective, seed: u64, is_counted: bool) -> anyhow::Result<Self> {
        let ignored = objective.ignore_index;
        dataset.check_classes(ignored)?;
        let (d, c) = (dataset.features.dim().1, dataset.n_classes(ignored));
        if dataset.weights.is_none() {
            check_problem::<T>(&dataset.origin, Shape { n: 0, d, c })?;
        }
        let dataset = dataset.with_weights(seed, ignored)?;
        let classes_without_samples = if is_counted {
            ClassCounts::of(&dataset, c, None).map_or(0, |counts| counts.empty())
        } else {
            0
        };
        Ok(Source { dataset, objective, classes_without_samples })
    }

    /// The problem.
    pub(crate) fn problem(&self) -> anyhow::Result<Problem<'_, T>> {
        self.dataset.problem(self.objective).map_err(in_words_of_flags)
    }

    /// The same problem in dense arrays of the element type. Fails if they do not fit into memory.
    pub(crate) fn widened(&self) -> anyhow::Result<Self> {
        check_dense(&self.dataset)?;
        Ok(Source { dataset: self.dataset.clone().widened(), ..self.clone() })
    }
}

/// Reads the file that the command line names, by default the embedded digits.
pub(crate) fn samples<T: BackendElement>(
    args: &DataArgs,
    options: ReadOptions,
) -> anyhow::Result<Dataset<T>> {
    match &args.data {
        Some(path) => {
            let format = options.format.or_else(|| Format::of_name(path));
            if let (Some(flag), Some(format)) = (args.table_flag(), format.filter(|&of| of != Format::Csv)) {
                anyhow::bail!(
                    "{flag}: expected a table, found {}, read as {format}",
                    printable(&path.to_string_lossy())
                );
            }
            read(path, &options).map_err(|error| of_reading(error, path, &options))
        }
        None => Ok(options.limit.map_or_else(digits, |limit| digits().limit(limit))),
    }
}

/// Fails if a dense array of the features does not fit into memory.
pub(crate) fn check_dense<T: BackendElement>(dataset: &Dataset<T>) -> anyhow::Result<()> {
    let (n, d) = dataset.features.dim();
    check_problem::<T>(&dataset.origin, Shape { n, d: d.saturating_add(1), c: 0 })
}

/// A half-precision or sparse storage that the problem has and the backend does not support.
pub(crate) fn lacking_storage<T: BackendElement>(
    backend: &(impl Backend + ?Sized),
    problem: &Problem<'_, T>,
) -> Option<Feature> {
    problem.needs().iter().find(|&feature| feature.is_storage() && !backend.supports(feature))
}

/// Reads an `.npz` with all arrays of a problem.
pub(crate) fn read_npz<T: BackendElement>(path: &Path, storage: Storage) -> Result<Dataset<T>, DataError> {
    read(path, &ReadOptions { format: Some(softmax_data::Format::Npz), storage, ..ReadOptions::default() })
}

/// The gradients to compute: dW, db if there is a bias, and dX if requested.
pub(crate) fn gradients<T: BackendElement>(problem: &Problem<'_, T>, dx: bool) -> OutputSet {
    let mut set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    if problem.bias().is_some() {
        set = set.with(OutputKind::BiasGradient);
    }
    if dx { set.with(OutputKind::FeaturesGradient) } else { set }
}
