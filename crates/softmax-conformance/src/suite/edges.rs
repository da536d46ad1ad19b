//! Edge shapes (no samples, no features, one class) with random options and many sets of outputs.

use crate::case::Case;
use crate::generator::{Choices, Generator};
use crate::test::{Outcome, Subject, Test, judge_call};
use softmax_core::{Element, OutputKind, OutputSet, OwnedProblem, OwnedTargets};

const SHAPES: [(usize, usize, usize); 10] = [
    (0, 3, 4),
    (0, 3, 70),
    (0, 0, 5),
    (0, 0, 70),
    (5, 0, 10),
    (5, 0, 300),
    (70, 0, 3),
    (1, 1, 1),
    (9, 4, 1),
    (1, 0, 1),
];

/// Number of random choices of options, besides none.
const DRAWS: usize = 6;

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut g = Generator::new(51);
    let mut tests = Vec::new();
    for (n, d, c) in SHAPES {
        let mut push = |options: String, problem: OwnedProblem<f64>| {
            let case = Case::new(format!("edges/{n}x{d}x{c}{options}"), problem);
            tests.push(Test::new(case.name.clone(), move |s: &Subject<'_, T>| every_output(s, &case)));
        };
        for draw in 0..=DRAWS {
            let choices = if draw == 0 { Choices::PLAIN } else { g.choices() };
            let mut problem = g.problem_with(n, d, c, choices);
            push(format!("-{draw}{}", choices.describe()), problem.clone());
            // Further variants of the plain problem: a bias, a penalty, a sum, and no targets.
            if draw == 0 {
                problem.bias = Some(g.vector(c, -1.0, 1.0));
                push("-with-bias".to_owned(), problem.clone());
                problem.objective.l2 = 0.5;
                push("-with-l2".to_owned(), problem.clone());
                problem.objective.reduction = softmax_core::Reduction::Sum;
                push("-with-l2-sum".to_owned(), problem.clone());
                problem.targets = OwnedTargets::None;
                push("-without-targets".to_owned(), problem);
            }
        }
    }
    tests
}

/// Requests all outputs, none, each alone, and all except each.
fn every_output<T: Element>(subject: &Subject<'_, T>, case: &Case) -> Outcome {
    let owned = case.narrowed::<T>();
    let whole = subject.outputs();
    let mut sets = vec![whole, OutputSet::NONE];
    sets.extend(whole.iter().map(|kind| OutputSet::NONE.with(kind)));
    sets.extend(whole.iter().map(|kind| whole.without(kind)));
    Outcome::of_calls(|| {
        let mut messages = Vec::new();
        for &set in &sets {
            if let Outcome::Failed(faults) = judge_call(subject.make().as_mut(), &owned.problem()?, set)? {
                let kinds: Vec<_> = set.iter().map(OutputKind::symbol).collect();
                messages.extend(faults.into_iter().map(|fault| format!("asked for {kinds:?}: {fault}")));
            }
        }
        Ok(messages)
    })
}
