//! Equal scores: the predicted class is the lowest index among them, at any positions.

use crate::test::{Outcome, Subject, Test, evaluate};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, OutputKind, OutputSet, Problem};

/// Around vectors of 4, 8 and 16 lanes, tiles and panels.
const CLASSES: [usize; 13] = [2, 3, 5, 8, 10, 16, 17, 33, 64, 65, 96, 130, 257];

/// Distances from the first tied class to the second. The last class is also tied with every other.
const DISTANCES: [usize; 8] = [1, 2, 3, 4, 8, 16, 32, 64];

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for c in CLASSES {
        tests.push(Test::new(format!("ties/pairs-{c}"), move |s: &Subject<'_, T>| {
            judge(s, c, &pairs(c), 1.0)
        }));
        tests.push(Test::new(format!("ties/pairs-below-zero-{c}"), move |s: &Subject<'_, T>| {
            judge(s, c, &pairs(c), -1.0)
        }));
        tests.push(Test::new(format!("ties/from-a-class-on-{c}"), move |s: &Subject<'_, T>| {
            judge(s, c, &(0..c).map(|first| (first..c).collect()).collect::<Vec<_>>(), 1.0)
        }));
        tests.push(Test::new(format!("ties/signed-zeros-{c}"), move |s: &Subject<'_, T>| signed_zeros(s, c)));
    }
    tests
}

/// The two classes that tie in each sample: each class with others at several distances.
fn pairs(c: usize) -> Vec<Vec<usize>> {
    let seconds = |first: usize| {
        let near = DISTANCES.iter().map(move |distance| first + distance).filter(move |&second| second < c);
        near.chain((first + 1 < c).then_some(c - 1))
    };
    (0..c).flat_map(|first| seconds(first).map(move |second| vec![first, second])).collect()
}

/// Scores are 1 for tied classes and 0 for others, or −1 and −2 if `sign` is negative.
fn judge<T: Element>(subject: &Subject<'_, T>, c: usize, tied: &[Vec<usize>], sign: f64) -> Outcome {
    // A feature for each class, which is 1 if it is tied. The last feature is 1 in all samples.
    let mut features = Array2::zeros((tied.len(), c + 1));
    for (mut row, classes) in features.rows_mut().into_iter().zip(tied) {
        classes.iter().for_each(|&class| row[class] = T::one());
        row[c] = T::one();
    }
    let mut weights = Array2::zeros((c + 1, c));
    weights.diag_mut().fill(T::one());
    weights.row_mut(c).fill(T::narrow(if sign < 0.0 { -2.0 } else { 0.0 }));
    let expected: Vec<usize> = tied.iter().map(|classes| classes[0]).collect();
    judge_predicted(subject, &features, &weights, &expected)
}

/// Zeros of both signs tie.
fn signed_zeros<T: Element>(subject: &Subject<'_, T>, c: usize) -> Outcome {
    let features = Array2::from_shape_fn((2, 1), |(i, _)| T::narrow(if i == 0 { 1.0 } else { -1.0 }));
    let weights =
        Array2::from_shape_fn((1, c), |(_, class)| T::narrow(if class % 2 == 0 { -0.0 } else { 0.0 }));
    judge_predicted(subject, &features, &weights, &[0, 0])
}

fn judge_predicted<T: Element>(
    subject: &Subject<'_, T>,
    features: &Array2<T>,
    weights: &Array2<T>,
    expected: &[usize],
) -> Outcome {
    let labels: Array1<i64> = expected.iter().map(|&class| class as i64).collect();
    Outcome::of_calls(|| {
        let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
        let mut messages = Vec::new();
        for set in [OutputSet::NONE.with(OutputKind::Predicted), subject.outputs()] {
            let (evaluation, outputs) = evaluate(subject.make().as_mut(), &problem, set)?;
            let found = outputs.predicted.into_iter().flatten();
            let wrong = found.zip(expected).enumerate().find(|(_, (found, expected))| found != *expected);
            messages.extend(wrong.map(|(i, (found, expected))| {
                format!("predicted classes at [{i}]: expected {expected}, the first of equals, found {found}")
            }));
            if evaluation.correct != Some(expected.len()) {
                messages.push(format!(
                    "correct: expected {}, found {:?}",
                    expected.len(),
                    evaluation.correct
                ));
            }
        }
        Ok(messages)
    })
}
