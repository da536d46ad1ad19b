//! A small Burn model on the digits, trained twice: with `LinearCrossEntropyLoss` in place of its last layer's scores and
//! their loss, and with Burn's own `Linear` and `CrossEntropyLoss`.
//!
//! `cargo run --release -p softmax-burn --features fused --example train_digits`

use burn::module::{Module, Param};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig, Relu};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use softmax_burn::{LinearCrossEntropyLoss, LinearCrossEntropyLossConfig};
use softmax_data::{Labels, digits};
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
        Model { hidden: LinearConfig::new(64, 256).init(device), output: LinearConfig::new(256, 10).init(device) }
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

/// The curve, the seconds, and the peak of memory beyond what was held before.
fn train(device: &Device, loss: impl Fn(&Model) -> Tensor<1>) -> (Vec<f32>, f64, usize) {
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
    (curve, start.elapsed().as_secs_f64(), MEMORY.peak_usage().saturating_sub(before))
}

fn main() {
    let device = Device::flex().autodiff();
    let dataset = digits::<f32>();
    let (n, d) = dataset.features.dim();
    let pixels = dataset.features.iter().copied().collect::<Vec<f32>>();
    let pixels = Tensor::<2>::from_data(TensorData::new(pixels, [n, d]), &device);
    let Labels::Hard(labels) = dataset.labels else { panic!("the digits have labels") };
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels.to_vec(), [n]), &device);

    let ours: LinearCrossEntropyLoss = LinearCrossEntropyLossConfig::new().init(&device);
    let theirs: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&device);
    let with_ours = |model: &Model| {
        ours.forward_layer(model.features(pixels.clone()), &model.output, labels.clone())
    };
    let with_theirs = |model: &Model| {
        theirs.forward(model.output.forward(model.features(pixels.clone())), labels.clone())
    };
    let (a, seconds_a, memory_a) = train(&device, with_ours);
    let (b, seconds_b, memory_b) = train(&device, with_theirs);

    println!("step  LinearCrossEntropyLoss  Linear and CrossEntropyLoss");
    for step in (0..STEPS).step_by(10).chain([STEPS - 1]) {
        println!("{step:4}  {:22.6}  {:27.6}", a[step], b[step]);
    }
    let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!("time  {seconds_a:20.2} s  {seconds_b:25.2} s");
    println!("peak  {:18.1} MiB  {:23.1} MiB", mebibytes(memory_a), mebibytes(memory_b));
}
