//! Features in half precision. Their values are exact in both f16 and bf16, so that all storages give the same bits.

use softmax::half::{bf16, f16};
use softmax::ndarray::Array2;
use softmax::{
    Backend, Descriptor, Element, Error, Evaluation, Feature, Features, Outputs, Problem, SoftmaxBackend,
};
use softmax_data::Dataset;

/// A half-precision format.
#[derive(Clone, Copy, Debug)]
pub(super) enum Halves {
    F16,
    Bf16,
}

/// A backend that stores the features of its first problem in half precision, and evaluates every later problem with
/// these features. It serves to time a single problem.
pub(super) struct InHalves<B> {
    backend: B,
    halves: Halves,
    stored: Option<Stored>,
}

enum Stored {
    F16(Array2<f16>),
    Bf16(Array2<bf16>),
}

/// Rounds features to numbers that are exact in both f16 and bf16: bf16 has fewer digits, f16 a smaller range.
pub(crate) fn round_to_halves<T: Element>(dataset: Dataset<T>) -> Dataset<T> {
    let least = f16::MIN_POSITIVE.to_f64();
    let round = |x: T| match bf16::from_f64(x.widen()).to_f64() {
        // These are subnormal in f16, with fewer digits.
        small if small.abs() < least => T::zero(),
        rounded => T::narrow(rounded),
    };
    let features = dataset.features.into_dense().mapv_into(round);
    Dataset { features: features.into(), ..dataset }
}

impl<B> InHalves<B> {
    pub(super) fn new(backend: B, halves: Halves) -> Self {
        InHalves { backend, halves, stored: None }
    }
}

impl<B: Backend> Backend for InHalves<B> {
    fn descriptor(&self) -> Descriptor {
        self.backend.descriptor()
    }

    fn supports(&self, feature: Feature) -> bool {
        self.backend.supports(feature)
    }
}

impl<T: Element, B: SoftmaxBackend<T>> SoftmaxBackend<T> for InHalves<B> {
    fn evaluate(
        &mut self,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation, Error> {
        let halves = self.halves;
        let stored = self.stored.get_or_insert_with(|| {
            let dense = problem.features().to_dense();
            match halves {
                Halves::F16 => Stored::F16(dense.mapv(|x| f16::from_f64(x.widen()))),
                Halves::Bf16 => Stored::Bf16(dense.mapv(|x| bf16::from_f64(x.widen()))),
            }
        });
        let features = match stored {
            Stored::F16(features) => Features::F16(features.view()),
            Stored::Bf16(features) => Features::Bf16(features.view()),
        };
        let problem = Problem::builder(features, problem.weights(), *problem.targets())
            .objective(*problem.objective())
            .build()?;
        self.backend.evaluate(&problem, outputs)
    }
}
