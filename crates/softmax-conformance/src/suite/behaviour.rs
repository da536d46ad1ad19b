//! Behaviour beyond a single right answer: over a sequence of problems, in thread pools of several sizes, and with
//! different sets of outputs.

use super::all_cases::cases;
use crate::case::Case;
use crate::check::differing;
use crate::generator::Generator;
use crate::storage::Storage;
use crate::test::{Outcome, Subject, Test, evaluate, judge_answer};
use softmax_core::ndarray::{Array1, Array2, Axis, Slice};
use softmax_core::{Element, Error, Evaluation, Objective, OutputSet, Outputs, OwnedOutputs, OwnedProblem};

/// Number of calls that are compared. Results that depend on chance differ in one of them.
const CALLS: usize = 5;

/// Shapes with many rows, many classes or many features, so that threads have work to share.
const SHARED: [(usize, usize, usize); 5] =
    [(5000, 12, 10), (1500, 5, 70), (300, 16, 700), (40, 9, 3000), (40, 1500, 20)];

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = vec![Test::new("behaviour/repeat", repeat)];
    // A plain problem, for backends that support no options, and one with options.
    for (suffix, large) in [("", plain as fn() -> OwnedProblem<T>), ("-options", with_options)] {
        let mut test = |name: &str, body: fn(&Subject<'_, T>, &OwnedProblem<T>) -> Outcome| {
            let body = move |subject: &Subject<'_, T>| body(subject, &large());
            tests.push(Test::new(format!("behaviour/{name}{suffix}"), body));
        };
        test("same-again", same_again);
        test("threads", threads);
        test("fewer-outputs", fewer_outputs);
        test("writes-only-its-outputs", writes_only_its_outputs);
        test("accumulates", accumulates);
    }
    for (n, d, c) in SHARED {
        let large = move || Case::new("", Generator::new(8).problem(n, d, c)).narrowed::<T>();
        let mut test = |name: &str, body: fn(&Subject<'_, T>, &OwnedProblem<T>) -> Outcome| {
            let body = move |subject: &Subject<'_, T>| body(subject, &large());
            tests.push(Test::new(format!("behaviour/{name}-{n}x{d}x{c}"), body));
        };
        test("same-again", same_again);
        test("threads", threads);
    }
    tests.push(Test::new("behaviour/accumulates-many-classes", |subject: &Subject<'_, T>| {
        accumulates(subject, &many_classes())
    }));
    tests.push(Test::new("behaviour/supports-what-it-says", supports_what_it_says));
    tests
}

/// One instance evaluates problems of different shapes and options in a row. None may affect the next.
fn repeat<T: Element>(subject: &Subject<'_, T>) -> Outcome {
    let (mut backend, set) = (subject.make(), subject.outputs());
    let mut messages = Vec::new();
    let (mut passed, mut refused) = (0, None);
    for case in cases().iter().filter(|case| case.storage == Storage::default()).step_by(7) {
        let owned = case.narrowed::<T>();
        let Ok(problem) = owned.problem() else { continue };
        let outcome = match evaluate(backend.as_mut(), &problem, set) {
            Ok((evaluation, outputs)) => judge_answer(&problem, set, &evaluation, &outputs),
            Err(error) => error.into(),
        };
        match outcome {
            Outcome::Passed(_) => passed += 1,
            outcome @ (Outcome::Unsupported(_) | Outcome::NotApplicable(_)) => refused = Some(outcome),
            gone @ Outcome::Gone(_) => return gone,
            Outcome::Failed(faults) => messages.extend(faults.iter().map(|m| format!("{}: {m}", case.name))),
        }
    }
    match refused {
        Some(refused) if messages.is_empty() && passed == 0 => refused,
        _ => Outcome::of(messages),
    }
}

/// A problem with enough rows to be shared among threads.
fn plain<T: Element>() -> OwnedProblem<T> {
    Case::new("", Generator::new(6).problem(700, 37, 19)).narrowed()
}

