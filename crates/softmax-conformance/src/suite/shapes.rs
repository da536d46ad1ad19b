//! Outputs of the wrong shape, too small and too large along each axis: the backend must return a shape error, not
//! panic and not answer.

use crate::case::Case;
use crate::generator::Generator;
use crate::test::{Outcome, Subject, Test};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Element, Error, OutputKind, Outputs, Problem};
use std::fmt::Debug;

/// Few and many classes. N, D and C differ from each other.
const SHAPES: [(&str, usize, usize, usize); 2] = [("few", 20, 6, 9), ("many", 12, 7, 150)];

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for (name, n, d, c) in SHAPES {
        for &kind in OutputKind::ALL {
            let test = move |subject: &Subject<'_, T>| {
                let owned = Case::new("", Generator::new(7).problem(n, d, c)).narrowed::<T>();
                match owned.problem() {
                    Ok(problem) => refuses(subject, &problem, kind),
                    Err(error) => error.into(),
                }
            };
            let output = kind.name().replace(' ', "-");
            tests.push(Test::new(format!("shapes/{output}-{name}"), test));
        }
    }
    tests
}

/// Lengths other than `length`, including 1, which would broadcast.
fn wrong(length: usize) -> Vec<usize> {
    [0, 1, length - 1, length + 1, 2 * length].into_iter().filter(|&other| other != length).collect()
}

/// Shapes that differ along one axis, along both, and the transpose.
fn wrong_matrices((rows, columns): (usize, usize)) -> Vec<(usize, usize)> {
    let mut shapes: Vec<_> = wrong(rows).into_iter().map(|other| (other, columns)).collect();
    shapes.extend(wrong(columns).into_iter().map(|other| (rows, other)));
    shapes.extend([(columns, rows), (rows + 1, columns + 1), (rows - 1, columns - 1), (1, rows * columns)]);
    shapes
}

fn refuses<T: Element>(subject: &Subject<'_, T>, problem: &Problem<'_, T>, kind: OutputKind) -> Outcome {
    let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
    // If the backend refuses the problem itself, it cannot be tested for refusing shapes.
    if let Err(error) = subject.make().loss(problem) {
        return error.into();
    }
    let mut messages = Vec::new();
    let mut judge = |shape: &dyn Debug, outputs: &mut Outputs<'_, T>| {
        let found = match subject.make().evaluate(problem, outputs) {
            Err(Error::Shape { .. } | Error::TopClasses { .. } | Error::Unsupported { .. }) => return,
            Err(error) => error.to_string(),
            Ok(_) => "an answer".to_owned(),
        };
        messages.push(format!("{kind} of shape {shape:?}: expected a shape error, found {found}"));
    };
    match kind {
        OutputKind::WeightsGradient => {
            for shape in wrong_matrices((d, c)) {
                let mut array = Array2::zeros(shape);
                judge(
                    &shape,
                    &mut Outputs { weights_gradient: Some(array.view_mut()), ..Outputs::default() },
                );
            }
        }
        OutputKind::FeaturesGradient => {
            for shape in wrong_matrices((n, d)) {
                let mut array = Array2::zeros(shape);
                judge(
                    &shape,
                    &mut Outputs { features_gradient: Some(array.view_mut()), ..Outputs::default() },
                );
            }
        }
        OutputKind::BiasGradient
        | OutputKind::SampleLosses
        | OutputKind::LogSumExp
        | OutputKind::Entropy
        | OutputKind::LabelLogProb => {
            for length in wrong(if kind == OutputKind::BiasGradient { c } else { n }) {
                let mut array = Array1::zeros(length);
                let view = Some(array.view_mut());
                let outputs = match kind {
                    OutputKind::BiasGradient => Outputs { bias_gradient: view, ..Outputs::default() },
                    OutputKind::SampleLosses => Outputs { sample_losses: view, ..Outputs::default() },
                    OutputKind::Entropy => Outputs { entropy: view, ..Outputs::default() },
                    OutputKind::LabelLogProb => Outputs { label_log_prob: view, ..Outputs::default() },
                    _ => Outputs { log_sum_exp: view, ..Outputs::default() },
                };
                judge(&length, &mut { outputs });
            }
        }
        OutputKind::Predicted | OutputKind::LabelRank => {
            for length in wrong(n) {
                let mut array = Array1::zeros(length);
                let view = Some(array.view_mut());
                let outputs = match kind {
                    OutputKind::Predicted => Outputs { predicted: view, ..Outputs::default() },
                    _ => Outputs { label_rank: view, ..Outputs::default() },
                };
                judge(&length, &mut { outputs });
            }
        }
        OutputKind::TopClasses => {
            for shape in wrong(n).into_iter().map(|rows| (rows, 3)).chain([(n, c + 1), (c, n)]) {
                let mut array = Array2::zeros(shape);
                judge(&shape, &mut Outputs { top_classes: Some(array.view_mut()), ..Outputs::default() });
            }
        }
        OutputKind::TopLogProb => {
            for shape in wrong(n).into_iter().map(|rows| (rows, 3)).chain([(n, c + 1), (c, n)]) {
                let mut array = Array2::zeros(shape);
                judge(&shape, &mut Outputs { top_log_prob: Some(array.view_mut()), ..Outputs::default() });
            }
        }
    }
    Outcome::of(messages)
}
