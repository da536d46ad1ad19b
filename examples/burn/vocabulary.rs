//! Measures time and memory of a language model's last layer: `LinearCrossEntropyLoss` against Burn's own `Linear` and
//! `CrossEntropyLoss`, with dW alone and with dW and dX.
//!
//! `cargo run --release -p softmax-burn --features fused --example vocabulary -- 1024x1024x32768`

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use softmax_burn::LinearCrossEntropyLossConfig;
use std::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 3;

/// Cost of one implementation: the best time in seconds, and the peak memory in bytes beyond what was held before.
struct Measured {
    name: &'static str,
    loss: f32,
    seconds: f64,
    peak: usize,
}

fn measure([n, d, c]: [usize; 3], with_features: bool) -> Vec<Measured> {
    let device = Device::flex().autodiff();
    let features = Tensor::<2>::random([n, d], Distribution::Normal(0.0, 1.0), &device);
    let features = if with_features { features.require_grad() } else { features };
    let weights = Tensor::<2>::random([d, c], Distribution::Normal(0.0, 0.02), &device).require_grad();
    let labels: Vec<i64> = (0..n).map(|i| (i * 7919 % c) as i64).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), &device);

    let module = LinearCrossEntropyLossConfig::new().init(&device);
    let operations = module.clone().by_tensor_operations();
    let own = CrossEntropyLossConfig::new().init(&device);
    type Loss<'a> = Box<dyn Fn() -> Tensor<1> + 'a>;
    let mut losses: Vec<(&str, Loss<'_>)> = Vec::new();
    if cfg!(feature = "fused") {
        let loss = || module.forward(features.clone(), weights.clone(), labels.clone());
        losses.push(("LinearCrossEntropyLoss, fused", Box::new(loss)));
    }
    let loss = || operations.forward(features.clone(), weights.clone(), labels.clone());
    losses.push(("LinearCrossEntropyLoss", Box::new(loss)));
    let loss = || own.forward(features.clone().matmul(weights.clone()), labels.clone());
    losses.push(("Linear and CrossEntropyLoss", Box::new(loss)));

    let nothing =
        |&(name, _): &(&'static str, _)| Measured { name, loss: f32::NAN, seconds: f64::INFINITY, peak: 0 };
    let mut results: Vec<Measured> = losses.iter().map(nothing).collect();
    // Alternates between implementations, so that a change of the machine's speed affects all of them.
    for _ in 0..ROUNDS {
        for ((_, loss), result) in losses.iter().zip(&mut results) {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let start = Instant::now();
            let loss = loss();
            let gradients = loss.backward();
            let given =
                [weights.grad(&gradients), features.grad(&gradients)].map(|gradient| gradient.is_some());
            assert_eq!(given, [true, with_features], "gradients");
            result.seconds = start.elapsed().as_secs_f64().min(result.seconds);
            result.peak = MEMORY.peak_usage().saturating_sub(before).max(result.peak);
            result.loss = loss.into_scalar::<f32>();
        }
    }
    results
}

fn main() {
    let sizes = std::env::args().nth(1).unwrap_or_else(|| "1024x1024x32768".to_owned());
    let sizes: Option<Vec<usize>> = sizes.split('x').map(|size| size.parse().ok()).collect();
    let Some(sizes @ [n, d, c]) = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok()) else {
        eprintln!("expected NxDxC, such as 1024x1024x32768");
        std::process::exit(2);
    };
    println!("{n}×{d}×{c}; best time and peak memory, gradients included, of {ROUNDS}");
    for (gradients, with_features) in [("dW", false), ("dW and dX", true)] {
        println!("loss and {gradients}");
        for Measured { name, loss, seconds, peak } in measure(sizes, with_features) {
            println!("  {name:30} loss {loss:.6}  {seconds:7.3} s  {:6} MiB", peak >> 20);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_ways_lead_to_the_same_loss() {
        for with_features in [false, true] {
            let results = super::measure([40, 16, 3000], with_features);
            assert!(results.len() >= 2);
            for result in &results {
                assert!((result.loss - results[0].loss).abs() < 1e-4, "{}: {}", result.name, result.loss);
            }
        }
    }
}