/// A problem of the same size with most options.
fn with_options<T: Element>() -> OwnedProblem<T> {
    let mut g = Generator::new(9);
    let mut problem = g.problem(700, 37, 19);
    problem.bias = Some(g.vector(19, -1.0, 1.0));
    problem.class_weights = Some(g.vector(19, 0.5, 2.0));
    problem.sample_weights = Some(g.vector(700, 0.0, 2.0));
    let options = Objective { label_smoothing: 0.1, l2: 0.01, z_loss: 1e-3, ..Objective::default() };
    problem.objective = Objective { softcap: Some(5.0), temperature: 1.5, ignore_index: Some(3), ..options };
    Case::new("", problem).narrowed()
}

/// A problem with an L2 penalty, and with more classes than a kernel for few classes supports.
fn many_classes<T: Element>() -> OwnedProblem<T> {
    let mut problem = Generator::new(10).problem(150, 21, 130);
    problem.objective.l2 = 0.01;
    Case::new("", problem).narrowed()
}

/// With `accumulate`, two calls each add dW and db to the contents of their arrays, and overwrite the other outputs.
fn accumulates<T: Element>(subject: &Subject<'_, T>, owned: &OwnedProblem<T>) -> Outcome {
    let attempt = || -> Result<Outcome, Error> {
        let problem = owned.problem()?;
        let (mut backend, set) = (subject.make(), subject.outputs());
        let (evaluation, mut outputs) = evaluate(backend.as_mut(), &problem, set)?;
        let before = T::narrow(0.5);
        let mut twice = outputs.clone();
        twice.weights_gradient.iter_mut().for_each(|dw| dw.fill(before));
        twice.bias_gradient.iter_mut().for_each(|db| db.fill(before));
        for _ in 0..2 {
            twice.features_gradient.iter_mut().for_each(|dx| dx.fill(T::nan()));
            twice.sample_losses.iter_mut().for_each(|losses| losses.fill(T::nan()));
            let mut views = twice.as_outputs();
            views.accumulate = true;
            backend.evaluate(&problem, &mut views)?;
        }
        let mut messages = Vec::new();
        let mut compare = |name: &str, once: Vec<T>, sums: Vec<T>| {
            // The errors of two additions in the element type, and of twice the gradient, which may be summed in
            // another order.
            let largest = once.iter().fold(0.0, |max: f64, g| max.max(g.widen().abs()));
            let admissible = 16.0 * T::DTYPE.unit_roundoff() * (0.5 + 64.0 * largest);
            for (k, (once, sum)) in once.iter().zip(&sums).enumerate() {
                let expected = 0.5 + 2.0 * once.widen();
                let error = (sum.widen() - expected).abs();
                if error > admissible || error.is_nan() {
                    messages
                        .push(format!("{name}, entry {k}: expected {expected:e}, found {:e}", sum.widen()));
                    break;
                }
            }
        };
        let entries = |matrix: &Option<Array2<T>>| matrix.iter().flatten().copied().collect::<Vec<T>>();
        compare("dW", entries(&outputs.weights_gradient), entries(&twice.weights_gradient));
        let entries = |vector: &Option<Array1<T>>| vector.iter().flatten().copied().collect::<Vec<T>>();
        compare("db", entries(&outputs.bias_gradient), entries(&twice.bias_gradient));
        // The other outputs are the same as without accumulation.
        twice.weights_gradient = outputs.weights_gradient.take();
        twice.bias_gradient = outputs.bias_gradient.take();
        if let Outcome::Failed(faults) = judge_answer(&problem, set, &evaluation, &twice) {
            messages.extend(faults.into_iter().map(|fault| fault.message));
        }
        Ok(Outcome::of(messages))
    };
    attempt().unwrap_or_else(Outcome::from)
}

