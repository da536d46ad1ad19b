//! Hessian-vector products, if a backend has them, against finite differences of the oracle's gradients.

use super::all_cases::cases;
use crate::case::{Case, converted};
use crate::generator::Generator;
use crate::hessian::derivative_along;
use crate::layout::{LAYOUTS, Layout, Placed};
use crate::oracle::reference;
use crate::test::{Outcome, Subject, Test};
use softmax_core::ndarray::{Array1, Array2, Axis};
use softmax_core::{
    Dtype, Element, Error, Feature, HessianVectorProduct, OutputKind, OutputSet, OwnedProblem, OwnedTargets,
};

/// Step through the cases that cross all options.
const EVERY: usize = 6;

/// Shapes around the sizes of vectors and tiles.
const SHAPES: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (5, 7, 2),
    (60, 8, 10),
    (61, 3, 16),
    (33, 20, 17),
    (130, 5, 9),
    (9, 12, 64),
    (7, 33, 65),
    (12, 9, 130),
    (5, 4, 300),
    (0, 3, 4),
    (4, 0, 5),
];

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut g = Generator::new(61);
    let options = cases().into_iter().filter(|case| case.name.starts_with("options/")).step_by(EVERY);
    let mut problems: Vec<Case> =
        options.map(|case| Case { name: case.name.replace('/', "-"), ..case }).collect();
    for (n, d, c) in SHAPES {
        problems.push(Case::new(format!("plain-{n}x{d}x{c}"), g.problem(n, d, c)));
        let choices = g.choices();
        let problem = g.problem_with(n, d, c, choices);
        problems.push(Case::new(format!("{n}x{d}x{c}{}", choices.describe()), problem));
    }
    problems.push(Case::new("ignored-nan", ignored_nan(&mut g)));
    problems.push(Case::new("no-targets-l2", without_targets(&mut g)));
    let mut tests = Vec::new();
    for (k, case) in problems.into_iter().enumerate() {
        let (direction, product) = (LAYOUTS[k % LAYOUTS.len()], LAYOUTS[k / 3 % LAYOUTS.len()]);
        let name = format!("hessian/{}-v-{}-hv-{}", case.name, direction.name, product.name);
        tests.push(Test::new(name, move |subject: &Subject<'_, T>| {
            where_there_is_one(subject, || judge(subject, &case, direction, product))
        }));
    }
    tests.push(Test::new("hessian/refuses-wrong-shapes", |subject: &Subject<'_, T>| {
        where_there_is_one(subject, || refuses_wrong_shapes(subject))
    }));
    tests
}

/// Runs `test` if the backend has Hessian-vector products.
fn where_there_is_one<T: Element>(subject: &Subject<'_, T>, test: impl FnOnce() -> Outcome) -> Outcome {
    match subject.make().hessian() {
        Some(_) => test(),
        None => Outcome::NotApplicable("the backend has no second derivative".to_owned()),
    }
}

/// A problem whose ignored samples hold NaN.
fn ignored_nan(g: &mut Generator) -> OwnedProblem<f64> {
    let mut problem = g.problem(9, 5, 6);
    problem.objective.ignore_index = Some(-100);
    if let OwnedTargets::Labels(labels) = &mut problem.targets {
        labels.iter_mut().step_by(2).for_each(|y| *y = -100);
    }
    problem.features.rows_mut().into_iter().step_by(2).for_each(|mut row| row.fill(f64::NAN));
    problem
}

/// A problem without targets. The penalty is part of the loss, and there is no loss to differentiate.
fn without_targets(g: &mut Generator) -> OwnedProblem<f64> {
    let mut problem = g.problem(6, 4, 5);
    problem.objective.l2 = 0.5;
    OwnedProblem { targets: OwnedTargets::None, ..problem }
}

/// The admissible error, relative to the largest entry of H·V: roundoff that propagates through derivatives at scores
/// of a few units, and in f64 also the truncation error of the differences.
fn tolerance(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => 2e-4,
        Dtype::F64 => 1e-8,
    }
}

/// Sentinel between the entries of the product.
const SENTINEL: f64 = -12345.0;

fn judge<T: Element>(subject: &Subject<'_, T>, case: &Case, direction: Layout, product: Layout) -> Outcome {
    Outcome::of_calls(|| {
        let owned = case.narrowed::<T>();
        let (d, c) = owned.weights.dim();
        let v = Generator::new((d + c) as u64).matrix(d, c, -1.0, 1.0).mapv(T::narrow);
        let placed = Placed::new(&v, direction, T::nan());
        let sentinel = T::narrow(SENTINEL);
        let mut found = Placed::new(&Array2::from_elem((d, c), T::nan()), product, sentinel);
        let mut backend = subject.make();
        let hessian = backend.hessian().expect("asked before");
        hessian.hessian_vector_product(&owned.problem()?, placed.view(), found.view_mut())?;
        let mut messages = Vec::new();
        if !found.is_intact(sentinel) {
            messages.push("something was written outside the view of the product".to_owned());
        }
        let widened = converted(&owned, T::widen);
        let expected = derivative_along(&widened, (&v.mapv(T::widen), None), oracle_gradient)?;
        messages.extend(worst::<T>(&expected, &found.view().mapv(T::widen)));
        messages.extend(judge_with_bias(hessian, &owned)?);
        Ok(messages)
    })
}

