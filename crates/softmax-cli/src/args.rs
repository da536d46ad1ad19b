//! The command line of `softmax`.

use crate::data_args::DataArgs;
use crate::fit_args::{FitArgs, PredictArgs};
use crate::flags::of_option;
use crate::parallel::Parallel;
use crate::style::Color;
use crate::values::{
    self, parse_count, parse_integer, parse_minutes, parse_seconds, parse_seed, parse_threads,
    parse_tolerance,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use softmax::{Dtype, Level, Objective, Reduction};
use softmax_data::Storage;
use softmax_external::Launch;
use softmax_record::Shape;
use std::path::PathBuf;

/// Compare implementations of the linear softmax loss, and train classifiers with it.
#[derive(Debug, Parser)]
#[command(name = "softmax", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// When to print in colour; NO_COLOR is honoured
    #[arg(long, value_enum, global = true, default_value_t = Color::Auto, hide_possible_values = true,
          value_name = "auto|always|never")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check backends against the reference, then time them side by side.
    ///
    /// The default problem is the embedded digits. Exit code 1 if a backend disagrees.
    #[command(after_help = "Example: softmax compare --synthetic 1024x512x1000 --backends ndarray,burn")]
    Compare(CompareArgs),
    /// Evaluate one backend on an .npz and write loss and gradients to another.
    #[command(after_help = "Example: softmax eval --backend ndarray --data problem.npz --out result.npz")]
    Eval(EvalArgs),
    /// Run the conformance suite, or random problems, on backends.
    ///
    /// Exit code 1 if a case fails.
    #[command(after_help = "Example: softmax verify --backends ndarray --filter options/")]
    Verify(VerifyArgs),
    /// Check sampled gradient entries against finite differences of the loss.
    ///
    /// Prints a line per entry, the worst first: numeric, analytic, relative error. The numeric value is a central
    /// difference of the loss in double-double arithmetic. Exit code 1 if an error exceeds the tolerance.
    #[command(after_help = "Example: softmax gradcheck --backend ndarray --samples 10 --dtype f64")]
    Gradcheck(GradcheckArgs),
    /// Train a classifier: minimise the loss over W and b, and write the model.
    ///
    /// The default data are the embedded digits. Ctrl-C stops the fit and keeps the current model.
    #[command(
        after_help = "Example: softmax fit --data train.csv --l2 1e-3 --validation 0.1 --out model.safetensors"
    )]
    Fit(FitArgs),
    /// Classify samples with a model.
    ///
    /// If the samples have labels, prints the accuracy.
    #[command(
        after_help = "Example: softmax predict --model model.safetensors --data new.csv --out classes.csv"
    )]
    Predict(PredictArgs),
    /// List the backends and devices of this build and machine.
    #[command(after_help = "Example: softmax backends --format json")]
    Backends(BackendsArgs),
    /// Compare backends on many shapes, element types and numbers of threads.
    ///
    /// Appends one line of JSON per problem, in the format of `compare --format json`, as soon as the problem is done.
    /// `cargo xtask report` makes a page of the file.
    #[command(
        after_help = "Example: softmax bench --shapes 500x3073x10,1024x512x1000 --output records.jsonl"
    )]
    Bench(BenchArgs),
    /// Print completions for a shell.
    #[command(
        after_help = "Example: softmax completions bash > ~/.local/share/bash-completion/completions/softmax"
    )]
    Completions(CompletionsArgs),
    /// Print a page of the manual.
    #[command(after_help = "Example: softmax man compare | man -l -")]
    Man(ManArgs),
    /// What `softmax bench` and `cargo xtask` run in separate processes
    #[command(subcommand, hide = true)]
    Workbench(WorkbenchCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkbenchCommand {
    /// Evaluate once for each line of standard input, and print the seconds
    Worker(WorkerArgs),
    /// Evaluate a synthetic problem a number of times
    Repeat(RepeatArgs),
    /// Evaluate random problems in a row, and check that memory does not grow
    Soak(SoakArgs),
    /// Answer requests of the protocol of external backends
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: String,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: String,
    #[arg(long, value_name = "FILE.npz")]
    pub(crate) data: PathBuf,
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: usize,
    #[arg(long)]
    pub(crate) dx: bool,
    /// A backend whose estimated call exceeds 4× this budget does not start
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) time_budget: f64,
    /// Where to write loss, dW and dX
    #[arg(long, value_name = "FILE.npz")]
    pub(crate) answer: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RepeatArgs {
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: String,
    #[arg(long, value_name = "NxDxC")]
    pub(crate) synthetic: Shape,
    #[arg(long, value_parser = values::dtype(), default_value = "f32")]
    pub(crate) dtype: Dtype,
    #[arg(long)]
    pub(crate) dx: bool,
    #[arg(long, value_name = "COUNT")]
    pub(crate) times: usize,
}

#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) backends: Vec<String>,
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) count: usize,
    #[arg(long, default_value_t = 0, value_parser = parse_seed)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Backends, separated by commas [default: all]
    #[arg(long, alias = "backend", value_delimiter = ',', value_name = "NAMES")]
    pub(crate) backends: Vec<String>,
    #[command(flatten)]
    pub(crate) external: ExternalArgs,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    #[command(flatten)]
    pub(crate) objective: ObjectiveArgs,
    #[command(flatten)]
    pub(crate) timing: TimingArgs,
    /// Number of threads [default: all]
    #[arg(long, value_name = "N", value_parser = parse_threads, help_heading = "Timing")]
    pub(crate) threads: Option<usize>,
    /// Vector instructions of fused: portable, avx2, avx512 or neon [default: the widest of the machine]
    #[arg(long, value_name = "LEVEL", value_parser = values::parse_level, help_heading = "Timing")]
    pub(crate) simd: Option<Level>,
    /// Include the gradient of the features
    #[arg(long)]
    pub(crate) dx: bool,
    #[command(flatten)]
    pub(crate) passes: PassesArgs,
    /// The backend that speed-ups are relative to [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = CompareFormat::Table)]
    pub(crate) format: CompareFormat,
    /// Draw time and error of each backend
    #[arg(long, value_name = "FILE.svg", value_parser = values::parse_picture)]
    pub(crate) plot: Option<PathBuf>,
    /// Write the result to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Backends that run as processes.