/// A backend evaluates every feature that it claims to support. It refuses any other with an [`Error::Unsupported`]
/// that names it.
fn supports_what_it_says<T: Element>(subject: &Subject<'_, T>) -> Outcome {
    let mut messages = Vec::new();
    let mut ran = false;
    let mut refused = None;
    for case in
        cases().iter().filter(|case| case.name.starts_with("inputs/") || case.name.starts_with("options/"))
    {
        let stored = case.stored::<T>();
        let Ok(problem) = stored.problem() else { continue };
        let mut backend = subject.make();
        let unsupported = problem.needs().iter().find(|&feature| !backend.supports(feature));
        match (backend.loss(&problem), unsupported) {
            (Ok(_), None) => ran = true,
            (Ok(_), Some(feature)) => {
                messages.push(format!("{}: evaluates {feature}, and says that it does not", case.name));
            }
            (Err(Error::Unsupported { feature, .. }), _) if !backend.supports(feature) => {
                refused = Some(feature);
            }
            (Err(error), _) => messages.push(format!("{}: {error}", case.name)),
        }
        if messages.len() >= 3 {
            break;
        }
    }
    match refused {
        Some(feature) if messages.is_empty() && !ran => Outcome::Unsupported(feature),
        _ => Outcome::of(messages),
    }
}

/// A deterministic backend gives the same bits when it evaluates a problem again.
fn same_again<T: Element>(subject: &Subject<'_, T>, owned: &OwnedProblem<T>) -> Outcome {
    let mut backend = subject.make();
    if !backend.descriptor().deterministic {
        return Outcome::NotApplicable("the backend does not say that it is deterministic".to_owned());
    }
    Outcome::of_calls(|| {
        let problem = owned.problem()?;
        let set = subject.outputs();
        let first = evaluate(backend.as_mut(), &problem, set)?;
        for call in 2..=CALLS {
            if is_other(&evaluate(backend.as_mut(), &problem, set)?, &first) {
                return Ok(vec![format!("call {call} gave other bits than the first")]);
            }
        }
        Ok(Vec::new())
    })
}

fn is_other<T: Element>(a: &(Evaluation, OwnedOutputs<T>), b: &(Evaluation, OwnedOutputs<T>)) -> bool {
    a.0 != b.0 || !differing(&a.1, &b.1).is_empty()
}

/// A deterministic backend gives the same bits in pools of 1, 2, 3 and 8 threads.
fn threads<T: Element>(subject: &Subject<'_, T>, owned: &OwnedProblem<T>) -> Outcome {
    if !subject.make().descriptor().deterministic {
        return Outcome::NotApplicable("the backend does not say that it is deterministic".to_owned());
    }
    let mut first = None;
    let mut messages = Vec::new();
    for count in [1, 2, 3, 8] {
        let pool = match rayon::ThreadPoolBuilder::new().num_threads(count).build() {
            Ok(pool) => pool,
            Err(error) => return Outcome::NotApplicable(format!("could not start {count} threads: {error}")),
        };
        let answer = pool.install(|| {
            let problem = owned.problem()?;
            evaluate(subject.make().as_mut(), &problem, subject.outputs())
        });
        match (answer, &first) {
            (Err(error), _) => return error.into(),
            (Ok(answer), None) => first = Some(answer),
            (Ok(answer), Some(first)) if !is_other(&answer, first) => {}
            (Ok(_), Some(_)) => messages.push(format!("{count} threads gave other bits than 1 thread")),
        }
    }
    Outcome::of(messages)
}

/// Requesting fewer outputs does not change the others: not by a bit if the backend is deterministic, otherwise not
/// beyond the bounds.
fn fewer_outputs<T: Element>(subject: &Subject<'_, T>, owned: &OwnedProblem<T>) -> Outcome {
    let deterministic = subject.make().descriptor().deterministic;
    let attempt = || -> Result<Vec<String>, Error> {
        let problem = owned.problem()?;
        let whole = subject.outputs();
        let (evaluation, all) = evaluate(subject.make().as_mut(), &problem, whole)?;
        let mut messages = Vec::new();
        let singles = whole.iter().map(|kind| OutputSet::NONE.with(kind));
        let missing = whole.iter().map(|kind| whole.without(kind));
        for set in [OutputSet::NONE].into_iter().chain(singles).chain(missing) {
            let (fewer_evaluation, fewer) = evaluate(subject.make().as_mut(), &problem, set)?;
            if deterministic {
                let differ = differing(&fewer, &all).into_iter().any(|kind| set.contains(kind));
                if differ || fewer_evaluation != evaluation {
                    messages.push(format!(
                        "with only {:?} asked for the bits change",
                        set.iter().collect::<Vec<_>>()
                    ));
                }
            } else {
                let merged = merge(&fewer, &all);
                if let Outcome::Failed(faults) = judge_answer(&problem, whole, &fewer_evaluation, &merged) {
                    messages.extend(faults.into_iter().map(|fault| fault.message));
                }
            }
        }
        Ok(messages)
    };
    Outcome::of_calls(attempt)
}

