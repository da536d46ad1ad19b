//! Earlier calls must not affect later ones. A backend may keep working memory and prepared data, but must not take one
//! problem for another because it is at the same address.

use crate::case::Case;
use crate::generator::Generator;
use crate::test::{Outcome, Subject, Test, given, judge_call};
use softmax_core::ndarray::Array2;
use softmax_core::{
    Element, Error, OutputKind, OutputSet, OwnedOutputs, OwnedProblem, OwnedTargets, SoftmaxBackend,
};

/// Few and many classes: many backends have a kernel for each.
const SHAPES: [(&str, usize, usize, usize); 2] = [("few", 40, 17, 10), ("many", 33, 17, 150)];

/// Shapes of other problems in between. None is a shape of [`SHAPES`].
const OTHERS: [(usize, usize, usize); 7] =
    [(1, 1, 1), (90, 60, 200), (3, 90, 2), (0, 5, 10), (5, 0, 10), (200, 3, 10), (2, 17, 600)];

/// Changes a part of a problem in place.
type Change<T> = fn(&mut OwnedProblem<T>);

type Sequence<T> = fn(&mut dyn SoftmaxBackend<T>, &OwnedProblem<T>) -> Result<Vec<String>, Error>;

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let changes: [(&str, Change<T>); 9] = [
        ("weights", |p| p.weights.mapv_inplace(|w| -(w + w))),
        ("last-weight", |p| p.weights.iter_mut().last().into_iter().for_each(|w| *w += T::one())),
        ("features", |p| p.features.mapv_inplace(|x| -x)),
        ("last-feature", |p| p.features.iter_mut().last().into_iter().for_each(|x| *x += T::one())),
        ("targets", |p| match &mut p.targets {
            OwnedTargets::Labels(y) => y.mapv_inplace(|y| (y + 1) % 10),
            OwnedTargets::Soft(y) => y.mapv_inplace(|y| y * y),
            OwnedTargets::None => {}
        }),
        ("bias", |p| p.bias.iter_mut().for_each(|b| b.mapv_inplace(|b| b + b + T::one()))),
        ("class-weights", |p| p.class_weights.iter_mut().for_each(|w| w.mapv_inplace(|w| w * w))),
        ("sample-weights", |p| p.sample_weights.iter_mut().for_each(|u| u.mapv_inplace(|u| u * u))),
        ("objective", |p| {
            p.objective.label_smoothing = 0.25;
            p.objective.temperature = 2.0;
            p.objective.softcap = Some(3.0);
            p.objective.l2 = 0.5;
        }),
    ];
    let sequences: [(&str, Sequence<T>); 5] = [
        ("after-failure", after_failure),
        ("after-nan", after_nan),
        ("after-other-shapes", after_other_shapes),
        ("after-fewer-outputs", after_fewer_outputs),
        ("after-accumulation", after_accumulation),
    ];
    let mut tests = Vec::new();
    for (size, n, d, c) in SHAPES {
        for options in [false, true] {
            let suffix = if options { format!("{size}-options") } else { size.to_owned() };
            let make = move || problem::<T>(n, d, c, options);
            for (name, change) in changes {
                tests.push(Test::new(format!("state/changed-{name}-{suffix}"), move |s: &Subject<'_, T>| {
                    changed(s, make(), change)
                }));
            }
            for (name, sequence) in sequences {
                tests.push(Test::new(format!("state/{name}-{suffix}"), move |s: &Subject<'_, T>| {
                    Outcome::of_calls(|| sequence(s.make().as_mut(), &make()))
                }));
            }
        }
    }
    tests
}

fn problem<T: Element>(n: usize, d: usize, c: usize, options: bool) -> OwnedProblem<T> {
    let mut g = Generator::new(31);
    let mut problem = g.problem(n, d, c);
    if options {
        problem.targets = OwnedTargets::Soft(g.soft_targets(n, c));
        problem.bias = Some(g.vector(c, -1.0, 1.0));
        problem.class_weights = Some(g.vector(c, 0.5, 2.0));
        problem.sample_weights = Some(g.vector(n, 0.5, 2.0));
        problem.objective.z_loss = 0.01;
    }
    Case::new("", problem).narrowed()
}

/// Checks a call. `when` begins the messages.
fn judge<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
    when: &str,
) -> Result<Vec<String>, Error> {
    let set = given(backend, OutputSet::ALL);
    match judge_call(backend, &owned.problem()?, set)? {
        Outcome::Failed(faults) => Ok(faults.into_iter().map(|fault| format!("{when}: {fault}")).collect()),
        _ => Ok(Vec::new()),
    }
}

