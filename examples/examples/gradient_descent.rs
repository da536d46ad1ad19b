//! Trains a softmax classifier on the handwritten digits by plain gradient descent, to an accuracy over 95% on test
//! digits, and draws the learning curve:
//! `cargo run --release -p softmax-examples --example gradient_descent -- curve.svg`.

use indicatif::ProgressBar;
use plotters::prelude::*;
use softmax::ndarray::{Array2, Axis};
use softmax::{Fused, Outputs, OwnedProblem, OwnedTargets, SoftmaxBackend};
use softmax_data::{Preparation, TargetStore};
use std::error::Error;
use std::fs;
use std::path::PathBuf;

const STEPS: usize = 400;
const RATE: f32 = 1.0;

/// The training and test parts. Every fifth digit is for testing, so that all writers are in both parts.
fn split() -> Result<(OwnedProblem<f32>, OwnedProblem<f32>), Box<dyn Error>> {
    let with_bias = Preparation { bias_column: true, ..Preparation::default() };
    let digits = softmax_data::digits::<f32>().prepare(with_bias);
    let classes = digits.n_classes(None);
    let TargetStore::Labels(labels) = digits.targets else { return Err("the digits have labels".into()) };
    let features = digits.features.into_dense();
    let part = |is_test: bool| {
        let rows: Vec<usize> = (0..features.nrows()).filter(|row| (row % 5 == 0) == is_test).collect();
        let targets = OwnedTargets::Labels(labels.select(Axis(0), &rows));
        let weights = Array2::zeros((features.ncols(), classes));
        OwnedProblem::new(features.select(Axis(0), &rows), weights, targets)
    };
    Ok((part(false), part(true)))
}

/// The losses of both parts at a step, and the accuracy on the test part, from 0 to 1.
struct Step {
    loss: f64,
    test_loss: f64,
    accuracy: f64,
}

fn train(progress: &ProgressBar) -> Result<Vec<Step>, Box<dyn Error>> {
    let (mut digits, mut test) = split()?;
    let mut backend = Fused::new();
    let mut curve = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        test.weights.assign(&digits.weights);
        let gradients = backend.gradients(&digits.problem()?)?;
        let evaluation = backend.evaluate(&test.problem()?, &mut Outputs::default())?;
        let accuracy = evaluation.correct.unwrap_or(0) as f64 / test.features.nrows() as f64;
        curve.push(Step { loss: gradients.loss, test_loss: evaluation.loss, accuracy });
        digits.weights.scaled_add(-RATE, &gradients.weights);
        progress.inc(1);
    }
    Ok(curve)
}

/// Draws the losses of both parts by step, as SVG.
fn draw(curve: &[Step]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (640, 400)).into_drawing_area();
        area.fill(&WHITE)?;
        let top = curve.iter().map(|step| step.loss).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(&area)
            .caption("Digits, by gradient descent", ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .build_cartesian_2d(0..curve.len(), 0.0..top)?;
        chart.configure_mesh().x_desc("step").y_desc("loss").draw()?;
        type Loss = fn(&Step) -> f64;
        let lines: [(&str, RGBColor, Loss); 2] =
            [("training", BLUE, |step| step.loss), ("test", RED, |step| step.test_loss)];
        for (name, color, loss) in lines {
            let points = curve.iter().enumerate().map(|(k, step)| (k, loss(step)));
            let line = chart.draw_series(LineSeries::new(points, color))?;
            line.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
        }
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
        area.present()?;
    }
    Ok(svg)
}

fn main() -> Result<(), Box<dyn Error>> {
    let in_temporary = || std::env::temp_dir().join("learning-curve.svg");
    let path = std::env::args_os().nth(1).map_or_else(in_temporary, PathBuf::from);
    let progress = ProgressBar::new(STEPS as u64);
    let curve = train(&progress)?;
    progress.finish_and_clear();
    for (k, step) in curve.iter().enumerate().filter(|(k, _)| (k + 1) % 50 == 0) {
        let (k, percent) = (k + 1, step.accuracy * 100.0);
        println!(
            "step {k:3}: loss {:.4}, test loss {:.4}, test accuracy {percent:.1}%",
            step.loss, step.test_loss
        );
    }
    fs::write(&path, draw(&curve)?).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("the curve is in {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learns_over_95_percent_and_draws_it() {
        let curve = train(&ProgressBar::hidden()).unwrap();
        let accuracy = curve.last().unwrap().accuracy;
        assert!(accuracy > 0.95, "{accuracy}");
        assert!(draw(&curve).unwrap().contains("<polyline"));
    }
}
