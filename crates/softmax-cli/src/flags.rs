//! What is wrong with data or options, called by the flags that bring them.

use anyhow::anyhow;
use softmax::OptionName;
use softmax_data::DataError;

pub(crate) fn in_words_of_flags(error: DataError) -> anyhow::Error {
    match error {
        DataError::Problem { source, .. } if is_of_option(&source) => of_option(source),
        DataError::Label { label, ignored: None, .. } if label < 0 => {
            anyhow!("{error}; --ignore-index {label} leaves such samples out")
        }
        DataError::UnknownFormat { .. } => anyhow!("{error}, and no --data-format was given"),
        DataError::NoLabels { origin, beside: None } => {
            anyhow!("{origin}: labels: expected --labels FILE beside an .npy, found none")
        }
        DataError::NoLabels { origin, beside: Some(name) } => anyhow!(
            "{origin}: labels: expected --labels FILE, or a file beside it named {name} for its images-idx3, \
             found neither"
        ),
        DataError::LabelColumn { origin, columns, names, found } => {
            let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            anyhow!("{origin}: --label-column: expected one of {columns} columns{names}, found {found}")
        }
        other => other.into(),
    }
}

/// An option that is out of its range, by its flag.
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
