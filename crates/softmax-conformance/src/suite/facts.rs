//! Row facts: each requested alone, for confident rows, equal scores and ignored labels, and with all classes requested
//! as best classes. If a backend supports row facts, the other cases request them too.

use super::golden::{Golden, problems as golden_problems};
use crate::case::{Case, problem_of_scores};
use crate::check::real_output;
use crate::generator::Generator;
use crate::test::{Outcome, Subject, Test, evaluate, judge_call};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Dtype, Element, Error, Objective, OutputKind, OutputSet, Outputs, OwnedOutputs, OwnedProblem,
    OwnedTargets, Problem,
};

const FACTS: [OutputKind; 5] = [
    OutputKind::Entropy,
    OutputKind::LabelLogProb,
    OutputKind::LabelRank,
    OutputKind::TopClasses,
    OutputKind::TopLogProb,
];

/// Few and many classes: around the sizes of vectors, panels and groups.
const CLASSES: [usize; 9] = [1, 2, 10, 16, 33, 64, 65, 300, 1031];

/// Margins by which the best score leads.
const MARGINS: [f64; 6] = [1.0, 10.0, 40.0, 80.0, 300.0, 700.0];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for c in [2, 10, 100] {
        for margin in MARGINS {
            // The labels are the best class, the last one, and class 0. The other scores differ a little.
            let scores = Array2::from_shape_fn((3, c), |(_, class)| {
                if class == c / 2 { margin } else { -0.25 * (class % 5) as f64 }
            });
            let labels = [(c / 2) as i64, (c - 1) as i64, 0];
            cases.push(Case::new(format!("facts/margin-{margin}-{c}"), problem_of_scores(scores, &labels)));
        }
    }
    cases
}

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for kind in FACTS {
        for c in CLASSES {
            let name = format!("facts/{}-alone-{c}", kind.name().replace(' ', "-"));
            tests.push(Test::new(name, move |s: &Subject<'_, T>| alone(s, kind, c)));
        }
    }
    for c in CLASSES {
        tests
            .push(Test::new(format!("facts/equal-scores-{c}"), move |s: &Subject<'_, T>| equal_scores(s, c)));
        tests.push(Test::new(format!("facts/all-classes-{c}"), move |s: &Subject<'_, T>| all_classes(s, c)));
    }
    tests.push(Test::new("facts/more-than-there-are", too_many));
    for golden in golden_problems().into_iter().filter(holds_facts::<T>) {
        let name = format!("facts/golden-{}", golden.name);
        tests.push(Test::new(name, move |s: &Subject<'_, T>| has_its_digits(s, &golden)));
    }
    tests
}

/// Whether a golden problem is one of the margins, and its facts are normal numbers in `T`.
fn holds_facts<T: Element>(golden: &Golden) -> bool {
    let facts = golden.expected.entropy.iter().chain(&golden.expected.label_log_prob);
    golden.name.starts_with("margin-") && facts.into_iter().all(|&(fact, _)| T::narrow(fact).is_normal())
}

/// Entropy and log-probability of a confident row are accurate in relative terms: compared with the golden answers, the
/// relative error is at most 1e-5 in f32 and 1e-12 in f64.
fn has_its_digits<T: Element>(subject: &Subject<'_, T>, golden: &Golden) -> Outcome {
    let admissible = match T::DTYPE {
        Dtype::F32 => 1e-5,
        Dtype::F64 => 1e-12,
    };
    let answers = [
        (OutputKind::Entropy, &golden.expected.entropy),
        (OutputKind::LabelLogProb, &golden.expected.label_log_prob),
    ];
    Outcome::of_calls(|| {
        let owned = Case::new("", golden.problem()).narrowed::<T>();
        let set = answers.iter().map(|&(kind, _)| kind).collect();
        let (_, outputs) = evaluate(subject.make().as_mut(), &owned.problem()?, set)?;
        let mut messages = Vec::new();
        for (kind, exact) in answers {
            let found = real_output(&outputs, kind);
            for (i, (&(exact, _), &found)) in exact.iter().zip(found.iter().flatten()).enumerate() {
                let error = ((found - exact) / exact).abs();
                if error > admissible || error.is_nan() {
                    messages.push(format!("{kind} at [{i}]: expected {exact:e}, found {found:e}"));
                }
            }
        }
        Ok(messages)
    })
}

/// One fact of a problem with options and ignored labels, and of the same problem without targets. The ignored value is
/// once not a class, and once a class.
fn alone<T: Element>(subject: &Subject<'_, T>, kind: OutputKind, c: usize) -> Outcome {
    let mut messages = Vec::new();
    for ignored in [-100, (c / 2) as i64] {
        let mut g = Generator::new(c as u64);
        let mut problem = g.problem(40, 9, c);
        problem.bias = Some(g.vector(c, -1.0, 1.0));
        problem.objective = Objective { ignore_index: Some(ignored), ..Objective::default() };
        problem.objective.label_smoothing = 0.1;
        if let OwnedTargets::Labels(labels) = &mut problem.targets {
            labels.iter_mut().skip(1).step_by(3).for_each(|label| *label = ignored);
        }
        let mut none = problem.clone();
        none.targets = OwnedTargets::None;
        for problem in [problem, none] {
            let owned = Case::new("", problem).narrowed::<T>();
            let judged = owned.problem().and_then(|problem| {
                judge_call(subject.make().as_mut(), &problem, OutputSet::NONE.with(kind))
            });
            match judged {
                Ok(Outcome::Failed(faults)) => messages.extend(faults.into_iter().map(|fault| fault.message)),
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }
    Outcome::of(messages)
}

/// Scores are exactly 1 at every third class and 0 elsewhere. On ties the lowest index comes first, and equal scores do
/// not count in the rank.
fn equal_scores<T: Element>(subject: &Subject<'_, T>, c: usize) -> Outcome {
    let score = |class: usize| if class.is_multiple_of(3) { 1.0 } else { 0.0 };
    let labels: Vec<i64> = (0..c as i64).collect();
    let (features, scores) = (Array2::ones((c, 1)), Array2::from_shape_fn((1, c), |(_, class)| score(class)));
    let problem = OwnedProblem::new(features, scores, OwnedTargets::Labels(Array1::from(labels)));
    let owned = Case::new("", problem).narrowed::<T>();
    let high = (0..c).filter(|class| class % 3 == 0);
    let order: Vec<usize> = high.clone().chain((0..c).filter(|class| class % 3 != 0)).collect();
    let expected = |label: usize| if label.is_multiple_of(3) { 0 } else { high.clone().count() };
    Outcome::of_calls(|| {
        let set = OutputSet::NONE.with(OutputKind::LabelRank).with(OutputKind::TopClasses);
        let (_, outputs) = evaluate(subject.make().as_mut(), &owned.problem()?, set)?;
        let ranks = outputs.label_rank.into_iter().flatten().enumerate();
        let mut messages: Vec<String> = ranks
            .filter(|&(label, rank)| rank != expected(label))
            .map(|(label, rank)| {
                format!("label rank at [{label}]: expected {}, found {rank}", expected(label))
            })
            .collect();
        let rows = outputs.top_classes.iter().flat_map(|top| top.rows());
        let wrong = rows.filter(|row| row.iter().zip(&order).any(|(found, right)| found != right));
        messages.extend(wrong.take(1).map(|row| format!("top classes: expected {order:?}, found {row}")));
        messages.truncate(3);
        Ok(messages)
    })
}

/// Requests as many best classes as there are classes. Each occurs once, the largest score first, and their
/// probabilities sum to 1.
fn all_classes<T: Element>(subject: &Subject<'_, T>, c: usize) -> Outcome {
    let mut problem = Generator::new(c as u64).problem(12, 7, c);
    // Class 1 is masked, if it exists.
    problem.bias = Some(Array1::from_shape_fn(c, |class| if class == 1 { f64::NEG_INFINITY } else { 0.0 }));
    if let OwnedTargets::Labels(labels) = &mut problem.targets {
        labels.fill(0);
    }
    let owned: OwnedProblem<T> = Case::new("", problem).narrowed();
    Outcome::of_calls(|| {
        let problem = owned.problem()?;
        let set = OutputSet::NONE.with(OutputKind::TopClasses).with(OutputKind::TopLogProb);
        let mut outputs = OwnedOutputs::zeros_with_top(&problem, set, c);
        subject.make().evaluate(&problem, &mut outputs.as_outputs())?;
        let (Some(classes), Some(log_prob)) = (outputs.top_classes, outputs.top_log_prob) else {
            return Ok(Vec::new());
        };
        let mut messages = Vec::new();
        for (i, (classes, log_prob)) in classes.rows().into_iter().zip(log_prob.rows()).enumerate() {
            let mut sorted = classes.to_vec();
            sorted.sort_unstable();
            let total: f64 = log_prob.iter().map(|p| p.widen().exp()).sum();
            let falls = log_prob.iter().zip(log_prob.iter().skip(1)).all(|(a, b)| a >= b);
            // Each probability exp(log p) has a relative error of a few u·|log p|, and |log p| is some tens at most.
            let is_one = (total - 1.0).abs() < 1000.0 * T::DTYPE.unit_roundoff();
            let is_masked_last = c == 1 || (classes[c - 1] == 1 && log_prob[c - 1] == T::neg_infinity());
            if !(sorted.iter().copied().eq(0..c) && falls && is_one && is_masked_last) {
                messages
                    .push(format!("sample {i}: expected all classes in order, found {classes}, {log_prob}"));
            }
        }
        messages.truncate(1);
        Ok(messages)
    })
}

/// Requests for more best classes than there are classes, or for different numbers of classes and log-probabilities,
/// must be refused.
fn too_many<T: Element>(subject: &Subject<'_, T>) -> Outcome {
    let owned = Case::new("", Generator::new(5).problem(4, 3, 6)).narrowed::<T>();
    let refused = |problem: &Problem<'_, T>, (classes, log_prob): (usize, usize)| {
        let (mut classes, mut log_prob) = (Array2::zeros((4, classes)), Array2::zeros((4, log_prob)));
        let mut outputs = Outputs {
            top_classes: Some(classes.view_mut()),
            top_log_prob: Some(log_prob.view_mut()),
            ..Outputs::default()
        };
        subject.make().evaluate(problem, &mut outputs)
    };
    Outcome::of_calls(|| {
        let problem = owned.problem()?;
        refused(&problem, (6, 6))?;
        let mut messages = Vec::new();
        for shape in [(7, 7), (5, 3), (3, 5)] {
            match refused(&problem, shape) {
                Err(Error::TopClasses { .. } | Error::Shape { .. }) => {}
                other => messages.push(format!("{shape:?} of 6 classes: expected an error, found {other:?}")),
            }
        }
        Ok(messages)
    })
}
