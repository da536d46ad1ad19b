//! Files of named arrays: X (N×D), y (N) or Y (N×C), W (D×C), and b (C), class_weight (C), sample_weight (N) where
//! there are any.

use crate::dataset::{Dataset, Labels, check_finite};
use crate::error::{DataError, Result};
use ndarray::{Array, Array1, Array2, Dimension, Ix1, Ix2};
use softmax_core::{Element, ndarray};

/// A file of named arrays; its errors name the file and the array.
pub(crate) trait NamedArrays {
    fn origin(&self) -> String;

    fn names(&self) -> &[String];

    /// An array of numbers, which there is, of any type.
    fn numbers<T: Element, D: Dimension>(&mut self, name: &str) -> Result<Array<T, D>>;

    /// An array of integers, which there is.
    fn integers(&mut self, name: &str) -> Result<Array1<i64>>;

    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|n| n == name)
    }

    fn inventory(&self) -> String {
        match self.names() {
            [] => "no arrays".to_owned(),
            names => format!("only {}", names.join(", ")),
        }
    }

    fn field(&self, field: &str, expected: &str, found: &str) -> DataError {
        DataError::Field {
            origin: self.origin(),
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    /// Finite numbers; `masks` says that −∞ will do.
    fn optional<T: Element, D: Dimension>(&mut self, name: &str, masks: bool) -> Result<Option<Array<T, D>>> {
        if !self.has(name) {
            return Ok(None);
        }
        let array = self.numbers::<T, D>(name)?;
        check_finite(&self.origin(), name, array.view(), masks)?;
        Ok(Some(array))
    }

    fn require<T: Element, D: Dimension>(&mut self, name: &str, masks: bool) -> Result<Array<T, D>> {
        match self.optional(name, masks)? {
            Some(array) => Ok(array),
            None => Err(self.field(
                name,
                &format!("an array of this name, with {}", axes(D::NDIM)),
                &self.inventory(),
            )),
        }
    }
}

/// All that a data set can have, with its own labels if there are no `labels` from elsewhere.
pub(crate) fn dataset<T: Element>(
    file: &mut impl NamedArrays,
    labels: Option<Array1<i64>>,
) -> Result<Dataset<T>> {
    let features = file.require::<T, Ix2>("X", false)?;
    let labels = match (labels, file.has("y"), file.has("Y")) {
        (Some(labels), _, _) => Labels::Hard(labels),
        (None, true, true) => return Err(file.field("y and Y", "one of the two", "both")),
        (None, true, false) => Labels::Hard(file.integers("y")?),
        (None, false, true) => Labels::Soft(file.require::<T, Ix2>("Y", false)?),
        (None, false, false) => {
            return Err(file.field("y or Y", "labels or soft targets", &file.inventory()));
        }
    };
    let mut dataset = Dataset::new(file.origin(), features, labels);
    dataset.weights = file.optional::<T, Ix2>("W", false)?;
    dataset.bias = file.optional::<T, Ix1>("b", true)?;
    dataset.class_weights = file.optional::<T, Ix1>("class_weight", false)?;
    dataset.sample_weights = file.optional::<T, Ix1>("sample_weight", false)?;
    Ok(dataset)
}

/// W and b; or `weight` (C×D) and `bias`, as PyTorch's Linear has them.
pub(crate) fn weights<T: Element>(file: &mut impl NamedArrays) -> Result<(Array2<T>, Option<Array1<T>>)> {
    if !file.has("W") && file.has("weight") {
        let turned: Array2<T> = file.require("weight", false)?;
        return Ok((turned.t().as_standard_layout().into_owned(), file.optional("bias", true)?));
    }
    Ok((file.require("W", false)?, file.optional("b", true)?))
}

pub(crate) fn axes(count: Option<usize>) -> String {
    match count {
        Some(1) => "1 axis".to_owned(),
        Some(count) => format!("{count} axes"),
        None => "any axes".to_owned(),
    }
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
