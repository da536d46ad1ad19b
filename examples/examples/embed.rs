//! Uses a backend in a training loop of ten lines, on your own arrays:
//! `cargo run --release -p softmax-examples --example embed`.

use softmax::ndarray::{Array2, ArrayView1, ArrayView2};
use softmax::{Fused, Problem, SoftmaxBackend};

/// Six points in the plane, row by row, and their classes.
const FEATURES: [f32; 12] = [0.9, 0.1, 0.8, -0.2, -0.5, 0.9, -0.4, 0.7, -0.6, -0.8, -0.3, -0.9];
const LABELS: [i64; 6] = [0, 0, 1, 1, 2, 2];

fn train() -> Result<f64, Box<dyn std::error::Error>> {
    let (features, labels) = (ArrayView2::from_shape((6, 2), &FEATURES)?, ArrayView1::from(&LABELS));
    let mut weights = Array2::zeros((2, 3));
    let mut backend = Fused::new();
    for step in 0..=100 {
        let problem = Problem::builder(features, weights.view(), labels).build()?;
        let gradients = backend.gradients(&problem)?;
        if step % 20 == 0 {
            println!("step {step:3}: loss {:.4}", gradients.loss);
        }
        weights.scaled_add(-0.5, &gradients.weights);
    }
    Ok(backend.loss(&Problem::builder(features, weights.view(), labels).build()?)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("at the end: loss {:.4}", train()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loop_reduces_the_loss() {
        let loss = super::train().unwrap();
        assert!(loss < 0.2, "{loss}");
    }
}
