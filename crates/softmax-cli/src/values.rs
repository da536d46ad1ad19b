//! Parsers for names and numbers on the command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use softmax::{Dtype, Level, Reduction};
use softmax_data::{Format, Storage};
use softmax_fit::Solver;
use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A parser for one of these names, which help and completions list.
fn one_of<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names.into_iter().collect::<Vec<_>>()).try_map(|text| text.parse())
}

pub(crate) fn dtype() -> impl TypedValueParser<Value = Dtype> {
    one_of(Dtype::ALL.iter().map(|dtype| dtype.name()))
}

pub(crate) fn reduction() -> impl TypedValueParser<Value = Reduction> {
    one_of(Reduction::ALL.iter().map(|reduction| reduction.name()))
}

pub(crate) fn format() -> impl TypedValueParser<Value = Format> {
    one_of(Format::ALL.iter().map(|format| format.name()))
}

pub(crate) fn storage() -> impl TypedValueParser<Value = Storage> {
    one_of(Storage::ALL.iter().map(|storage| storage.name()))
}

pub(crate) fn solver() -> impl TypedValueParser<Value = Solver> {
    one_of(Solver::ALL.iter().map(|solver| solver.name()))
}

pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|&s| s > 0.0 && Duration::try_from_secs_f64(s).is_ok());
    seconds.ok_or_else(|| "expected a finite number of seconds above 0".to_owned())
}

pub(crate) fn parse_minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|&m| m > 0.0 && Duration::try_from_secs_f64(60.0 * m).is_ok());
    minutes.ok_or_else(|| "expected a finite number of minutes above 0".to_owned())
}

pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|&count: &usize| count > 0);
    count.ok_or_else(|| "expected an integer of at least 1".to_owned())
}

/// A level of `--simd`.
pub(crate) fn parse_level(text: &str) -> Result<Level, String> {
    let names = || Level::available().into_iter().map(Level::name).collect::<Vec<_>>().join(" or ");
    text.parse().map_err(|_| format!("expected a level that this machine has, {}", names()))
}

/// The name of a file of predictions. Its extension selects the format.
pub(crate) fn parse_predictions(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is = |wanted: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted));
    if is("csv") || is("npz") { Ok(path) } else { Err("expected a name in .csv or .npz".to_owned()) }
}

/// The name of a plot, which is always SVG.
pub(crate) fn parse_picture(text: &str) -> Result<PathBuf, String> {
    named_like(text, "svg")
}

/// The name of a file of outputs, which is always an `.npz`.
pub(crate) fn parse_outputs(text: &str) -> Result<PathBuf, String> {
    named_like(text, "npz")
}

/// The name of a model, which is always a safetensors file.
pub(crate) fn parse_model(text: &str) -> Result<PathBuf, String> {
    named_like(text, "safetensors")
}

/// A name with this extension. A name without an extension, such as `/dev/stdout`, is allowed.
fn named_like(text: &str, wanted: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_right = path.extension().is_none_or(|extension| extension.eq_ignore_ascii_case(wanted));
    if is_right { Ok(path) } else { Err(format!("expected a name ending in .{wanted}, the only format")) }
}

pub(crate) fn parse_rounds(text: &str) -> Result<u32, String> {
    let rounds = text.parse().ok().filter(|&rounds: &u32| rounds > 0);
    rounds.ok_or_else(|| format!("expected a number from 1 to {}", u32::MAX))
}

pub(crate) fn parse_integer(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected an integer of 64 bits".to_owned())
}

pub(crate) fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected an integer of 64 bits, at least 0".to_owned())
}

pub(crate) fn parse_tolerance(text: &str) -> Result<f64, String> {
    let tolerance = text.parse().ok().filter(|t: &f64| t.is_finite() && *t >= 0.0);
    tolerance.ok_or_else(|| "expected a finite number, at least 0".to_owned())
}

/// The largest number of threads that is accepted. A system takes long to start more, or can't.
const MOST_THREADS: usize = 1024;

pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=MOST_THREADS).contains(threads));
    threads.ok_or_else(|| format!("expected a number from 1 to {MOST_THREADS}"))
}

/// Rejects a number above [`MOST_THREADS`] in the environment variables that rayon reads. Rayon itself would accept it.
pub(crate) fn check_threads_variables() -> anyhow::Result<()> {
    for name in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"] {
        let asked = std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
        if let Some(threads) = asked.filter(|&threads| threads > MOST_THREADS) {
            anyhow::bail!("{name}: expected a number from 1 to {MOST_THREADS}, found {threads}");
        }
    }
    Ok(())
}
