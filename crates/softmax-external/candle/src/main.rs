//! candle_nn's `cross_entropy` of a linear layer as an external backend, with gradients by candle's autodiff.

#![forbid(unsafe_code)]

use candle_core::{D, DType, Device, Tensor, Var, WithDType};
use softmax_core::ndarray::{ArrayView, ArrayView2, ArrayViewMut, Dimension};
use softmax_core::{
    Backend, Descriptor, Element, Error, Evaluation, Feature, Labels, Outputs, Problem, Result,
    SoftmaxBackend, Targets,
};
use softmax_external::serve;
use std::error::Error as StdError;

const NAME: &str = "candle";

struct Candle;

fn failure(error: candle_core::Error) -> Error {
    Error::Backend { backend: NAME.to_owned(), message: error.to_string(), source: None }
}

fn refuse<A>(feature: Feature) -> Result<A> {
    Err(Error::Unsupported { backend: NAME.to_owned(), feature })
}

fn variable<T: Element + WithDType, N: Dimension>(array: ArrayView<'_, T, N>) -> candle_core::Result<Var> {
    let numbers: Vec<T> = array.iter().copied().collect();
    Var::from_tensor(&Tensor::from_vec(numbers, array.shape().to_vec(), &Device::Cpu)?)
}

fn write<T: Element + WithDType, N: Dimension>(
    view: &mut Option<ArrayViewMut<'_, T, N>>,
    gradient: Option<&Tensor>,
) -> candle_core::Result<()> {
    let Some(view) = view else { return Ok(()) };
    let Some(gradient) = gradient else {
        view.fill(T::zero());
        return Ok(());
    };
    let numbers = gradient.flatten_all()?.to_vec1::<T>()?;
    view.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
    Ok(())
}

impl Backend for Candle {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: NAME.into(),
            device: "cpu".into(),
            simd: NAME.into(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            deterministic: false,
        }
    }

    fn supports(&self, feature: Feature) -> bool {
        use Feature::{Bias, BiasGradient, F32, F64, FeaturesGradient, OneClass, Predicted};
        [F32, F64, OneClass, Bias, FeaturesGradient, BiasGradient, Predicted].contains(&feature)
    }
}

fn evaluate<T: Element + WithDType>(
    problem: &Problem<'_, T>,
    labels: Labels<'_>,
    (x, w): (ArrayView2<'_, T>, ArrayView2<'_, T>),
    outputs: &mut Outputs<'_, T>,
) -> candle_core::Result<Evaluation> {
    let (n, c) = (problem.n_samples(), problem.n_classes());
    let (x, w) = (variable(x)?, variable(w)?);
    let b = match problem.bias() {
        Some(b) => variable(b)?,
        None => Var::from_tensor(&Tensor::zeros(c, <T as WithDType>::DTYPE, &Device::Cpu)?)?,
    };
    let classes: Vec<u32> = (0..n).map(|i| labels.value(i) as u32).collect();
    let targets = Tensor::from_vec(classes, n, &Device::Cpu)?;
    let scores = x.matmul(&w)?.broadcast_add(&b)?;
    let loss = candle_nn::loss::cross_entropy(&scores, &targets)?;
    if outputs.wants_gradient() {
        let gradients = loss.backward()?;
        write(&mut outputs.weights_gradient, gradients.get(&w))?;
        write(&mut outputs.features_gradient, gradients.get(&x))?;
        write(&mut outputs.bias_gradient, gradients.get(&b))?;
    }
    let predicted = scores.argmax(D::Minus1)?.to_vec1::<u32>()?;
    if let Some(view) = &mut outputs.predicted {
        view.iter_mut().zip(&predicted).for_each(|(to, &class)| *to = class as usize);
    }
    let correct = (0..n).filter(|&i| problem.label(i) == Some(predicted[i] as usize)).count();
    let loss = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    Ok(Evaluation { loss, total_weight: problem.total_weight(), correct: Some(correct) })
}

macro_rules! backend {
    ($($T:ty),+) => {$(
        impl SoftmaxBackend<$T> for Candle {
            fn evaluate(&mut self, problem: &Problem<'_, $T>, outputs: &mut Outputs<'_, $T>) -> Result<Evaluation> {
                self.check(problem, outputs)?;
                let Targets::Labels(labels) = *problem.targets() else { return refuse(Feature::SoftTargets) };
                let arrays = (problem.features().dense(NAME)?, problem.weights().dense(NAME)?);
                evaluate(problem, labels, arrays, outputs).map_err(failure)
            }
        }
    )+};
}

backend!(f32, f64);

fn main() -> Result<(), Box<dyn StdError>> {
    Ok(serve(Box::new(Candle), Box::new(Candle), "candle-nn 0.9.2")?)
}
