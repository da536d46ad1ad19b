//! The command line of `fit` and `predict`.

use crate::args::ObjectiveArgs;
use crate::data_args::DataArgs;
use crate::parallel::Parallel;
use crate::values::{self, parse_count, parse_seed, parse_threads, parse_tolerance};
use clap::{Args, ValueEnum};
use softmax::{Dtype, Level};
use softmax_fit::{Fit, Solver};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Validation samples: a file, or a fraction of the data to hold out
    #[arg(long, value_name = "FILE|FRACTION", value_parser = parse_validation)]
    pub(crate) validation: Option<Validation>,
    /// Seed of the choice of the fraction
    #[arg(long, default_value_t = 0, value_parser = parse_seed)]
    pub(crate) seed: u64,
    /// Give each feature mean 0 and standard deviation 1; the model stores both
    #[arg(long)]
    pub(crate) standardize: bool,
    /// Weights of the classes: balanced, N/(C·n) for a class of n of the N samples, so that all classes count the same
    #[arg(long, value_enum, value_name = "balanced")]
    pub(crate) class_weights: Option<ClassWeights>,
    /// Method of minimisation
    #[arg(long, value_parser = values::solver(), default_value = "auto")]
    pub(crate) solver: Solver,
    /// Train W without a bias
    #[arg(long)]
    pub(crate) no_bias: bool,
    /// Largest number of iterations
    #[arg(long, value_name = "N", default_value_t = Fit::MAX_ITERATIONS, value_parser = parse_count)]
    pub(crate) max_iterations: usize,
    /// Largest |entry| of the gradient at convergence
    #[arg(long, value_name = "T", default_value_t = Fit::TOLERANCE, value_parser = parse_tolerance,
          allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    #[command(flatten)]
    pub(crate) objective: ObjectiveArgs,
    /// The backend that computes loss and gradients
    #[arg(long, value_name = "NAME", default_value = "fused", help_heading = "Computation")]
    pub(crate) backend: String,
    /// The element type
    #[arg(long, value_parser = values::dtype(), default_value = "f32", help_heading = "Computation")]
    pub(crate) dtype: Dtype,
    /// Number of threads [default: all]
    #[arg(long, value_name = "N", value_parser = parse_threads, help_heading = "Computation")]
    pub(crate) threads: Option<usize>,
    /// Vector instructions of fused: portable, avx2, avx512 or neon [default: the widest of the machine]
    #[arg(long, value_name = "LEVEL", value_parser = values::parse_level, help_heading = "Computation")]
    pub(crate) simd: Option<Level>,
    /// Divide the samples or the classes among the processes of mpirun
    #[arg(long, value_enum, help_heading = "Computation")]
    pub(crate) parallel: Option<Parallel>,
    /// Plot loss and gradient against evaluations
    #[arg(long, value_name = "FILE.svg", value_parser = values::parse_picture)]
    pub(crate) plot: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = FitFormat::Text)]
    pub(crate) format: FitFormat,
    /// File of the model: W, b, names of classes and columns, standardisation and options
    #[arg(long, value_name = "MODEL.safetensors", value_parser = values::parse_model)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A model written by `softmax fit`
    #[arg(long, value_name = "MODEL.safetensors")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Also write the K most probable classes and their log p
    #[arg(long, value_name = "K", value_parser = parse_count)]
    pub(crate) top: Option<usize>,
    /// Also write the probability of every class
    #[arg(long)]
    pub(crate) probabilities: bool,
    /// Number of threads [default: all]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<usize>,
    /// File of the classes: names in a .csv, indices in an .npz
    #[arg(long, value_name = "FILE.csv|FILE.npz", value_parser = values::parse_predictions)]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FitFormat {
    Text,
    Json,
}

/// Class weights that follow from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassWeights {
    Balanced,
}

/// The validation samples.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Validation {
    Fraction(f64),
    File(PathBuf),
}

fn parse_validation(text: &str) -> Result<Validation, String> {
    match text.parse::<f64>() {
        Ok(fraction) if fraction > 0.0 && fraction < 1.0 => Ok(Validation::Fraction(fraction)),
        Ok(_) => Err("expected a file, or a fraction between 0 and 1".to_owned()),
        Err(_) if text.ends_with('%') => Err("expected a file, or a fraction such as 0.2".to_owned()),
        Err(_) => Ok(Validation::File(text.into())),
    }
}