#[derive(Debug, Args)]
#[command(next_help_heading = "External backends")]
pub(crate) struct ExternalArgs {
    /// Add a backend that is a program in any language; may be repeated
    ///
    /// COMMAND is split into words as a shell would, but no shell runs it. docs/EXTERNAL.md specifies the protocol.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) external: Vec<Launch>,
    /// Time limit of an external backend, to start and for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = Launch::TIME_LIMIT.as_secs_f64(), requires = "external",
          value_parser = parse_seconds)]
    pub(crate) external_timeout: f64,
}

/// In how many passes a backend computes.
#[derive(Debug, Args)]
pub(crate) struct PassesArgs {
    /// One pass, or two: statistics of the rows first, then gradients, for backends with both
    #[arg(long, value_enum, default_value_t = Pass::One)]
    pub(crate) pass: Pass,
    /// Number of shards of the classes, with --pass two [default: 1]
    #[arg(long, value_name = "K", value_parser = parse_count)]
    pub(crate) shards: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pass {
    One,
    Two,
}

impl PassesArgs {
    /// The number of shards in two passes. `None`: one pass.
    pub(crate) fn shards(&self) -> anyhow::Result<Option<usize>> {
        match (self.pass, self.shards) {
            (Pass::One, None) => Ok(None),
            (Pass::One, Some(_)) => anyhow::bail!("--shards: expected --pass two, found --pass one"),
            (Pass::Two, shards) => Ok(Some(shards.unwrap_or(1))),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// The backend [default: fused, or the external one]
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    #[command(flatten)]
    pub(crate) external: ExternalArgs,
    /// An .npz with X (N×D), W (D×C), y (N) or Y (N×C), and optionally b, class_weight, sample_weight
    #[arg(long, value_name = "FILE.npz")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) objective: ObjectiveArgs,
    /// The element type [default: f64 if X is float64, else f32]
    #[arg(long, value_parser = values::dtype())]
    pub(crate) dtype: Option<Dtype>,
    /// Keep f16 as stored for backends that support it, or widen it
    #[arg(long, value_parser = values::storage(), default_value = "keep")]
    pub(crate) storage: Storage,
    /// Number of threads [default: all]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<usize>,
    /// Vector instructions of fused: portable, avx2, avx512 or neon [default: the widest of the machine]
    #[arg(long, value_name = "LEVEL", value_parser = values::parse_level)]
    pub(crate) simd: Option<Level>,
    /// Divide the samples or the classes among the processes of mpirun
    #[arg(long, value_enum)]
    pub(crate) parallel: Option<Parallel>,
    /// Also write the K best classes of each sample, as top_classes and top_log_prob (N×K)
    #[arg(long, value_name = "K", value_parser = parse_count)]
    pub(crate) top: Option<usize>,
    /// Where to write loss, dW, dX, db, sample_loss, lse, predicted, entropy, label_log_prob and label_rank
    #[arg(long, value_name = "FILE.npz", value_parser = values::parse_outputs)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Backends, separated by commas [default: all, or the external ones alone]
    #[arg(long, alias = "backend", value_delimiter = ',', value_name = "NAMES")]
    pub(crate) backends: Vec<String>,
    #[command(flatten)]
    pub(crate) external: ExternalArgs,
    /// Only the cases whose names have a word that begins with this, such as options/
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Add six passes of larger crossed cases, which take several minutes
    #[arg(long)]
    pub(crate) thorough: bool,
    /// Draw random problems for M minutes per backend, instead of the suite
    #[arg(long, value_name = "M", value_parser = parse_minutes, conflicts_with_all = ["filter", "thorough", "problems"])]
    pub(crate) minutes: Option<f64>,
    /// Draw N random problems per backend, instead of the suite
    #[arg(long, value_name = "N", value_parser = parse_count, conflicts_with_all = ["filter", "thorough"])]
    pub(crate) problems: Option<usize>,
    /// Seed of the first random problem; each further problem adds 1
    #[arg(long, default_value_t = 0, value_parser = parse_seed)]
    pub(crate) seed: u64,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct GradcheckArgs {
    /// The backend [default: fused, or the external one]
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    #[command(flatten)]
    pub(crate) external: ExternalArgs,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    #[command(flatten)]
    pub(crate) objective: ObjectiveArgs,
    /// Include entries of the gradient of the features
    #[arg(long)]
    pub(crate) dx: bool,
    #[command(flatten)]
    pub(crate) passes: PassesArgs,
    /// Number of entries
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = parse_count)]
    pub(crate) samples: usize,
    /// The largest error allowed, relative to the entry, or to 1/100 of the largest entry if that is larger
    /// [default: 1e-9 in f64, 1e-3 in f32]
    #[arg(long, value_name = "ERROR", value_parser = parse_tolerance)]
    pub(crate) tolerance: Option<f64>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Shapes of the problems
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NxDxC",
        default_value = "500x3073x10,1797x64x10,1024x512x1000"
    )]
    pub(crate) shapes: Vec<Shape>,
    /// Element types
    #[arg(long, value_parser = values::dtype(), value_delimiter = ',', default_value = "f32")]
    pub(crate) dtypes: Vec<Dtype>,
    /// Backends, separated by commas [default: all]
    #[arg(long, alias = "backend", value_delimiter = ',', value_name = "NAMES")]
    pub(crate) backends: Vec<String>,
    #[command(flatten)]
    pub(crate) external: ExternalArgs,
    /// Numbers of threads [default: all]
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Vec<usize>,
    /// Include the gradient of the features
    #[arg(long)]
    pub(crate) dx: bool,
    /// The seed of the random problems
    #[arg(long, default_value_t = 0, value_parser = parse_seed)]
    pub(crate) seed: u64,
    /// Run each backend in a separate process, and measure the machine's limits
    #[arg(long)]
    pub(crate) isolate: bool,
    /// Add the libraries of this Python: NumPy, scikit-learn, PyTorch, JAX, Keras; implies --isolate
    #[arg(long, value_name = "PYTHON")]
    pub(crate) peers: Option<PathBuf>,
    /// Measure memory, threads and classes instead of --shapes; implies --isolate
    #[arg(long, conflicts_with_all = ["shapes", "dtypes", "dx", "seed"])]
    pub(crate) sweeps: bool,
    #[command(flatten)]
    pub(crate) timing: TimingArgs,
    /// File of the records; must not exist, unless --resume is given
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) output: PathBuf,
    /// Keep the records of the file, and add the missing ones
    #[arg(long)]
    pub(crate) resume: bool,
    /// The command to record, if another program runs this one
    #[arg(long, hide = true)]
    pub(crate) command: Option<String>,
    /// The compiler version to record
    #[arg(long, hide = true)]
    pub(crate) rustc: Option<String>,
    /// The source commit to record
    #[arg(long, hide = true)]
    pub(crate) commit: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command to print the page of [default: softmax itself]
    pub(crate) command: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BackendsArgs {
    /// How to print the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Problem")]
pub(crate) struct ProblemArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Give each feature mean 0 and standard deviation 1
    #[arg(long)]
    pub(crate) standardize: bool,
    /// Add a feature that is always 1, whose weights are the bias
    #[arg(long, conflicts_with = "synthetic")]
    pub(crate) bias_column: bool,
    /// File of W and optionally b: .npz or .safetensors [default: the data's, else small random numbers]
    #[arg(long, value_name = "FILE", conflicts_with = "synthetic")]
    pub(crate) weights: Option<PathBuf>,
    /// Random data of N samples, D features and C classes
    #[arg(long, value_name = "NxDxC", conflicts_with = "data")]
    pub(crate) synthetic: Option<Shape>,
    /// The seed of random data and weights
    #[arg(long, default_value_t = 0, value_parser = parse_seed)]
    pub(crate) seed: u64,
    /// The element type [default: f32]
    #[arg(long, value_parser = values::dtype(), default_value = "f32", hide_default_value = true)]
    pub(crate) dtype: Dtype,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Objective")]
pub(crate) struct ObjectiveArgs {
    /// Share of the target that is spread evenly over the classes, 0 to 1
    #[arg(long, value_name = "EPS", default_value_t = 0.0, allow_negative_numbers = true)]
    label_smoothing: f64,
    /// Ignore the samples with this label, such as -100
    #[arg(long, value_name = "LABEL", value_parser = parse_integer, allow_negative_numbers = true)]
    pub(crate) ignore_index: Option<i64>,
    /// Mean or sum of the sample losses
    #[arg(long, value_parser = values::reduction(), default_value = "mean")]
    reduction: Reduction,
    /// Add L2/2 times the squared norm of the weights
    #[arg(long, value_name = "L2", default_value_t = 0.0, allow_negative_numbers = true)]
    l2: f64,
    /// Add Z times the squared log-sum-exp of each sample
    #[arg(long, value_name = "Z", default_value_t = 0.0, allow_negative_numbers = true)]
    z_loss: f64,
    /// Cap the scores smoothly at ±K: K·tanh(score/K)
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    softcap: Option<f64>,
    /// Divide the scores by T
    #[arg(long, value_name = "T", default_value_t = 1.0, allow_negative_numbers = true)]
    temperature: f64,
}

impl ObjectiveArgs {
    /// The objective. Fails if an option is out of its range.
    pub(crate) fn objective(&self) -> anyhow::Result<Objective> {
        let objective = Objective {
            reduction: self.reduction,
            label_smoothing: self.label_smoothing,
            ignore_index: self.ignore_index,
            l2: self.l2,
            z_loss: self.z_loss,
            softcap: self.softcap,
            temperature: self.temperature,
        };
        objective.check().map_err(of_option)?;
        Ok(objective)
    }
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Timing")]
pub(crate) struct TimingArgs {
    /// Number of rounds; each times every backend once [default: as the budget allows]
    #[arg(long, value_name = "ROUNDS", value_parser = values::parse_rounds)]
    pub(crate) repeat: Option<u32>,
    /// Seconds to time a problem, for all backends together; a backend whose estimated call exceeds 4× the budget
    /// is skipped
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = parse_seconds)]
    pub(crate) time_budget: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    Table,
    Json,
    Csv,
    Markdown,
}
