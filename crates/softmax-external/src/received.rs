//! The arrays of a problem, as read from a file.

use crate::tensors::{integers_of, kind_of, numbers_of};
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype as Kind, TensorView};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, Error, Features, Objective, OwnedCsr, Problem, Targets, Weights};

pub(crate) struct Received<T> {
    features: ReceivedFeatures<T>,
    weights: ReceivedWeights<T>,
    labels: Option<Array1<i64>>,
    soft_targets: Option<Array2<T>>,
    bias: Option<Array1<T>>,
    class_weights: Option<Array1<T>>,
    sample_weights: Option<Array1<T>>,
}

enum ReceivedFeatures<T> {
    Dense(Array2<T>),
    F16(Array2<f16>),
    Bf16(Array2<bf16>),
    Csr(OwnedCsr<T>),
}

enum ReceivedWeights<T> {
    Dense(Array2<T>),
    F16(Array2<f16>),
    Bf16(Array2<bf16>),
}

impl<T: Element> Received<T> {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| format!("the problem: {error}"))?;
        let optional = |name: &str| file.tensor(name).ok();
        let require = |name: &str| file.tensor(name).map_err(|_| format!("{name}: found no such array"));
        let weights = require("W")?;
        let features = match optional("X") {
            Some(x) => match x.dtype() {
                Kind::F16 => ReceivedFeatures::F16(matrix(&x, halves(&x, f16::from_bits))?),
                Kind::BF16 => ReceivedFeatures::Bf16(matrix(&x, halves(&x, bf16::from_bits))?),
                _ => ReceivedFeatures::Dense(matrix(&x, numbers(&x)?)?),
            },
            None => {
                let pointers = integers_of(require("X_indptr")?.data());
                let columns = integers_of(require("X_indices")?.data());
                let values = numbers(&require("X_data")?)?;
                let shape = (pointers.len().saturating_sub(1), weights.shape().first().copied().unwrap_or(0));
                let pointers = pointers.into_iter().map(|end| end as usize).collect();
                let columns = columns.into_iter().map(|column| column as u32).collect();
                let csr =
                    OwnedCsr::new(shape, pointers, columns, values).map_err(|error| error.to_string())?;
                ReceivedFeatures::Csr(csr)
            }
        };
        Ok(Received {
            features,
            weights: match weights.dtype() {
                Kind::F16 => ReceivedWeights::F16(matrix(&weights, halves(&weights, f16::from_bits))?),
                Kind::BF16 => ReceivedWeights::Bf16(matrix(&weights, halves(&weights, bf16::from_bits))?),
                _ => ReceivedWeights::Dense(matrix(&weights, numbers(&weights)?)?),
            },
            labels: optional("y").map(|y| Array1::from_vec(integers_of(y.data()))),
            soft_targets: optional("Y").map(|y| matrix(&y, numbers(&y)?)).transpose()?,
            bias: optional("b").map(|b| numbers(&b).map(Array1::from_vec)).transpose()?,
            class_weights: optional("class_weight").map(|w| numbers(&w).map(Array1::from_vec)).transpose()?,
            sample_weights: optional("sample_weight")
                .map(|u| numbers(&u).map(Array1::from_vec))
                .transpose()?,
        })
    }

    pub(crate) fn problem(&self, objective: Objective) -> Result<Problem<'_, T>, Error> {
        let features = match &self.features {
            ReceivedFeatures::Dense(x) => Features::Dense(x.view()),
            ReceivedFeatures::F16(x) => Features::F16(x.view()),
            ReceivedFeatures::Bf16(x) => Features::Bf16(x.view()),
            ReceivedFeatures::Csr(x) => Features::Csr(x.view()),
        };
        let weights = match &self.weights {
            ReceivedWeights::Dense(w) => Weights::Dense(w.view()),
            ReceivedWeights::F16(w) => Weights::F16(w.view()),
            ReceivedWeights::Bf16(w) => Weights::Bf16(w.view()),
        };
        let targets = match (&self.labels, &self.soft_targets) {
            (Some(labels), _) => Targets::Labels(labels.view().into()),
            (None, Some(soft)) => Targets::Soft(soft.view()),
            (None, None) => Targets::None,
        };
        Problem::builder(features, weights, targets)
            .bias(self.bias.as_ref().map(|b| b.view()))
            .class_weights(self.class_weights.as_ref().map(|w| w.view()))
            .sample_weights(self.sample_weights.as_ref().map(|u| u.view()))
            .objective(objective)
            .build()
    }
}

fn numbers<T: Element>(tensor: &TensorView<'_>) -> Result<Vec<T>, String> {
    if tensor.dtype() != kind_of(T::DTYPE) {
        return Err(format!("expected numbers of {}, found {}", T::DTYPE, tensor.dtype()));
    }
    Ok(numbers_of(tensor.data()).into_owned())
}

fn halves<A>(tensor: &TensorView<'_>, of_bits: fn(u16) -> A) -> Vec<A> {
    tensor.data().as_chunks().0.iter().map(|&bytes| of_bits(u16::from_le_bytes(bytes))).collect()
}

fn matrix<A>(tensor: &TensorView<'_>, numbers: Vec<A>) -> Result<Array2<A>, String> {
    let &[rows, columns] = tensor.shape() else {
        return Err(format!("expected two axes, found shape {:?}", tensor.shape()));
    };
    Array2::from_shape_vec((rows, columns), numbers).map_err(|error| error.to_string())
}
