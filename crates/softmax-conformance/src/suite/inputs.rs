//! Kinds of inputs: labels of every type, half-precision and sparse features, signed weights, and no targets.

use crate::case::Case;
use crate::check::differing;
use crate::generator::{Choices, Generator};
use crate::storage::{FeatureStorage, LabelStorage, Storage, StoredProblem, WeightStorage};
use crate::test::{Outcome, Subject, Test, evaluate};
use softmax_core::ndarray::{Array1, array};
use softmax_core::{Element, Objective, OutputKind, OwnedProblem, OwnedTargets, Reduction};

/// Few and many classes.
const CLASSES: [usize; 2] = [10, 70];

const HALVES: [(&str, FeatureStorage, WeightStorage); 6] = [
    ("f16", FeatureStorage::F16, WeightStorage::Dense),
    ("bf16", FeatureStorage::Bf16, WeightStorage::Dense),
    ("weights-f16", FeatureStorage::Dense, WeightStorage::F16),
    ("weights-bf16", FeatureStorage::Dense, WeightStorage::Bf16),
    ("both-f16", FeatureStorage::F16, WeightStorage::F16),
    ("both-bf16", FeatureStorage::Bf16, WeightStorage::Bf16),
];

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(11);
    [labels(&mut g), signed_weights(&mut g), half(&mut g), sparse(&mut g), no_targets(&mut g)].concat()
}

fn case(name: String, problem: OwnedProblem<f64>, storage: Storage) -> Case {
    Case::new(format!("inputs/{name}"), problem).stored_as(storage)
}

/// Each label type, without and with an ignored label. The ignored label is −100 for signed types, the largest number
/// of `u8` and `u32`, and class 3 for `usize`.
fn labels(g: &mut Generator) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, labels, ignored) in [
        ("usize", LabelStorage::Usize, 3),
        ("u8", LabelStorage::U8, 255),
        ("u32", LabelStorage::U32, i64::from(u32::MAX)),
        ("i32", LabelStorage::I32, -100),
        ("i64", LabelStorage::I64, -100),
    ] {
        let storage = Storage { labels, ..Storage::default() };
        cases.push(case(format!("labels-{name}"), g.problem(9, 5, 7), storage));
        let mut problem = g.problem(12, 6, 70);
        if let OwnedTargets::Labels(labels) = &mut problem.targets {
            labels.iter_mut().step_by(3).for_each(|y| *y = ignored);
        }
        problem.objective.ignore_index = Some(ignored);
        problem.class_weights = Some(g.vector(70, 0.5, 2.0));
        cases.push(case(format!("labels-{name}-ignored"), problem, storage));
    }
    cases
}

/// Negative weights: of classes, of samples, and of both; a negative total weight, and one of zero.
fn signed_weights(g: &mut Generator) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut push =
        |name: &str, problem| cases.push(case(format!("signed-{name}"), problem, Storage::default()));
    for c in CLASSES {
        for (name, classes, samples, smoothing) in [
            ("classes", true, false, 0.0),
            ("samples", false, true, 0.0),
            ("both", true, true, 0.0),
            ("smoothing", true, true, 0.3),
        ] {
            let mut problem = g.problem(13, 6, c);
            problem.class_weights = classes.then(|| alternating(c));
            problem.sample_weights = samples.then(|| alternating(13));
            problem.objective = Objective {
                label_smoothing: smoothing,
                reduction: if classes { Reduction::Sum } else { Reduction::Mean },
                ..Objective::default()
            };
            push(&format!("{name}-{c}"), problem);
        }
        let mut problem = g.problem(8, 5, c);
        problem.targets = OwnedTargets::Soft(g.soft_targets(8, c));
        problem.class_weights = Some(alternating(c));
        problem.sample_weights = Some(alternating(8));
        push(&format!("soft-{c}"), problem);
        let mut problem = g.problem(6, 5, c);
        problem.sample_weights = Some(Array1::from_elem(6, -0.5));
        push(&format!("total-below-zero-{c}"), problem);
        let mut problem = g.problem(4, 5, c);
        problem.sample_weights = Some(array![1.0, -1.0, 0.5, -0.5]);
        push(&format!("total-of-zero-{c}"), problem);
    }
    cases
}

/// 1, −0.5, 1.5, −1, 2, −1.5, repeated: their sum is far from zero.
fn alternating(length: usize) -> Array1<f64> {
    Array1::from_shape_fn(length, |k| {
        if k % 2 == 0 { 1.0 + 0.25 * (k % 6) as f64 } else { -0.25 * (k % 6 + 1) as f64 }
    })
}

