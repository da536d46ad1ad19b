//! How a problem's arrays are stored, and problems that are stored so.

use softmax_core::half::{bf16, f16};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Element, Features, Labels, OwnedCsr, OwnedProblem, OwnedTargets, Problem, Result, Weights,
};

/// How features, weights and labels are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// X.
    pub features: FeatureStorage,
    /// W.
    pub weights: WeightStorage,
    /// y.
    pub labels: LabelStorage,
}

/// How features are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeatureStorage {
    /// Numbers of the element type.
    #[default]
    Dense,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// Compressed sparse rows, with an entry for each number that is not zero.
    Csr,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightStorage {
    /// Numbers of the element type.
    #[default]
    Dense,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16.
    Bf16,
}

/// Of which type labels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelStorage {
    /// `i64`.
    #[default]
    I64,
    /// `i32`.
    I32,
    /// `u32`.
    U32,
    /// `u8`.
    U8,
    /// `usize`.
    Usize,
}

/// A problem's arrays as they are stored. Numbers that a storage does not hold are rounded to it.
#[derive(Clone, Debug)]
pub struct StoredProblem<T> {
    dense: OwnedProblem<T>,
    features: Option<StoredFeatures<T>>,
    weights: Option<StoredWeights>,
    labels: Option<StoredLabels>,
}

#[derive(Clone, Debug)]
enum StoredFeatures<T> {
    F16(Array2<f16>),
    Bf16(Array2<bf16>),
    Csr(OwnedCsr<T>),
}

#[derive(Clone, Debug)]
enum StoredWeights {
    F16(Array2<f16>),
    Bf16(Array2<bf16>),
}

#[derive(Clone, Debug)]
enum StoredLabels {
    I32(Array1<i32>),
    U32(Array1<u32>),
    U8(Array1<u8>),
    Usize(Array1<usize>),
}

fn to_f16<T: Element>(matrix: &Array2<T>) -> Array2<f16> {
    matrix.mapv(|x| f16::from_f64(x.widen()))
}

fn to_bf16<T: Element>(matrix: &Array2<T>) -> Array2<bf16> {
    matrix.mapv(|x| bf16::from_f64(x.widen()))
}

impl<T: Element> StoredProblem<T> {
    /// The arrays of `dense`, stored so.
    ///
    /// # Panics
    /// Where a label is none of the type that labels are to be stored in.
    pub fn new(dense: OwnedProblem<T>, storage: Storage) -> Self {
        let features = match storage.features {
            FeatureStorage::Dense => None,
            FeatureStorage::F16 => Some(StoredFeatures::F16(to_f16(&dense.features))),
            FeatureStorage::Bf16 => Some(StoredFeatures::Bf16(to_bf16(&dense.features))),
            FeatureStorage::Csr => Some(StoredFeatures::Csr(to_csr(&dense.features))),
        };
        let weights = match storage.weights {
            WeightStorage::Dense => None,
            WeightStorage::F16 => Some(StoredWeights::F16(to_f16(&dense.weights))),
            WeightStorage::Bf16 => Some(StoredWeights::Bf16(to_bf16(&dense.weights))),
        };
        let labels = match &dense.targets {
            OwnedTargets::Labels(labels) => stored_labels(labels, storage.labels),
            OwnedTargets::Soft(_) | OwnedTargets::None => None,
        };
        StoredProblem { dense, features, weights, labels }
    }

    /// Views of these arrays as a checked problem.
    ///
    /// # Errors
    /// As [`ProblemBuilder::build`](softmax_core::ProblemBuilder::build).
    pub fn problem(&self) -> Result<Problem<'_, T>> {
        let mut builder = self.dense.builder();
        builder = match &self.features {
            None => builder,
            Some(StoredFeatures::F16(x)) => builder.features(Features::F16(x.view())),
            Some(StoredFeatures::Bf16(x)) => builder.features(Features::Bf16(x.view())),
            Some(StoredFeatures::Csr(x)) => builder.features(x.view()),
        };
        builder = match &self.weights {
            None => builder,
            Some(StoredWeights::F16(w)) => builder.weights(Weights::F16(w.view())),
            Some(StoredWeights::Bf16(w)) => builder.weights(Weights::Bf16(w.view())),
        };
        builder = match &self.labels {
            None => builder,
            Some(StoredLabels::I32(y)) => builder.targets(Labels::I32(y.view())),
            Some(StoredLabels::U32(y)) => builder.targets(Labels::U32(y.view())),
            Some(StoredLabels::U8(y)) => builder.targets(Labels::U8(y.view())),
            Some(StoredLabels::Usize(y)) => builder.targets(Labels::Usize(y.view())),
        };
        builder.build()
    }
}

fn to_csr<T: Element>(matrix: &Array2<T>) -> OwnedCsr<T> {
    let (mut row_pointers, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in matrix.rows() {
        for (column, &value) in row.iter().enumerate().filter(|(_, value)| **value != T::zero()) {
            columns.push(column as u32);
            values.push(value);
        }
        row_pointers.push(values.len());
    }
    OwnedCsr::new(matrix.dim(), row_pointers, columns, values).expect("rows are gone through in order")
}

fn stored_labels(labels: &Array1<i64>, storage: LabelStorage) -> Option<StoredLabels> {
    const HELD: &str = "labels of a case are of the type that they are to be stored in";
    Some(match storage {
        LabelStorage::I64 => return None,
        LabelStorage::I32 => StoredLabels::I32(labels.mapv(|y| y.try_into().expect(HELD))),
        LabelStorage::U32 => StoredLabels::U32(labels.mapv(|y| y.try_into().expect(HELD))),
        LabelStorage::U8 => StoredLabels::U8(labels.mapv(|y| y.try_into().expect(HELD))),
        LabelStorage::Usize => StoredLabels::Usize(labels.mapv(|y| y.try_into().expect(HELD))),
    })
}
