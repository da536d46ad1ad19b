//! What is unusual for a training set or for labelled samples, and may be a mistake.

use crate::class_counts::ClassCounts;
use softmax::ndarray::{ArrayView1, ArrayView2};
use softmax::{BackendElement, Element};
use softmax_data::{Dataset, FeatureLayout, TargetStore, may_mean_missing, shown};
use softmax_fit::Model;

/// A larger difference of a row's target mass from 1 is more than rounding, also in half precision.
const MOST_ROUNDING: f64 = 0.01;

/// What is unusual for a training set, as messages for the user. `ignored` is the label whose samples are left out.
pub(crate) fn doubts<T: Element>(dataset: &Dataset<T>, ignored: Option<i64>) -> Vec<String> {
    let classes = dataset.n_classes(ignored);
    let FeatureLayout { columns, label_column, label_index, .. } = &dataset.layout;
    let mut doubts = Vec::new();
    if let Some(counts) = ClassCounts::of(dataset, classes, ignored) {
        let has_header = label_index.is_none() || label_column.is_some();
        if !has_header && let Some(name) = counts.only_first(dataset) {
            doubts.push(format!(
                "only the first line has the label {name}: --header says that this line is a header"
            ));
        }
        doubts.extend(counts.warning(dataset.class_names.as_deref()));
    }
    let missing = dataset.class_names.iter().flatten().find(|name| may_mean_missing(name));
    if let Some(name) = missing {
        doubts.push(format!("{} is a class here, but means no label in predict", shown(name)));
    }
    if columns.iter().flatten().any(|name| name.is_empty()) {
        doubts.push(
            "a column without a name is a feature: if it numbers the rows, --drop-columns leaves it out by its position"
                .to_owned(),
        );
    }
    if let TargetStore::Soft(targets) = &dataset.targets {
        doubts.extend(masses(targets.view()));
    }
    if label_column.is_some() && columns.is_none() {
        doubts.push("names of columns occur twice: predict will find features by position".to_owned());
    }
    doubts
}

/// Labels that are no classes of the model, as a message for the user.
pub(crate) fn unknown_labels<T: BackendElement>(model: &Model<T>, dataset: &Dataset<T>) -> Option<String> {
    match model.unknown_labels(dataset).as_slice() {
        [] => None,
        [one] => Some(format!("the label {} is no class of the model, and counts as wrong", shown(one))),
        [first, others @ ..] => Some(format!(
            "the label {} and {} more are no classes of the model, and count as wrong",
            shown(first),
            others.len()
        )),
    }
}

/// Soft targets (N×C) that are no probabilities.
fn masses<T: Element>(targets: ArrayView2<'_, T>) -> Option<String> {
    let is_other = |row: &ArrayView1<'_, T>| {
        (row.iter().map(|mass| mass.widen()).sum::<f64>() - 1.0).abs() > MOST_ROUNDING
    };
    let others = targets.rows().into_iter().filter(is_other).count();
    let rows = targets.nrows();
    (others > 0).then(|| format!("Y: {others} of {rows} rows do not sum to 1; they are used as they are"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use softmax::ndarray::arr2;

    #[test]
    fn soft_targets_that_are_no_probabilities_are_counted() {
        assert_eq!(masses(arr2(&[[0.25, 0.75], [1.0, 0.0], [0.333, 0.666]]).view()), None);
        let said = masses(arr2(&[[0.25, 0.75], [1.0, 0.5]]).view()).unwrap();
        assert_eq!(said, "Y: 1 of 2 rows do not sum to 1; they are used as they are");
    }
}