/// `fewer`, with its missing outputs taken from `all`.
fn merge<T: Element>(fewer: &OwnedOutputs<T>, all: &OwnedOutputs<T>) -> OwnedOutputs<T> {
    let (fewer, all) = (fewer.clone(), all.clone());
    OwnedOutputs {
        weights_gradient: fewer.weights_gradient.or(all.weights_gradient),
        features_gradient: fewer.features_gradient.or(all.features_gradient),
        bias_gradient: fewer.bias_gradient.or(all.bias_gradient),
        sample_losses: fewer.sample_losses.or(all.sample_losses),
        log_sum_exp: fewer.log_sum_exp.or(all.log_sum_exp),
        predicted: fewer.predicted.or(all.predicted),
        entropy: fewer.entropy.or(all.entropy),
        label_log_prob: fewer.label_log_prob.or(all.label_log_prob),
        label_rank: fewer.label_rank.or(all.label_rank),
        top_classes: fewer.top_classes.or(all.top_classes),
        top_log_prob: fewer.top_log_prob.or(all.top_log_prob),
    }
}

/// Gradients are written to strided views. The memory between their entries must not change.
fn writes_only_its_outputs<T: Element>(subject: &Subject<'_, T>, owned: &OwnedProblem<T>) -> Outcome {
    let sentinel = T::narrow(-12345.0);
    let attempt = || -> Result<Vec<String>, Error> {
        let problem = owned.problem()?;
        let set = subject.outputs();
        let (evaluation, mut outputs) = evaluate(subject.make().as_mut(), &problem, set)?;
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let mut dw = Array2::from_elem((2 * d + 1, 3 * c + 2), sentinel);
        let mut dx = Array2::from_elem((2 * n + 1, 3 * d + 2), sentinel);
        let every = |array: &mut Array2<T>,
                     write: &mut dyn FnMut(softmax_core::ndarray::ArrayViewMut2<'_, T>)| {
            let mut view = array.view_mut();
            view.slice_axis_inplace(Axis(0), Slice::new(1, None, 2));
            view.slice_axis_inplace(Axis(1), Slice::new(2, None, 3));
            write(view);
        };
        let mut result = Err(Error::NoClasses);
        every(&mut dw, &mut |dw_view| {
            let mut dw_view = Some(dw_view);
            every(&mut dx, &mut |dx_view| {
                let mut views = Outputs {
                    weights_gradient: dw_view.take(),
                    features_gradient: Some(dx_view),
                    ..Outputs::default()
                };
                result = subject.make().evaluate(&problem, &mut views);
            });
        });
        result?;
        let mut messages = Vec::new();
        for (name, array, out) in
            [("dW", &mut dw, &mut outputs.weights_gradient), ("dX", &mut dx, &mut outputs.features_gradient)]
        {
            let written = array.slice_axis(Axis(0), Slice::new(1, None, 2));
            let written = written.slice_axis(Axis(1), Slice::new(2, None, 3)).to_owned();
            *out = Some(written);
            every(array, &mut |mut view| view.fill(sentinel));
            if array.iter().any(|&x| x != sentinel) {
                messages.push(format!("something was written outside the view of {name}"));
            }
        }
        if let Outcome::Failed(faults) = judge_answer(&problem, set, &evaluation, &outputs) {
            messages.extend(faults.into_iter().map(|fault| fault.message));
        }
        Ok(messages)
    };
    Outcome::of_calls(attempt)
}
