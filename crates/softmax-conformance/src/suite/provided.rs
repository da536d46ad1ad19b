//! Provided methods of the trait, which a backend may override: the loss alone, and the loss with dW and db.

use crate::case::Case;
use crate::check::check;
use crate::generator::{Choices, Generator};
use crate::oracle::reference;
use crate::test::{Outcome, Subject, Test};
use softmax_core::{
    Element, Error, Evaluation, OutputKind, OutputSet, OwnedOutputs, OwnedProblem, OwnedTargets, Problem,
    Quantity, SoftmaxBackend,
};

const SHAPES: [(usize, usize, usize); 8] =
    [(1, 1, 1), (7, 5, 3), (40, 17, 10), (300, 9, 12), (21, 130, 64), (33, 17, 150), (5, 0, 7), (0, 5, 70)];

/// The outputs of [`SoftmaxBackend::gradients`].
const GRADIENTS: OutputSet = OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::BiasGradient);

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for (n, d, c) in SHAPES {
        for options in ["", "-options", "-none"] {
            let make = move || problem::<T>((n, d, c), options);
            let suffix = format!("{n}x{d}x{c}{options}");
            let loss = move |subject: &Subject<'_, T>| twice(subject, &make(), loss);
            tests.push(Test::new(format!("provided/loss-{suffix}"), loss));
            let gradients = move |subject: &Subject<'_, T>| twice(subject, &make(), gradients);
            tests.push(Test::new(format!("provided/gradients-{suffix}"), gradients));
        }
    }
    tests
}

fn problem<T: Element>((n, d, c): (usize, usize, usize), options: &str) -> OwnedProblem<T> {
    let mut g = Generator::new((n + d + c) as u64);
    let choices = if options == "-options" { g.choices() } else { Choices::PLAIN };
    let mut problem = g.problem_with(n, d, c, choices);
    if options == "-none" {
        problem.targets = OwnedTargets::None;
    }
    Case::new("", problem).narrowed()
}

type Judge<T> = fn(&mut dyn SoftmaxBackend<T>, &Problem<'_, T>) -> Result<Vec<String>, Error>;

/// Calls one instance twice. Before the second call the weights are negated in place.
fn twice<T: Element>(subject: &Subject<'_, T>, owned: &OwnedProblem<T>, judge: Judge<T>) -> Outcome {
    let mut owned = owned.clone();
    let mut backend = subject.make();
    Outcome::of_calls(|| {
        let mut messages = judge(backend.as_mut(), &owned.problem()?)?;
        owned.weights.mapv_inplace(|w| -w);
        messages.extend(judge(backend.as_mut(), &owned.problem()?)?);
        Ok(messages)
    })
}

fn loss<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
) -> Result<Vec<String>, Error> {
    let loss = backend.loss(problem)?;
    Ok(faults(problem, OutputSet::NONE, loss, &OwnedOutputs::default()))
}

fn gradients<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
) -> Result<Vec<String>, Error> {
    let gradients = backend.gradients(problem)?;
    let outputs = OwnedOutputs {
        weights_gradient: Some(gradients.weights),
        bias_gradient: Some(gradients.bias),
        ..OwnedOutputs::default()
    };
    Ok(faults(problem, GRADIENTS, gradients.loss, &outputs))
}

/// The faults of a loss and its outputs. Other quantities are not compared, since the methods do not return them.
fn faults<T: Element>(
    problem: &Problem<'_, T>,
    set: OutputSet,
    loss: f64,
    outputs: &OwnedOutputs<T>,
) -> Vec<String> {
    let evaluation = Evaluation { loss, total_weight: f64::NAN, correct: None };
    let errors = check(&evaluation, outputs, &reference(problem, set));
    let given =
        errors.iter().filter(|error| !matches!(error.quantity, Quantity::TotalWeight | Quantity::Correct));
    given.filter(|error| !error.is_within_bound()).map(ToString::to_string).collect()
}
