//! The command line of `fit` and `predict`.

use crate::args::ObjectiveArgs;
use crate::data_args::DataArgs;
use crate::parallel::Parallel;
use crate::values::{self, parse_count, parse_threads, parse_tolerance};
use clap::{Args, ValueEnum};
use softmax::{Dtype, Level};
use softmax_fit::{Fit, Solver};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Samples to try the model on: a file, or a fraction of the data, which is not trained on
    #[arg(long, value_name = "FILE|FRACTION", value_parser = parse_validation)]
    pub(crate) validation: Option<Validation>,
    /// The seed by which the fraction is drawn
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Give each feature mean 0 and standard deviation 1; the model keeps what was done
    #[arg(long)]
    pub(crate) standardize: bool,
    /// How the loss is minimised
    #[arg(long, value_parser = values::solver(), default_value = "auto")]
    pub(crate) solver: Solver,
    /// W alone, and no bias
    #[arg(long)]
    pub(crate) no_bias: bool,
    /// Stop after so many iterations in any case
    #[arg(long, value_name = "N", default_value_t = Fit::MAX_ITERATIONS, value_parser = parse_count)]
    pub(crate) max_iterations: usize,
    /// The largest |entry| of the gradient at a minimum
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
    /// How many threads to use [default: all]
    #[arg(long, value_name = "N", value_parser = parse_threads, help_heading = "Computation")]
    pub(crate) threads: Option<usize>,
    /// The vector instructions of fused: portable, avx2, avx512 or neon [default: the widest of the machine]
    #[arg(long, value_name = "LEVEL", help_heading = "Computation")]
    pub(crate) simd: Option<Level>,
    /// Over the processes of mpirun: each computes loss and gradient of some of the samples, or of the classes
    #[arg(long, value_enum, help_heading = "Computation")]
    pub(crate) parallel: Option<Parallel>,
    /// Draw loss and gradient against evaluations
    #[arg(long, value_name = "FILE.svg", value_parser = values::parse_picture)]
    pub(crate) plot: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = FitFormat::Text)]
    pub(crate) format: FitFormat,
    /// Where the model goes: W, b, class names, standardisation and options
    #[arg(long, value_name = "MODEL.safetensors")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A model that fit wrote
    #[arg(long, value_name = "MODEL.safetensors")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The K most probable classes too, and log p of each
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: Option<u32>,
    /// How many threads to use [default: all]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<usize>,
    /// Where the classes go: by their names in a .csv, by their numbers in an .npz
    #[arg(long, value_name = "FILE.csv|FILE.npz", value_parser = values::parse_predictions)]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FitFormat {
    Text,
    Json,
}

/// What a model is tried on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Validation {
    Fraction(f64),
    File(PathBuf),
}

fn parse_validation(text: &str) -> Result<Validation, String> {
    match text.parse::<f64>() {
        Ok(fraction) if fraction > 0.0 && fraction < 1.0 => Ok(Validation::Fraction(fraction)),
        Ok(_) => Err("expected a file, or a fraction between 0 and 1".to_owned()),
        Err(_) => Ok(Validation::File(text.into())),
    }
}