/// Features and weights of half precision, plain and with options.
fn half(g: &mut Generator) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, features, weights) in HALVES {
        let storage = Storage { features, weights, ..Storage::default() };
        for c in CLASSES {
            cases.push(case(format!("half-{name}-{c}"), g.problem(33, 17, c), storage));
            let choices = g.choices();
            let options = choices.describe();
            let problem = g.problem_with(9, 40, c, choices);
            cases.push(case(format!("half-{name}-{c}{options}"), problem, storage));
        }
    }
    cases
}

/// Sparse features: a quarter non-zeros with an empty row and an empty column, no non-zeros, and only non-zeros.
fn sparse(g: &mut Generator) -> Vec<Case> {
    let storage = Storage { features: FeatureStorage::Csr, ..Storage::default() };
    let mut cases = Vec::new();
    for c in CLASSES {
        for choices in [Choices::PLAIN, g.choices(), g.choices()] {
            let mut problem = g.problem_with(40, 50, c, choices);
            problem.features.indexed_iter_mut().for_each(|((i, k), x)| {
                if i == 7 || k == 11 || g.below(4) > 0 {
                    *x = 0.0;
                }
            });
            cases.push(case(format!("csr-{c}{}", choices.describe()), problem, storage));
        }
        let mut empty = g.problem(5, 6, c);
        empty.features.fill(0.0);
        empty.bias = Some(g.vector(c, -1.0, 1.0));
        cases.push(case(format!("csr-empty-{c}"), empty, storage));
        cases.push(case(format!("csr-full-{c}"), g.problem(7, 9, c), storage));
    }
    let mut half = g.problem(11, 30, 12);
    half.features.iter_mut().step_by(2).for_each(|x| *x = 0.0);
    let storage = Storage { weights: WeightStorage::Bf16, ..storage };
    cases.push(case("csr-weights-bf16".to_owned(), half, storage));
    cases
}

/// Problems without targets: loss, total weight and gradients are 0 with any options.
fn no_targets(g: &mut Generator) -> Vec<Case> {
    let mut cases = Vec::new();
    for c in CLASSES {
        for (name, reduction) in [("mean", Reduction::Mean), ("sum", Reduction::Sum)] {
            let mut problem = g.problem(9, 6, c);
            problem.targets = OwnedTargets::None;
            problem.objective.reduction = reduction;
            cases.push(case(format!("no-targets-{name}-{c}"), problem.clone(), Storage::default()));
            problem.bias = Some(g.vector(c, -1.0, 1.0));
            problem.class_weights = Some(g.vector(c, 0.5, 1.5));
            problem.sample_weights = Some(g.vector(9, 0.5, 1.5));
            problem.objective = Objective {
                label_smoothing: 0.1,
                l2: 0.5,
                z_loss: 0.1,
                softcap: Some(4.0),
                temperature: 2.0,
                ..problem.objective
            };
            cases.push(case(format!("no-targets-{name}-options-{c}"), problem, Storage::default()));
        }
    }
    cases
}

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for (name, features, weights) in HALVES {
        for c in CLASSES {
            let storage = Storage { features, weights, ..Storage::default() };
            tests.push(Test::new(
                format!("inputs/half-{name}-{c}-is-widened"),
                move |subject: &Subject<'_, T>| half_is_widened(subject, storage, c),
            ));
        }
    }
    tests
}

/// A deterministic backend gives the same bits for half-precision arrays as for their widened copies.
fn half_is_widened<T: Element>(subject: &Subject<'_, T>, storage: Storage, c: usize) -> Outcome {
    if !subject.make().descriptor().deterministic {
        return Outcome::NotApplicable("the backend does not say that it is deterministic".to_owned());
    }
    let mut owned: OwnedProblem<T> = Case::new("", Generator::new(12).problem(150, 37, c)).narrowed();
    let stored = StoredProblem::new(owned.clone(), storage);
    let answers = stored.problem().and_then(|problem| {
        owned.features = problem.features().to_dense().into_owned();
        owned.weights = problem.weights().to_dense().into_owned();
        let set = subject.outputs();
        let of_half = evaluate(subject.make().as_mut(), &problem, set)?;
        Ok((of_half, evaluate(subject.make().as_mut(), &owned.problem()?, set)?))
    });
    match answers {
        Ok(((half_evaluation, of_half), (evaluation, widened))) => {
            let mut differ: Vec<_> =
                differing(&of_half, &widened).into_iter().map(OutputKind::name).collect();
            differ.extend((half_evaluation != evaluation).then_some("evaluation"));
            Outcome::of(
                differ
                    .iter()
                    .map(|what| format!("half precision and the widened arrays differ in bits of the {what}"))
                    .collect(),
            )
        }
        Err(error) => error.into(),
    }
}
