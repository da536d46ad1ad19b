//! Accumulates the gradients of micro-batches in one array, for a step over more samples than fit in memory. Features
//! are bf16, the ignored label is PyTorch's −100, and sample weights have either sign, like the advantages of a policy
//! gradient: `cargo run --release -p softmax-examples --example micro_batches -- ndarray`.

use softmax::half::bf16;
use softmax::ndarray::{Array1, Array2};
use softmax::{Error, Objective, Outputs, Problem, Reduction, SoftmaxBackend};

const SAMPLES: usize = 96;
const FEATURES: usize = 20;
const CLASSES: usize = 7;

struct Data {
    features: Array2<bf16>,
    labels: Array1<i64>,
    advantages: Array1<f32>,
    weights: Array2<f32>,
}

fn data() -> Data {
    let wave = |i: usize, k: usize| ((i * 31 + k * 17) % 101) as f32 / 50.0 - 1.0;
    Data {
        features: Array2::from_shape_fn((SAMPLES, FEATURES), |(i, k)| bf16::from_f32(wave(i, k))),
        labels: Array1::from_shape_fn(SAMPLES, |i| if i % 5 == 4 { -100 } else { (i % CLASSES) as i64 }),
        advantages: Array1::from_shape_fn(SAMPLES, |i| wave(i, 3)),
        weights: Array2::from_shape_fn((FEATURES, CLASSES), |(k, c)| 0.1 * wave(k, c)),
    }
}

/// The loss and dW of all samples, in micro-batches of `batch` samples.
fn gradient(
    backend: &mut dyn SoftmaxBackend<f32>,
    data: &Data,
    batch: usize,
) -> Result<(f64, Array2<f32>), Error> {
    // With the sum, the loss of all samples is the sum of the losses of the parts.
    let objective = Objective { reduction: Reduction::Sum, ignore_index: Some(-100), ..Objective::default() };
    let all = Problem::builder(data.features.view(), data.weights.view(), data.labels.view())
        .sample_weights(data.advantages.view())
        .objective(objective)
        .build()?;
    let mut dw = Array2::zeros(data.weights.dim());
    let mut loss = 0.0;
    for first in (0..SAMPLES).step_by(batch) {
        let part = all.rows(first..(first + batch).min(SAMPLES));
        let mut outputs =
            Outputs { weights_gradient: Some(dw.view_mut()), accumulate: true, ..Outputs::default() };
        loss += backend.evaluate(&part, &mut outputs)?.loss;
    }
    Ok((loss, dw))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "ndarray".to_owned());
    let mut backend = softmax::backend(&name)?;
    for batch in [SAMPLES, 32, 7] {
        let (loss, dw) = gradient(backend.as_mut(), &data(), batch)?;
        println!("batches of {batch:2}: loss {loss:.6}, dW[0, 0] {:.6}", dw[[0, 0]]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_add_up_to_the_whole() {
        for name in ["naive", "ndarray"] {
            let mut backend = softmax::backend(name).unwrap();
            let (loss, dw) = gradient(backend.as_mut(), &data(), SAMPLES).unwrap();
            for batch in [1, 7, 32] {
                let (sum, accumulated) = gradient(backend.as_mut(), &data(), batch).unwrap();
                assert!((sum - loss).abs() < 1e-5 * loss.abs(), "{name}: {sum} {loss}");
                let error = (&accumulated - &dw).fold(0.0, |max: f32, x| max.max(x.abs()));
                assert!(error < 1e-5, "{name}, batches of {batch}: {error}");
            }
        }
    }
}
