//! Trains a small Burn model on the digits twice: with `LinearCrossEntropyLoss`, and with Burn's own `Linear` and
//! `CrossEntropyLoss`. Compares losses, time and memory.
//!
//! `cargo run --release -p softmax-burn --features fused --example train_digits`

use burn::module::{Module, Param};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig, Relu};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use softmax_burn::{LinearCrossEntropyLoss, LinearCrossEntropyLossConfig};
use softmax_data::{TargetStore, digits};
use std::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const STEPS: usize = 100;
const RATE: f32 = 0.5;

#[derive(Module, Debug)]
struct Model {
    hidden: Linear,
    output: Linear,
}

impl Model {
    fn new(device: &Device) -> Self {
        device.seed(0);
        Model {
            hidden: LinearConfig::new(64, 256).init(device),
            output: LinearConfig::new(256, 10).init(device),
        }
    }

    fn features(&self, pixels: Tensor<2>) -> Tensor<2> {
        Relu::new().forward(self.hidden.forward(pixels))
    }

    /// One step of gradient descent.
    fn step(self, gradients: &Gradients) -> Self {
        Model { hidden: descend(self.hidden, gradients), output: descend(self.output, gradients) }
    }
}

fn descend(layer: Linear, gradients: &Gradients) -> Linear {
    fn down<const D: usize>(param: &Param<Tensor<D>>, gradients: &Gradients) -> Param<Tensor<D>> {
        let value = param.val();
        let gradient = value.grad(gradients).expect("the loss depends on every parameter");
        Param::from_tensor((value.without_autodiff() - gradient * RATE).autodiff().require_grad())
    }
    Linear {
        weight: down(&layer.weight, gradients),
        bias: layer.bias.as_ref().map(|bias| down(bias, gradients)),
    }
}

/// The losses and costs of a training.
struct Training {
    curve: Vec<f32>,
    seconds: f64,
    /// Peak memory beyond what was held before, in bytes.
    peak: usize,
}

fn train(device: &Device, loss: impl Fn(&Model) -> Tensor<1>) -> Training {
    let mut model = Model::new(device);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let curve = (0..STEPS).map(|_| {
        let loss = loss(&model);
        model = model.clone().step(&loss.backward());
        loss.into_scalar::<f32>()
    });
    let curve = curve.collect();
    let seconds = start.elapsed().as_secs_f64();
    Training { curve, seconds, peak: MEMORY.peak_usage().saturating_sub(before) }
}

/// Trains with this project's loss, then with Burn's own.
fn both() -> [Training; 2] {
    let device = Device::flex().autodiff();
    let dataset = digits::<f32>();
    let (n, d) = dataset.features.dim();
    let pixels = dataset.features.into_dense().into_raw_vec_and_offset().0;
    let pixels = Tensor::<2>::from_data(TensorData::new(pixels, [n, d]), &device);
    let TargetStore::Labels(labels) = dataset.targets else { panic!("the digits have labels") };
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels.to_vec(), [n]), &device);

    let ours: LinearCrossEntropyLoss = LinearCrossEntropyLossConfig::new().init(&device);
    let theirs: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&device);
    let with_ours =
        |model: &Model| ours.forward_layer(model.features(pixels.clone()), &model.output, labels.clone());
    let with_theirs =
        |model: &Model| theirs.forward(model.output.forward(model.features(pixels.clone())), labels.clone());
    [train(&device, with_ours), train(&device, with_theirs)]
}

fn main() {
    let [ours, theirs] = both();
    println!("step  LinearCrossEntropyLoss  Linear and CrossEntropyLoss");
    for step in (0..STEPS).step_by(10).chain([STEPS - 1]) {
        println!("{step:4}  {:22.6}  {:27.6}", ours.curve[step], theirs.curve[step]);
    }
    let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!("time  {:20.2} s  {:25.2} s", ours.seconds, theirs.seconds);
    println!("peak  {:18.1} MiB  {:23.1} MiB", mebibytes(ours.peak), mebibytes(theirs.peak));
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_curves_are_the_same_and_go_down() {
        let [ours, theirs] = super::both();
        for (a, b) in ours.curve.iter().zip(&theirs.curve) {
            assert!((a - b).abs() < 1e-3 * b, "{a} {b}");
        }
        let (first, last) = (ours.curve[0], ours.curve[ours.curve.len() - 1]);
        assert!(last < 0.2 * first, "{first} {last}");
    }
}
