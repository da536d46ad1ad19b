//! Trains a classifier of handwritten digits, saves it to a file, and loads it for prediction:
//! `cargo run --release -p softmax-examples --example train_classifier`.

use softmax_data::{Dataset, TargetStore, digits};
use softmax_fit::{Fit, FitError, Model, Objective};
use std::path::Path;

/// The training data. Every fifth digit is held out for testing, by a sample weight of 0.
fn training(data: &Dataset<f32>) -> Dataset<f32> {
    let mut training = data.clone();
    let n = data.features.dim().0;
    training.sample_weights = Some((0..n).map(|i| if i % 5 == 0 { 0.0 } else { 1.0 }).collect());
    training
}

/// Trains, saves and loads a model. Returns its accuracy on the held-out digits.
fn train_and_test(folder: &Path) -> Result<f64, FitError> {
    let data = digits::<f32>();
    let fitted = Fit::new(Objective { l2: 1e-3, ..Objective::default() }).fit(&training(&data))?;
    let (last, report) = (fitted.report.last(), &fitted.report);
    println!("{}: {} iterations, loss {:.4}, {}", report.solver, last.iteration, last.loss, report.stop);
    let path = folder.join("digits.safetensors");
    fitted.model.save(&path)?;

    let model = Model::<f32>::load(&path)?;
    let TargetStore::Labels(labels) = &data.targets else { return Ok(f64::NAN) };
    let predicted = model.predict(&data)?;
    let test = labels.iter().zip(&predicted).step_by(5);
    let right = test.clone().filter(|&(&label, &class)| label == class as i64).count();
    Ok(right as f64 / test.count() as f64)
}

fn main() -> Result<(), FitError> {
    let accuracy = train_and_test(&std::env::temp_dir())?;
    println!("accuracy on digits that it has not seen: {:.1}%", 100.0 * accuracy);
    Ok(())
}

#[test]
fn digits_that_were_not_trained_on_are_classified() {
    let folder = tempfile::tempdir().unwrap();
    assert!(train_and_test(folder.path()).unwrap() > 0.93);
}
