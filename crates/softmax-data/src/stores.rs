//! Arrays of a data set, in the element type and layout of their file.

use crate::labels::MISSING_LABEL;
use crate::mapped::MappedMatrix;
use half::{bf16, f16};
use ndarray::{Array1, Array2};
use softmax_core::{Element, Features, OwnedCsr, Targets, Weights, ndarray};

/// X (N×D).
#[derive(Clone, Debug)]
pub enum FeatureStore<T> {
    /// Numbers of the element type.
    Dense(Array2<T>),
    /// IEEE 754 binary16.
    F16(Array2<f16>),
    /// bfloat16.
    Bf16(Array2<bf16>),
    /// Compressed sparse rows.
    Csr(OwnedCsr<T>),
    /// A matrix in a memory-mapped file, used in place.
    Mapped(MappedMatrix<T>),
}

impl<T: Element> FeatureStore<T> {
    /// The features, borrowed.
    pub fn view(&self) -> Features<'_, T> {
        match self {
            FeatureStore::Dense(x) => x.view().into(),
            FeatureStore::F16(x) => x.view().into(),
            FeatureStore::Bf16(x) => x.view().into(),
            FeatureStore::Csr(x) => x.view().into(),
            FeatureStore::Mapped(x) => x.features(),
        }
    }

    /// N and D.
    pub fn dim(&self) -> (usize, usize) {
        self.view().dim()
    }

    /// Converts to a dense array of `T`. Copies unless it is one already.
    pub fn into_dense(self) -> Array2<T> {
        match self {
            FeatureStore::Dense(x) => x,
            other => other.view().to_dense().into_owned(),
        }
    }
}

impl<T> From<Array2<T>> for FeatureStore<T> {
    fn from(features: Array2<T>) -> Self {
        FeatureStore::Dense(features)
    }
}

/// W (D×C).
#[derive(Clone, Debug)]
pub enum WeightStore<T> {
    /// Numbers of the element type.
    Dense(Array2<T>),
    /// IEEE 754 binary16.
    F16(Array2<f16>),
    /// bfloat16.
    Bf16(Array2<bf16>),
}

impl<T: Element> WeightStore<T> {
    /// The weights, borrowed.
    pub fn view(&self) -> Weights<'_, T> {
        match self {
            WeightStore::Dense(w) => w.view().into(),
            WeightStore::F16(w) => w.view().into(),
            WeightStore::Bf16(w) => w.view().into(),
        }
    }

    /// Converts to a dense array of `T`. Copies only half precision.
    pub fn into_dense(self) -> Array2<T> {
        match self {
            WeightStore::Dense(w) => w,
            other => other.view().to_dense().into_owned(),
        }
    }

    /// The transpose: PyTorch's weights are C×D.
    pub(crate) fn transposed(self) -> Self {
        match self {
            WeightStore::Dense(w) => WeightStore::Dense(w.reversed_axes()),
            WeightStore::F16(w) => WeightStore::F16(w.reversed_axes()),
            WeightStore::Bf16(w) => WeightStore::Bf16(w.reversed_axes()),
        }
    }
}

impl<T> From<Array2<T>> for WeightStore<T> {
    fn from(weights: Array2<T>) -> Self {
        WeightStore::Dense(weights)
    }
}

/// The targets of a data set.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetStore<T> {
    /// Labels (N): class numbers as stored in files, possibly with an ignored label such as PyTorch's −100; and
    /// [`MISSING_LABEL`](crate::MISSING_LABEL) where samples that are to be classified have none.
    Labels(Array1<i64>),
    /// Soft targets (N×C): the target mass of each class.
    Soft(Array2<T>),
    /// No targets: the samples are to be classified.
    None,
}

impl<T: Element> TargetStore<T> {
    /// Labels, or no targets if all labels are missing.
    pub(crate) fn known(labels: Vec<i64>) -> Self {
        if labels.iter().all(|&label| label == MISSING_LABEL) {
            TargetStore::None
        } else {
            TargetStore::Labels(labels.into())
        }
    }

    /// The targets, borrowed.
    pub fn view(&self) -> Targets<'_, T> {
        match self {
            TargetStore::Labels(labels) => labels.view().into(),
            TargetStore::Soft(soft) => soft.view().into(),
            TargetStore::None => Targets::None,
        }
    }
}
