//! A backend by its name, at run time:
//! `cargo run --release -p softmax-examples --example choose_a_backend -- fused`.

use softmax_core::{Error, Objective, Problem, SoftmaxBackend};
use softmax_fused::Fused;
use softmax_naive::Naive;
use softmax_ndarray::NdArray;

const NAMES: [&str; 3] = ["naive", "ndarray", "fused"];

/// The trait is object-safe: what follows a choice need not know of it.
fn backend(name: &str) -> Option<Box<dyn SoftmaxBackend<f32>>> {
    Some(match name {
        "naive" => Box::new(Naive::new()),
        "ndarray" => Box::new(NdArray::new()),
        "fused" => Box::new(Fused::detect()),
        _ => return None,
    })
}

fn describe(backend: &mut dyn SoftmaxBackend<f32>, problem: &Problem<'_, f32>) -> Result<f64, Error> {
    let descriptor = backend.descriptor();
    let loss = backend.loss(problem)?;
    println!("{:8} loss {loss:.6}, {}, {} threads", descriptor.name, descriptor.simd, descriptor.threads);
    Ok(loss)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let digits = softmax_data::digits::<f32>().into_problem(Objective::default(), None, 0)?;
    let problem = digits.problem()?;
    let name = std::env::args().nth(1).unwrap_or_else(|| "fused".to_owned());
    let Some(mut backend) = backend(&name) else {
        return Err(format!("expected one of {}, found {name}", NAMES.join(", ")).into());
    };
    describe(backend.as_mut(), &problem)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_backend_with_the_same_loss() {
        let digits = softmax_data::digits::<f32>().into_problem(Objective::default(), None, 0).unwrap();
        let problem = digits.problem().unwrap();
        let losses = NAMES.map(|name| describe(backend(name).unwrap().as_mut(), &problem).unwrap());
        assert!(losses.iter().all(|loss| (loss - losses[0]).abs() < 1e-6), "{losses:?}");
        assert!(backend("abacus").is_none());
    }
}
