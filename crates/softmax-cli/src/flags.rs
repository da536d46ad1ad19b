//! Words errors of data and options in terms of the flags that cause or fix them.

use anyhow::anyhow;
use softmax::{Dtype, Entry, Level, OptionName};
use softmax_data::{ColumnRole, DataError, Format, NumberFault, ReadOptions, printable, shown};
use softmax_fit::FitError;
use std::path::Path;

/// Rejects `--simd` if no backend supports it.
pub(crate) fn check_simd(simd: Option<Level>, entries: &[&Entry]) -> anyhow::Result<()> {
    if simd.is_some() && !entries.iter().any(|entry| entry.has_levels()) {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
        anyhow::bail!("--simd: expected the backend fused, found {}", names.join(", "));
    }
    Ok(())
}

pub(crate) fn in_words_of_flags(error: DataError) -> anyhow::Error {
    match error {
        DataError::Problem { source, .. } if is_of_option(&source) => of_option(source),
        DataError::Label { label, ignored: None, .. } if label < 0 => {
            anyhow!("{error}; --ignore-index {label} leaves such samples out")
        }
        DataError::UnknownFormat { .. } => anyhow!("{error}, and no --data-format was given"),
        DataError::NoLabels { origin, beside: None } => {
            anyhow!("{}: labels: expected --labels FILE, found none", printable(&origin))
        }
        DataError::NoLabels { origin, beside: Some(name) } => anyhow!(
            "{}: labels: expected --labels FILE, or a file beside it named {name} for its images-idx3, found neither",
            printable(&origin)
        ),
        DataError::Column { ref origin, role, ref asked, .. } => {
            let (origin, columns, asked) =
                (printable(origin), error.columns().unwrap_or_default(), shown(asked));
            match role {
                ColumnRole::Label => {
                    anyhow!("{origin}: --label-column: expected one of {columns}, found {asked}")
                }
                ColumnRole::Dropped => {
                    anyhow!("{origin}: --drop-columns: expected some of {columns}, found {asked}")
                }
                ColumnRole::Feature => {
                    anyhow!("{origin}: expected a column {asked}, a feature of the model, found {columns}")
                }
            }
        }
        DataError::LabelIsFeature { origin, column } => anyhow!(
            "{}: --label-column: expected a column that is no feature of the model, found {}",
            printable(&origin),
            shown(&column)
        ),
        DataError::DroppedFeature { origin, column } => anyhow!(
            "{}: --drop-columns: expected columns that are no features of the model, found {}",
            printable(&origin),
            shown(&column)
        ),
        DataError::DroppedLabel { origin, column } => anyhow!(
            "{}: --drop-columns: expected columns beside the labels, found {}; --label-column names another",
            printable(&origin),
            shown(&column)
        ),
        DataError::Number { ref fault, is_in_first_line, .. } => {
            let advice = match fault {
                NumberFault::DecimalComma(_) => "decimals have a point here, not a comma",
                NumberFault::Missing(_) | NumberFault::Text(_) if is_in_first_line => {
                    "--header says that this line is a header"
                }
                NumberFault::Missing(_) => {
                    "fill in what is missing, or train without the column by --drop-columns"
                }
                NumberFault::Text(_) => {
                    "--label-column names the column of labels, and --drop-columns trains without a column"
                }
                NumberFault::NotFinite(_) => "--drop-columns trains without the column",
            };
            anyhow!("{error}; {advice}")
        }
        DataError::MixedLabels { is_from_first_line: true, .. } => {
            anyhow!("{error}; --header says that the first line is a header")
        }
        DataError::Range { dtype: Dtype::F32, .. } => {
            anyhow!("{error}; --dtype f64 holds it; for predict, fit the model with it")
        }
        other => other.into(),
    }
}

/// Words an error of a fit or a prediction.
pub(crate) fn of_fit(error: FitError) -> anyhow::Error {
    match error {
        FitError::Loss(error) => of_option(error),
        FitError::Data(error) => in_words_of_flags(error),
        FitError::Solver { .. } => anyhow!("--solver {error}"),
        other => other.into(),
    }
}

/// Words an error of reading a file. If the format was only guessed from the name, the message says so.
pub(crate) fn of_reading(error: DataError, path: &Path, options: &ReadOptions) -> anyhow::Error {
    let is_of_format = match &error {
        DataError::File { path: its, .. } => its == path,
        DataError::Part { origin, .. }
        | DataError::Number { origin, .. }
        | DataError::MixedLabels { origin, .. } => *origin == path.display().to_string(),
        _ => false,
    };
    let is_guess = options.format.is_none() && Format::is_guess(path);
    match Format::of_name(path).filter(|_| is_of_format && is_guess) {
        Some(format) => {
            let error = in_words_of_flags(error);
            anyhow!("{error} (read as {format}, by its name; --data-format says another format)")
        }
        None => in_words_of_flags(error),
    }
}

/// Words an error of an option that is out of its range, with its flag.
pub(crate) fn of_option(error: softmax::Error) -> anyhow::Error {
    match error {
        softmax::Error::Option { option, expected, found } => {
            anyhow!("{}: expected {expected}, found {found}", flag(option))
        }
        other => other.into(),
    }
}

fn is_of_option(error: &softmax::Error) -> bool {
    matches!(error, softmax::Error::Option { .. })
}

fn flag(option: OptionName) -> &'static str {
    match option {
        OptionName::LabelSmoothing => "--label-smoothing",
        OptionName::L2 => "--l2",
        OptionName::ZLoss => "--z-loss",
        OptionName::Softcap => "--softcap",
        OptionName::Temperature => "--temperature",
    }
}