/// Checks H·(V, v), with v stacked as a last row, if the backend supports it. Returns a message if it is wrong.
fn judge_with_bias<T: Element>(
    hessian: &mut dyn HessianVectorProduct<T>,
    owned: &OwnedProblem<T>,
) -> Result<Option<String>, Error> {
    let (d, c) = owned.weights.dim();
    let mut g = Generator::new((d + c) as u64);
    let v = g.matrix(d, c, -1.0, 1.0).mapv(T::narrow);
    let bias = g.matrix(1, c, -1.0, 1.0).mapv(T::narrow).remove_axis(Axis(0));
    let (mut of_weights, mut of_bias) = (Array2::from_elem((d, c), T::nan()), Array1::from_elem(c, T::nan()));
    let product = hessian.hessian_vector_product_with_bias(
        &owned.problem()?,
        (v.view(), bias.view()),
        (of_weights.view_mut(), of_bias.view_mut()),
    );
    match product {
        Err(Error::Unsupported { feature: Feature::Bias, .. }) => return Ok(None),
        other => other?,
    }
    let widened = converted(owned, T::widen);
    let direction = (&v.mapv(T::widen), Some(&bias.mapv(T::widen)));
    let expected = derivative_along(&widened, direction, |moved| {
        Ok(stacked(oracle_gradient(moved)?, oracle_bias_gradient(moved)?))
    })?;
    let found = stacked(of_weights.mapv(T::widen), of_bias.mapv(T::widen));
    Ok(worst::<T>(&expected, &found).map(|message| format!("with a bias: {message}")))
}

fn stacked(mut weights: Array2<f64>, bias: Array1<f64>) -> Array2<f64> {
    weights.push_row(bias.view()).expect("a number for each class");
    weights
}

/// A message about the entry with the largest error, if that exceeds the tolerance.
fn worst<T: Element>(expected: &Array2<f64>, found: &Array2<f64>) -> Option<String> {
    let largest = expected.iter().fold(1e-3, |max: f64, h| max.max(h.abs()));
    let admissible = tolerance(T::DTYPE) * largest;
    let error = |expected: f64, found: f64| (expected - found).abs();
    // NaN is right where NaN is expected.
    let wrong = expected.indexed_iter().zip(found).filter(|&((_, &expected), &found)| {
        error(expected, found) > admissible || expected.is_nan() != found.is_nan()
    });
    let worst = wrong.max_by(|a, b| error(*a.0.1, *a.1).total_cmp(&error(*b.0.1, *b.1)));
    worst.map(|(((k, c), expected), found)| {
        format!(
            "H·V at [{k}, {c}]: expected {expected:e}, found {found:e}, with a tolerance of {admissible:.1e}"
        )
    })
}

/// The oracle's db.
fn oracle_bias_gradient(owned: &OwnedProblem<f64>) -> Result<Array1<f64>, Error> {
    let set = OutputSet::NONE.with(OutputKind::BiasGradient);
    let mut outputs = reference(&owned.problem()?, set).outputs;
    let (_, gradient) = outputs.pop().expect("it was asked for");
    Ok(gradient.values.into_dimensionality().expect("a vector"))
}

/// The oracle's dW.
fn oracle_gradient(owned: &OwnedProblem<f64>) -> Result<Array2<f64>, Error> {
    let set = OutputSet::NONE.with(OutputKind::WeightsGradient);
    let mut outputs = reference(&owned.problem()?, set).outputs;
    let (_, gradient) = outputs.pop().expect("it was asked for");
    Ok(gradient.values.into_dimensionality().expect("a matrix"))
}

fn refuses_wrong_shapes<T: Element>(subject: &Subject<'_, T>) -> Outcome {
    let (d, c) = (6, 9);
    let owned = Case::new("", Generator::new(62).problem(8, d, c)).narrowed::<T>();
    Outcome::of_calls(|| {
        let problem = owned.problem()?;
        let mut backend = subject.make();
        let hessian = backend.hessian().expect("asked before");
        let mut messages = Vec::new();
        for wrong in [(d + 1, c), (d, c + 1), (d - 1, c), (d, c - 1), (c, d), (1, c), (d, 1), (2 * d, 2 * c)]
        {
            for (v, hv) in [(wrong, (d, c)), ((d, c), wrong)] {
                let direction = Array2::zeros(v);
                let mut product = Array2::zeros(hv);
                match hessian.hessian_vector_product(&problem, direction.view(), product.view_mut()) {
                    Err(Error::Shape { .. }) => {}
                    Err(error) => messages
                        .push(format!("V of {v:?}, H·V of {hv:?}: expected a shape error, found {error}")),
                    Ok(()) => messages
                        .push(format!("V of {v:?}, H·V of {hv:?}: expected a shape error, found an answer")),
                }
            }
        }
        Ok(messages)
    })
}