/// Evaluates a problem, then the same arrays with other numbers, then with the first numbers again.
fn changed<T: Element>(subject: &Subject<'_, T>, mut owned: OwnedProblem<T>, change: Change<T>) -> Outcome {
    let mut backend = subject.make();
    let before = owned.clone();
    Outcome::of_calls(|| {
        let mut messages = judge(backend.as_mut(), &owned, "the first call")?;
        change(&mut owned);
        messages.extend(judge(backend.as_mut(), &owned, "after a change in place")?);
        restore(&mut owned, &before);
        messages.extend(judge(backend.as_mut(), &owned, "after the change was taken back")?);
        Ok(messages)
    })
}

/// Writes the numbers of `before` into the same arrays.
fn restore<T: Element>(owned: &mut OwnedProblem<T>, before: &OwnedProblem<T>) {
    owned.weights.assign(&before.weights);
    owned.features.assign(&before.features);
    let vectors = [
        (&mut owned.bias, &before.bias),
        (&mut owned.class_weights, &before.class_weights),
        (&mut owned.sample_weights, &before.sample_weights),
    ];
    for (to, from) in vectors {
        if let (Some(to), Some(from)) = (to, from) {
            to.assign(from);
        }
    }
    match (&mut owned.targets, &before.targets) {
        (OwnedTargets::Labels(to), OwnedTargets::Labels(from)) => to.assign(from),
        (OwnedTargets::Soft(to), OwnedTargets::Soft(from)) => to.assign(from),
        _ => {}
    }
    owned.objective = before.objective;
}

/// After calls that are refused because of the shape of an output.
fn after_failure<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
) -> Result<Vec<String>, Error> {
    let mut messages = judge(backend, owned, "the first call")?;
    let (d, c) = owned.weights.dim();
    for shape in [(d, c + 1), (d + 1, c), (1, 2)] {
        let mut wrong =
            OwnedOutputs { weights_gradient: Some(Array2::zeros(shape)), ..OwnedOutputs::default() };
        if backend.evaluate(&owned.problem()?, &mut wrong.as_outputs()).is_ok() {
            messages.push(format!("a weights gradient of {shape:?} was accepted"));
        }
        messages.extend(judge(backend, owned, "after a call that failed")?);
    }
    Ok(messages)
}

/// After calls with weights and features of NaN or infinity.
fn after_nan<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
) -> Result<Vec<String>, Error> {
    let mut messages = judge(backend, owned, "the first call")?;
    for number in [T::nan(), T::infinity(), T::neg_infinity()] {
        let mut spoilt = owned.clone();
        spoilt.weights.fill(number);
        spoilt.features.row_mut(3).fill(number);
        messages.extend(judge(backend, &spoilt, &format!("with {number}"))?);
        messages.extend(judge(backend, owned, &format!("after a call with {number}"))?);
    }
    Ok(messages)
}

/// After problems of larger and smaller shapes.
fn after_other_shapes<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
) -> Result<Vec<String>, Error> {
    let mut messages = judge(backend, owned, "the first call")?;
    for (n, d, c) in OTHERS {
        let other = problem(n, d, c, owned.bias.is_some());
        messages.extend(judge(backend, &other, &format!("{n}x{d}x{c}"))?);
        messages.extend(judge(backend, owned, &format!("after {n}x{d}x{c}"))?);
    }
    Ok(messages)
}

/// After calls for fewer outputs, which leave parts of the working memory unused.
fn after_fewer_outputs<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
) -> Result<Vec<String>, Error> {
    let mut messages = Vec::new();
    let whole = given(backend, OutputSet::ALL);
    for set in [OutputSet::NONE].into_iter().chain(whole.iter().map(|kind| OutputSet::NONE.with(kind))) {
        if let Outcome::Failed(faults) = judge_call(backend, &owned.problem()?, set)? {
            messages.extend(faults.into_iter().map(|fault| fault.message));
        }
        let kinds: Vec<_> = set.iter().map(OutputKind::name).collect();
        messages.extend(judge(backend, owned, &format!("after a call for {kinds:?}"))?);
    }
    Ok(messages)
}

/// After calls that accumulate gradients.
fn after_accumulation<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    owned: &OwnedProblem<T>,
) -> Result<Vec<String>, Error> {
    let mut sums = OwnedOutputs::zeros(&owned.problem()?, given(backend, OutputSet::ALL));
    for _ in 0..2 {
        let mut outputs = sums.as_outputs();
        outputs.accumulate = true;
        backend.evaluate(&owned.problem()?, &mut outputs)?;
    }
    judge(backend, owned, "after accumulation")
}
