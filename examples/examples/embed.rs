//! A backend in a training loop of ten lines: `cargo run --release -p softmax-examples --example embed`.

use softmax_ndarray::ndarray::Array2;
use softmax_ndarray::{NdArray, Objective, SoftmaxBackend};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut data = softmax_data::digits::<f32>().into_problem(Objective::default(), None, 0)?;
    let mut backend = NdArray::new();
    data.weights = Array2::zeros(data.weights.dim());
    for step in 0..=100 {
        let gradients = backend.gradients(&data.problem()?)?;
        if step % 20 == 0 {
            println!("step {step:3}: loss {:.4}", gradients.loss);
        }
        data.weights.scaled_add(-0.5, &gradients.weights);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs() {
        super::main().unwrap();
    }
}
