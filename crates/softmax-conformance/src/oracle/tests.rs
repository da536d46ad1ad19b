//! Checks the oracle against the answers of an independent program, and against finite differences of its own loss.

use super::differences::{central_difference, difference_along};
use super::evaluate::{Oracle, reference, upstream_reference};
use super::inputs::Inputs;
use super::real::{DoubleDouble, Real};
use super::upstream::Coefficients;
use crate::suite::golden_problems;
use softmax_core::{Dtype, OutputKind, OutputSet, Problem, ndarray};

/// |value − golden| over |golden|, where the golden value is a sum of two f64.
fn relative(value: DoubleDouble, (high, low): (f64, f64)) -> f64 {
    let difference = value - DoubleDouble::from(high) - DoubleDouble::from(low);
    if high == 0.0 { difference.value().abs() } else { (difference.value() / high).abs() }
}

#[test]
fn the_loss_has_thirty_digits() {
    let mut problems = 0;
    for golden in golden_problems() {
        let owned = golden.problem();
        let problem = owned.problem().unwrap();
        let inputs = Inputs::new(&problem);
        let loss = Oracle::<DoubleDouble>::new(&inputs, &Coefficients::default(), Dtype::F64, false).loss();
        let error = relative(loss, golden.expected.loss);
        assert!(error < 1e-29, "off by {error:e} of the loss of {owned:?}");
        problems += 1;
    }
    assert!(problems > 40);
}

#[test]
fn every_output_is_the_nearest_double_or_its_neighbour() {
    for golden in golden_problems() {
        let owned = golden.problem();
        let reference = reference(&owned.problem().unwrap(), OutputSet::ALL);
        let answers = &golden.expected;
        for (kind, expected) in &reference.outputs {
            let exact = match kind {
                OutputKind::WeightsGradient => &answers.weights_gradient,
                OutputKind::FeaturesGradient => &answers.features_gradient,
                OutputKind::BiasGradient => &answers.bias_gradient,
                OutputKind::SampleLosses => &answers.sample_losses,
                OutputKind::LogSumExp => &answers.log_sum_exp,
                OutputKind::Entropy => &answers.entropy,
                OutputKind::LabelLogProb if answers.label_log_prob.is_empty() => continue,
                OutputKind::LabelLogProb => &answers.label_log_prob,
                _ => continue,
            };
            assert_eq!(exact.len(), expected.values.len());
            let largest = exact.iter().map(|(high, _)| high.abs()).fold(0.0, f64::max);
            for (&(exact, _), &value) in exact.iter().zip(&expected.values) {
                // If terms cancel, the 31 digits are relative to the terms.
                let admissible = 2.3e-16 * exact.abs() + 1e-28 * largest;
                assert!((value - exact).abs() <= admissible, "{kind}: {value:e} for {exact:e}");
            }
        }
    }
}

/// With two classes, both gradients have the same absolute error, however small they are.
#[test]
fn a_confident_label_has_the_bound_of_the_other_class() {
    let features = ndarray::array![[1.0, 1.0]];
    let weights = ndarray::array![[100.0, 60.0], [-50.0, -60.0]];
    let (labels, bias) = (ndarray::array![0], ndarray::array![0.0, 0.0]);
    let problem = Problem::builder(features.view(), weights.view(), labels.view()).bias(bias.view());
    let reference = reference(&problem.build().unwrap(), OutputSet::ALL);
    let (_, db) = reference.outputs.iter().find(|(kind, _)| *kind == OutputKind::BiasGradient).unwrap();
    assert!(db.values[0] < 0.0 && db.values[0] == -db.values[1]);
    assert!(db.bounds[0] >= db.bounds[1], "{:e} and {:e}", db.bounds[0], db.bounds[1]);
}

/// Features and weights of unusual scale.
#[test]
fn differences_are_as_good_where_numbers_are_large() {
    let features = ndarray::array![[1e5, -3e4], [2e5, 1.5e5]];
    let weights = ndarray::array![[1e-6, -2e-6, 0.0], [3e-6, 0.0, 1e-6]];
    let labels = ndarray::array![0, 2];
    let turned = Problem::builder(features.t(), weights.view(), labels.view()).build().unwrap();
    for (k, c) in [(0, 0), (1, 2)] {
        let reference = reference(&turned, OutputSet::NONE.with(OutputKind::WeightsGradient));
        let value = reference.outputs[0].1.values[[k, c]];
        let difference = central_difference(&turned, OutputKind::WeightsGradient, &[k, c]).unwrap().value;
        assert!((difference - value).abs() < 1e-11 * value.abs(), "{difference:e} and {value:e}");
    }
}

#[test]
fn its_gradients_are_its_differences() {
    let mut entries = 0;
    for golden in golden_problems() {
        let owned = golden.problem();
        let problem = owned.problem().unwrap();
        for (kind, expected) in reference(&problem, OutputSet::ALL).outputs {
            let largest = expected.values.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
            for (index, &value) in expected.values.indexed_iter() {
                let index = ndarray::Dimension::slice(&index).to_vec();
                let Some(difference) = central_difference(&problem, kind, &index) else { break };
                let difference = difference.value;
                let error = (difference - value).abs() / largest;
                assert!(error < 1e-12, "{kind} at {index:?}: {difference:e} and {value:e}");
                entries += 1;
            }
        }
    }
    assert!(entries > 1000, "{entries}");
}

/// Signed coefficients of losses, entropies and lse, with every option.
#[test]
fn its_gradients_with_coefficients_are_the_differences_of_what_they_weigh() {
    let mut entries = 0;
    for (k, golden) in golden_problems().into_iter().enumerate() {
        let owned = golden.problem();
        let problem = owned.problem().unwrap();
        let numbers = |salt: usize| -> Vec<f64> {
            (0..problem.n_samples()).map(|i| ((i * 7 + salt * 3 + k) % 11) as f64 / 4.0 - 1.2).collect()
        };
        let coefficients = Coefficients {
            losses: (k % 4 > 0).then(|| numbers(1)),
            entropy: (k % 3 > 0).then(|| numbers(2)),
            log_sum_exp: (k % 2 > 0).then(|| numbers(3)),
        };
        let objective =
            |moved: &Inputs| Oracle::<DoubleDouble>::new(moved, &coefficients, Dtype::F64, false).objective();
        for (kind, expected) in upstream_reference(&problem, &coefficients, OutputSet::ALL).outputs {
            let largest = expected.values.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
            for (index, &value) in expected.values.indexed_iter() {
                let index = ndarray::Dimension::slice(&index).to_vec();
                let Some(difference) = difference_along(&problem, kind, &index, objective) else { break };
                let difference = difference.value;
                let error = (difference - value).abs() / largest;
                assert!(error < 1e-12, "{kind} at {index:?} of problem {k}: {difference:e} and {value:e}");
                entries += 1;
            }
        }
    }
    assert!(entries > 1000, "{entries}");
}
