//! Chooses a backend by its name at run time:
//! `cargo run --release -p softmax-examples --example choose_a_backend -- fused`.

use softmax::{Error, Objective, Problem, SoftmaxBackend};

/// Works with any backend: the trait is object-safe.
fn describe(backend: &mut dyn SoftmaxBackend<f32>, problem: &Problem<'_, f32>) -> Result<f64, Error> {
    let descriptor = backend.descriptor();
    let loss = backend.loss(problem)?;
    println!("{:8} loss {loss:.6}, {}, {} threads", descriptor.name, descriptor.simd, descriptor.threads);
    Ok(loss)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let digits = softmax_data::digits::<f32>().with_weights(0, None)?;
    let problem = digits.problem(Objective::default())?;
    let name = std::env::args().nth(1).unwrap_or_else(|| "fused".to_owned());
    let mut backend = softmax::backend(&name)?;
    describe(backend.as_mut(), &problem)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_backend_with_the_same_loss() {
        let digits = softmax_data::digits::<f32>().with_weights(0, None).unwrap();
        let problem = digits.problem(Objective::default()).unwrap();
        let loss = |name| describe(softmax::backend(name).unwrap().as_mut(), &problem).unwrap();
        let losses = ["naive", "ndarray", "fused"].map(loss);
        assert!(losses.iter().all(|loss| (loss - losses[0]).abs() < 1e-6), "{losses:?}");
        assert!(softmax::backend::<f32>("abacus").is_err());
    }
}
