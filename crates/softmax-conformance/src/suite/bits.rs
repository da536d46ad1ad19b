//! Backends that promise it give the same bits at every level of vector instructions, with any memory limit, and for a
//! sample in any batch.

use crate::case::Case;
use crate::check::{differing, real_output};
use crate::generator::Generator;
use crate::storage::{FeatureStorage, Storage, WeightStorage};
use crate::test::{Outcome, Subject, Test, evaluate};
use softmax_core::ndarray::Axis;
use softmax_core::{
    Element, Error, Evaluation, Objective, OutputKind, OwnedOutputs, OwnedProblem, OwnedTargets, Reduction,
    Setting,
};

/// Few and many classes; more rows than a block, more classes than a group, and sizes that do not divide into whole
/// blocks.
const SHAPES: [(usize, usize, usize); 8] = [
    (1, 1, 2),
    (700, 37, 10),
    (3000, 5, 3),
    (61, 513, 64),
    (1300, 19, 65),
    (37, 700, 130),
    (30, 33, 1031),
    (205, 17, 300),
];

/// Storage types of features and weights, for backends that support them.
const STORAGES: [(&str, FeatureStorage, WeightStorage); 3] = [
    ("", FeatureStorage::Dense, WeightStorage::Dense),
    ("-f16", FeatureStorage::F16, WeightStorage::F16),
    ("-bf16", FeatureStorage::Bf16, WeightStorage::Bf16),
];

type Answer<T> = (Evaluation, OwnedOutputs<T>);

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for (n, d, c) in SHAPES {
        for (options, has_options) in [("", false), ("-options", true)] {
            for (stored, features, weights) in STORAGES {
                let storage = Storage { features, weights, ..Storage::default() };
                let name = |what: &str| format!("behaviour/{what}-{n}x{d}x{c}{options}{stored}");
                let case = move || Case { storage, ..Case::new("", problem(n, d, c, has_options)) };
                for (what, setting) in [("levels", Setting::Level), ("memory", Setting::Memory)] {
                    let test = move |subject: &Subject<'_, T>| same_as_variants(subject, &case(), setting);
                    tests.push(Test::new(name(what), test));
                }
                tests.push(Test::new(name("batch"), move |s: &Subject<'_, T>| same_alone(s, &case())));
            }
        }
    }
    tests
}

pub(super) fn problem(n: usize, d: usize, c: usize, has_options: bool) -> OwnedProblem<f64> {
    let mut g = Generator::new((n + d + c) as u64);
    let mut problem = g.problem(n, d, c);
    if has_options {
        problem.bias = Some(g.vector(c, -1.0, 1.0));
        problem.class_weights = Some(g.vector(c, 0.5, 2.0));
        problem.sample_weights = Some(g.vector(n, 0.0, 2.0));
        let options = Objective { label_smoothing: 0.1, l2: 0.01, z_loss: 1e-3, ..Objective::default() };
        problem.objective =
            Objective { softcap: Some(5.0), temperature: 1.5, ignore_index: Some(-100), ..options };
        if let OwnedTargets::Labels(labels) = &mut problem.targets {
            // Not the first: if no sample counts, the loss is NaN.
            labels.iter_mut().skip(1).step_by(5).for_each(|label| *label = -100);
        }
    }
    problem
}

/// The names of the quantities in which two answers differ. Zeros of both signs are equal.
pub(super) fn differences<T: Element>(a: &Answer<T>, b: &Answer<T>) -> Vec<&'static str> {
    let mut names = Vec::new();
    if a.0 != b.0 {
        names.push("loss");
    }
    names.extend(differing(&a.1, &b.1).into_iter().map(OutputKind::name));
    names
}

fn same_as_variants<T: Element>(subject: &Subject<'_, T>, case: &Case, setting: Setting) -> Outcome {
    let variants = subject.make().variants(setting);
    if variants.is_empty() {
        return Outcome::NotApplicable(format!("the backend has no setting of its {}", setting.name()));
    }
    Outcome::of_calls(|| {
        let stored = case.stored::<T>();
        let problem = stored.problem()?;
        let set = subject.outputs();
        let expected = evaluate(subject.make().as_mut(), &problem, set)?;
        let mut messages = Vec::new();
        for mut variant in variants {
            let found = evaluate(variant.backend.as_mut(), &problem, set)?;
            let differ = differences(&found, &expected);
            if !differ.is_empty() {
                messages.push(format!("{}: other bits in {}", variant.name, differ.join(", ")));
            }
        }
        Ok(messages)
    })
}

/// Checks that samples have the same bits alone as in the batch.
fn same_alone<T: Element>(subject: &Subject<'_, T>, case: &Case) -> Outcome {
    if !subject.make().is_batch_invariant() {
        return Outcome::NotApplicable("the backend does not say that it is batch-invariant".to_owned());
    }
    Outcome::of_calls(|| {
        let mut case = case.clone();
        case.problem.objective.reduction = Reduction::Sum;
        let set = subject.outputs().without(OutputKind::WeightsGradient).without(OutputKind::BiasGradient);
        let of = |case: &Case| -> Result<Answer<T>, Error> {
            evaluate(subject.make().as_mut(), &case.stored().problem()?, set)
        };
        let (_, batch) = of(&case)?;
        let n = case.problem.features.nrows();
        let mut messages = Vec::new();
        for i in [0, n / 3, n / 2, n - 1] {
            let (_, alone) = of(&Case { problem: row(&case.problem, i), ..case.clone() })?;
            for kind in set.iter().filter(|&kind| !has_same_row(kind, (&alone, 0), (&batch, i))) {
                messages.push(format!("sample {i} alone has other bits of {kind} than in a batch of {n}"));
            }
        }
        Ok(messages)
    })
}

/// Whether an output has the same bits in row `i` of `a` as in row `j` of `b`.
fn has_same_row<T: Element>(
    kind: OutputKind,
    (a, i): (&OwnedOutputs<T>, usize),
    (b, j): (&OwnedOutputs<T>, usize),
) -> bool {
    let counts = |outputs: &OwnedOutputs<T>, i: usize| -> Option<Vec<usize>> {
        match kind {
            OutputKind::Predicted => outputs.predicted.as_ref().map(|p| vec![p[i]]),
            OutputKind::LabelRank => outputs.label_rank.as_ref().map(|r| vec![r[i]]),
            OutputKind::TopClasses => outputs.top_classes.as_ref().map(|top| top.row(i).to_vec()),
            _ => None,
        }
    };
    // Bits, so that NaN equals NaN.
    let reals = |outputs: &OwnedOutputs<T>, i: usize| -> Option<Vec<u64>> {
        let output = real_output(outputs, kind)?;
        Some(
            output
                .index_axis(Axis(0), i)
                .iter()
                .map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() })
                .collect(),
        )
    };
    (counts(a, i), reals(a, i)) == (counts(b, j), reals(b, j))
}

/// The problem of sample `i` alone.
fn row(problem: &OwnedProblem<f64>, i: usize) -> OwnedProblem<f64> {
    OwnedProblem {
        features: problem.features.select(Axis(0), &[i]),
        targets: match &problem.targets {
            OwnedTargets::Labels(labels) => OwnedTargets::Labels(labels.select(Axis(0), &[i])),
            OwnedTargets::Soft(soft) => OwnedTargets::Soft(soft.select(Axis(0), &[i])),
            OwnedTargets::None => OwnedTargets::None,
        },
        sample_weights: problem.sample_weights.as_ref().map(|u| u.select(Axis(0), &[i])),
        ..problem.clone()
    }
}
