//! Storage types of a problem's arrays, and problems in these types.

use crate::layout::{Layout, Placed, PlacedVector, ROWS};
use softmax_core::half::{bf16, f16};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Element, Features, Labels, Objective, OwnedCsr, OwnedProblem, OwnedTargets, Problem, Result, Targets,
    Weights,
};

/// Storage types of features, weights and labels.
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
    /// Compressed sparse rows, with an entry for each number that is not 0.
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

/// The type of labels.
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

/// Memory layouts of a problem's arrays. Sparse features have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputLayouts {
    pub(crate) features: Layout,
    pub(crate) weights: Layout,
    pub(crate) soft_targets: Layout,
    pub(crate) vectors_step: isize,
}

impl InputLayouts {
    const PLAIN: InputLayouts =
        InputLayouts { features: ROWS, weights: ROWS, soft_targets: ROWS, vectors_step: 1 };
}

/// A problem's arrays in their storage types. Numbers are rounded to the storage type.
#[derive(Clone, Debug)]
pub struct StoredProblem<T> {
    features: StoredFeatures<T>,
    weights: StoredWeights<T>,
    targets: StoredTargets<T>,
    bias: Option<PlacedVector<T>>,
    class_weights: Option<PlacedVector<T>>,
    sample_weights: Option<PlacedVector<T>>,
    objective: Objective,
}

#[derive(Clone, Debug)]
enum StoredFeatures<T> {
    Dense(Placed<T>),
    F16(Placed<f16>),
    Bf16(Placed<bf16>),
    Csr(OwnedCsr<T>),
}

#[derive(Clone, Debug)]
enum StoredWeights<T> {
    Dense(Placed<T>),
    F16(Placed<f16>),
    Bf16(Placed<bf16>),
}

#[derive(Clone, Debug)]
enum StoredTargets<T> {
    I64(PlacedVector<i64>),
    I32(PlacedVector<i32>),
    U32(PlacedVector<u32>),
    U8(PlacedVector<u8>),
    Usize(PlacedVector<usize>),
    Soft(Placed<T>),
    None,
}

fn to_f16<T: Element>(x: T) -> f16 {
    f16::from_f64(x.widen())
}

fn to_bf16<T: Element>(x: T) -> bf16 {
    bf16::from_f64(x.widen())
}

impl<T: Element> StoredProblem<T> {
    /// Stores the arrays of `dense` in the given types.
    ///
    /// # Panics
    /// If a label does not fit the label type.
    pub fn new(dense: OwnedProblem<T>, storage: Storage) -> Self {
        Self::placed(&dense, storage, InputLayouts::PLAIN)
    }

    /// Stores the arrays of `dense` in the given types and layouts. Between the entries lie NaN, or the largest label
    /// of the type.
    ///
    /// # Panics
    /// If a label does not fit the label type.
    pub(crate) fn placed(dense: &OwnedProblem<T>, storage: Storage, layouts: InputLayouts) -> Self {
        let (nan, x, w) = (T::nan(), layouts.features, layouts.weights);
        let features = match storage.features {
            FeatureStorage::Dense => StoredFeatures::Dense(Placed::new(&dense.features, x, nan)),
            FeatureStorage::F16 => {
                StoredFeatures::F16(Placed::new(&dense.features.mapv(to_f16), x, f16::NAN))
            }
            FeatureStorage::Bf16 => {
                StoredFeatures::Bf16(Placed::new(&dense.features.mapv(to_bf16), x, bf16::NAN))
            }
            FeatureStorage::Csr => StoredFeatures::Csr(to_csr(&dense.features)),
        };
        let weights = match storage.weights {
            WeightStorage::Dense => StoredWeights::Dense(Placed::new(&dense.weights, w, nan)),
            WeightStorage::F16 => StoredWeights::F16(Placed::new(&dense.weights.mapv(to_f16), w, f16::NAN)),
            WeightStorage::Bf16 => {
                StoredWeights::Bf16(Placed::new(&dense.weights.mapv(to_bf16), w, bf16::NAN))
            }
        };
        let step = layouts.vectors_step;
        let targets = match &dense.targets {
            OwnedTargets::Labels(labels) => stored_labels(labels, storage.labels, step),
            OwnedTargets::Soft(soft) => StoredTargets::Soft(Placed::new(soft, layouts.soft_targets, nan)),
            OwnedTargets::None => StoredTargets::None,
        };
        let vector =
            |array: &Option<Array1<T>>| array.as_ref().map(|array| PlacedVector::new(array, step, nan));
        StoredProblem {
            features,
            weights,
            targets,
            bias: vector(&dense.bias),
            class_weights: vector(&dense.class_weights),
            sample_weights: vector(&dense.sample_weights),
            objective: dense.objective,
        }
    }

    /// Views of these arrays as a checked problem.
    ///
    /// # Errors
    /// See [`ProblemBuilder::build`](softmax_core::ProblemBuilder::build).
    pub fn problem(&self) -> Result<Problem<'_, T>> {
        let features = match &self.features {
            StoredFeatures::Dense(x) => Features::Dense(x.view()),
            StoredFeatures::F16(x) => Features::F16(x.view()),
            StoredFeatures::Bf16(x) => Features::Bf16(x.view()),
            StoredFeatures::Csr(x) => Features::Csr(x.view()),
        };
        let weights = match &self.weights {
            StoredWeights::Dense(w) => Weights::Dense(w.view()),
            StoredWeights::F16(w) => Weights::F16(w.view()),
            StoredWeights::Bf16(w) => Weights::Bf16(w.view()),
        };
        let targets = match &self.targets {
            StoredTargets::I64(y) => Targets::Labels(Labels::I64(y.view())),
            StoredTargets::I32(y) => Targets::Labels(Labels::I32(y.view())),
            StoredTargets::U32(y) => Targets::Labels(Labels::U32(y.view())),
            StoredTargets::U8(y) => Targets::Labels(Labels::U8(y.view())),
            StoredTargets::Usize(y) => Targets::Labels(Labels::Usize(y.view())),
            StoredTargets::Soft(y) => Targets::Soft(y.view()),
            StoredTargets::None => Targets::None,
        };
        Problem::builder(features, weights, targets)
            .objective(self.objective)
            .bias(self.bias.as_ref().map(PlacedVector::view))
            .class_weights(self.class_weights.as_ref().map(PlacedVector::view))
            .sample_weights(self.sample_weights.as_ref().map(PlacedVector::view))
            .build()
    }
}

/// Makes an entry for each number that is not 0, including NaN.
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

fn stored_labels<T>(labels: &Array1<i64>, storage: LabelStorage, step: isize) -> StoredTargets<T> {
    fn vector<A>(labels: &Array1<i64>, step: isize, between: A) -> PlacedVector<A>
    where
        A: Copy + PartialEq + TryFrom<i64, Error: std::fmt::Debug>,
    {
        const HELD: &str = "labels of a case are of the type that they are to be stored in";
        PlacedVector::new(&labels.mapv(|y| y.try_into().expect(HELD)), step, between)
    }
    match storage {
        LabelStorage::I64 => StoredTargets::I64(PlacedVector::new(labels, step, i64::MAX)),
        LabelStorage::I32 => StoredTargets::I32(vector(labels, step, i32::MAX)),
        LabelStorage::U32 => StoredTargets::U32(vector(labels, step, u32::MAX)),
        LabelStorage::U8 => StoredTargets::U8(vector(labels, step, u8::MAX)),
        LabelStorage::Usize => StoredTargets::Usize(vector(labels, step, usize::MAX)),
    }
}
