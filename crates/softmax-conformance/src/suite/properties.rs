//! Properties that the loss has for any numbers, tested on random problems that are shrunk on failure.

use crate::case::Case;
use crate::generator::Generator;
use crate::oracle::{Expected, reference};
use crate::test::{Outcome, Subject, Test, evaluate};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use softmax_core::ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};
use softmax_core::{Element, Error, Evaluation, OwnedOutputs, OwnedProblem, OwnedTargets, Reduction};

/// Random problems per property.
const CASES: u32 = 24;

/// The parameters of a random problem, which proptest shrinks.
#[derive(Clone, Debug)]
struct Recipe {
    n: usize,
    d: usize,
    c: usize,
    seed: u64,
    /// Whether the problem has a bias, class weights, sample weights and possibly label smoothing.
    options: bool,
}

fn recipes(options: bool) -> impl Strategy<Value = Recipe> {
    (1usize..20, 1usize..12, 1usize..12, 0u64..1 << 32).prop_map(move |(n, d, c, seed)| Recipe {
        n,
        d,
        c,
        seed,
        options,
    })
}

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let properties: [(&str, Property<T>); 10] = [
        ("shift-of-scores-changes-nothing", shift_of_scores),
        ("score-gradients-sum-to-zero", score_gradients_sum_to_zero),
        ("samples-permute", samples_permute),
        ("classes-permute", classes_permute),
        ("twice-is-weight-two", twice_is_weight_two),
        ("sum-is-mean-times-weight", sum_is_mean_times_weight),
        ("one-hot-is-hard", one_hot_is_hard),
        ("convex-along-lines", convex_along_lines),
        ("descent-never-rises", descent_never_rises),
        ("gradient-is-the-slope", gradient_is_the_slope),
    ];
    properties
        .into_iter()
        .flat_map(|(name, property)| [(name, "", property), (name, "-options", property)])
        .map(|(name, suffix, property)| {
            let name = format!("properties/{name}{suffix}");
            Test::new(name, move |s: &Subject<'_, T>| run(s, property, !suffix.is_empty()))
        })
        .collect()
}

type Property<T> = fn(&Subject<'_, T>, &Recipe) -> Result<(), Fault>;

/// Why a property does not hold, or could not be tried.
enum Fault {
    Broken(String),
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Error(error)
    }
}

fn run<T: Element>(subject: &Subject<'_, T>, property: Property<T>, options: bool) -> Outcome {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    // A fixed seed: the same problems on every machine and in every run.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let unsupported = std::cell::RefCell::new(None);
    let result = runner.run(&recipes(options), |recipe| match property(subject, &recipe) {
        Ok(()) => Ok(()),
        Err(Fault::Error(Error::Unsupported { feature, .. })) => {
            *unsupported.borrow_mut() = Some(feature);
            Ok(())
        }
        Err(Fault::Error(error)) => Err(TestCaseError::fail(error.to_string())),
        Err(Fault::Broken(message)) => Err(TestCaseError::fail(message)),
    });
    match (result, unsupported.into_inner()) {
        (Err(TestError::Fail(message, recipe)), _) => Outcome::of(vec![format!("{message}, for {recipe:?}")]),
        (Err(TestError::Abort(message)), _) => Outcome::of(vec![message.to_string()]),
        (Ok(()), Some(feature)) => Outcome::Unsupported(feature),
        (Ok(()), None) => Outcome::Passed(Vec::new()),
    }
}

/// A random problem whose numbers are multiples of 1/64, so that they and small sums of them are exact in f32.
fn random<T: Element>(recipe: &Recipe) -> (OwnedProblem<T>, Generator) {
    let mut g = Generator::new(recipe.seed);
    let (n, d, c) = (recipe.n, recipe.d, recipe.c);
    let mut problem = g.problem(n, d, c);
    if recipe.options {
        problem.bias = Some(g.vector(c, -1.0, 1.0));
        problem.class_weights = Some(g.vector(c, 0.25, 2.0));
        problem.sample_weights = Some(g.vector(n, 0.25, 2.0));
        problem.objective.label_smoothing = [0.0, 0.125][g.below(2)];
    }
    let dyadic = |x: f64| (x * 64.0).round() / 64.0;
    problem.features.mapv_inplace(dyadic);
    problem.weights.mapv_inplace(dyadic);
    for vector in
        [&mut problem.bias, &mut problem.class_weights, &mut problem.sample_weights].into_iter().flatten()
    {
        vector.mapv_inplace(dyadic);
    }
    (Case::new("", problem).narrowed(), g)
}

/// A backend's answer, and the oracle's bounds.
struct Answer<T> {
    evaluation: Evaluation,
    outputs: OwnedOutputs<T>,
    loss_bound: f64,
    bounds: Vec<Expected>,
}

impl<T: Element> Answer<T> {
    fn new(subject: &Subject<'_, T>, owned: &OwnedProblem<T>) -> Result<Self, Error> {
        let problem = owned.problem()?;
        let set = subject.outputs();
        let (evaluation, outputs) = evaluate(subject.make().as_mut(), &problem, set)?;
        let reference = reference(&problem, set);
        let loss_bound = reference.loss.bounds.sum();
        let bounds = reference.outputs.into_iter().map(|(_, expected)| expected).collect();
        Ok(Answer { evaluation, outputs, loss_bound, bounds })
    }

    /// dW, with the admissible error of each entry.
    fn weights_gradient(&self) -> impl Fn(usize, usize) -> (f64, f64) + '_ {
        let dw = self.outputs.weights_gradient.as_ref().expect("all outputs are asked for");
        move |k, c| (dw[[k, c]].widen(), self.bounds[0].bounds[[k, c]])
    }
}

/// Requires that two values, each within its bound of the same exact number, agree.
fn require(what: &str, (a, a_bound): (f64, f64), (b, b_bound): (f64, f64)) -> Result<(), Fault> {
    // f64 rounding, since callers scale the two sides.
    let slack = 8.0 * f64::EPSILON * (a.abs() + b.abs());
    if (a - b).abs() <= a_bound + b_bound + slack {
        return Ok(());
    }
    let bound = a_bound + b_bound;
    Err(Fault::Broken(format!("{what}: {a:e} and {b:e} are not within {bound:.1e} of each other")))
}

fn require_same_loss<T>(a: &Answer<T>, b: &Answer<T>) -> Result<(), Fault> {
    require("loss", (a.evaluation.loss, a.loss_bound), (b.evaluation.loss, b.loss_bound))
}

/// Requires that entry (k, c) of dW in `a` agrees with entry (k, `class`(c)) in `b`.
fn require_same_gradient<T: Element>(
    a: &Answer<T>,
    b: &Answer<T>,
    class: impl Fn(usize) -> usize,
) -> Result<(), Fault> {
    let (left, right) = (a.weights_gradient(), b.weights_gradient());
    let shape = a.bounds[0].bounds.shape();
    for k in 0..shape[0] {
        for c in 0..shape[1] {
            let what = format!("weights gradient at [{k}, {c}]");
            require(&what, left(k, c), right(k, class(c)))?;
        }
    }
    Ok(())
}

fn shift_of_scores<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    // A constant feature of 1 adds its row of W to the scores of every sample.
    let (mut problem, mut g) = random::<T>(recipe);
    problem.features = concatenate![Axis(1), problem.features, Array2::ones((recipe.n, 1))];
    problem.weights = concatenate![Axis(0), problem.weights, Array2::zeros((1, recipe.c))];
    let mut shifted = problem.clone();
    shifted.weights.row_mut(recipe.d).fill(T::narrow(g.number(-20.0, 20.0).round()));
    let (a, b) = (Answer::new(subject, &problem)?, Answer::new(subject, &shifted)?);
    require_same_loss(&a, &b)?;
    require_same_gradient(&a, &b, |c| c)
}

fn score_gradients_sum_to_zero<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    // With the identity as features, dW is ∂loss/∂S.
    let (mut problem, mut g) = random::<T>(recipe);
    problem.features = Array2::eye(recipe.n);
    problem.weights = g.matrix(recipe.n, recipe.c, -2.0, 2.0).mapv(T::narrow);
    let answer = Answer::new(subject, &problem)?;
    let gradient = answer.weights_gradient();
    for i in 0..recipe.n {
        let entries = (0..recipe.c).map(|c| gradient(i, c));
        let (sum, bound) = entries.fold((0.0, 0.0), |(sum, bound), (g, e)| (sum + g, bound + e));
        require(&format!("sum of row {i}"), (sum, bound), (0.0, 0.0))?;
    }
    Ok(())
}

fn permutation(g: &mut Generator, length: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    for i in (1..length).rev() {
        order.swap(i, g.below(i + 1));
    }
    order
}

fn labels<T>(problem: &OwnedProblem<T>) -> &Array1<i64> {
    match &problem.targets {
        OwnedTargets::Labels(labels) => labels,
        OwnedTargets::Soft(_) | OwnedTargets::None => unreachable!("random problems have labels"),
    }
}

fn samples_permute<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (problem, mut g) = random::<T>(recipe);
    let order = permutation(&mut g, recipe.n);
    let permuted = OwnedProblem {
        features: problem.features.select(Axis(0), &order),
        targets: OwnedTargets::Labels(labels(&problem).select(Axis(0), &order)),
        sample_weights: problem.sample_weights.as_ref().map(|u| u.select(Axis(0), &order)),
        ..problem.clone()
    };
    let (a, b) = (Answer::new(subject, &problem)?, Answer::new(subject, &permuted)?);
    require_same_loss(&a, &b)?;
    require_same_gradient(&a, &b, |c| c)
}

fn classes_permute<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (problem, mut g) = random::<T>(recipe);
    let order = permutation(&mut g, recipe.c);
    let mut place = vec![0; recipe.c];
    order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
    let permuted = OwnedProblem {
        weights: problem.weights.select(Axis(1), &order),
        targets: OwnedTargets::Labels(labels(&problem).mapv(|y| place[y as usize] as i64)),
        bias: problem.bias.as_ref().map(|b| b.select(Axis(0), &order)),
        class_weights: problem.class_weights.as_ref().map(|w| w.select(Axis(0), &order)),
        ..problem.clone()
    };
    let (a, b) = (Answer::new(subject, &problem)?, Answer::new(subject, &permuted)?);
    require_same_loss(&a, &b)?;
    require_same_gradient(&a, &b, |c| place[c])
}

fn twice_is_weight_two<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (mut problem, mut g) = random::<T>(recipe);
    problem.sample_weights = None;
    let chosen = g.below(recipe.n);
    let mut order: Vec<usize> = (0..recipe.n).collect();
    order.push(chosen);
    let twice = OwnedProblem {
        features: concatenate![Axis(0), problem.features, problem.features.select(Axis(0), &[chosen])],
        targets: OwnedTargets::Labels(labels(&problem).select(Axis(0), &order)),
        ..problem.clone()
    };
    let mut weights = Array1::ones(recipe.n);
    weights[chosen] = T::one() + T::one();
    problem.sample_weights = Some(weights);
    let (a, b) = (Answer::new(subject, &problem)?, Answer::new(subject, &twice)?);
    require_same_loss(&a, &b)?;
    require_same_gradient(&a, &b, |c| c)
}

fn sum_is_mean_times_weight<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (mean, _) = random::<T>(recipe);
    let mut sum = mean.clone();
    sum.objective.reduction = Reduction::Sum;
    let (a, b) = (Answer::new(subject, &mean)?, Answer::new(subject, &sum)?);
    let omega = a.evaluation.total_weight;
    require("loss", (a.evaluation.loss * omega, a.loss_bound * omega), (b.evaluation.loss, b.loss_bound))?;
    let (left, right) = (a.weights_gradient(), b.weights_gradient());
    for k in 0..recipe.d {
        for c in 0..recipe.c {
            let (g, e) = left(k, c);
            let what = format!("weights gradient at [{k}, {c}]");
            require(&what, (g * omega, e * omega), right(k, c))?;
        }
    }
    Ok(())
}

fn one_hot_is_hard<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    // Under the mean the two have different total weights, as in PyTorch.
    let (mut hard, _) = random::<T>(recipe);
    hard.objective.reduction = Reduction::Sum;
    let mut one_hot = Array2::zeros((recipe.n, recipe.c));
    labels(&hard).indexed_iter().for_each(|(i, &y)| one_hot[[i, y as usize]] = T::one());
    let soft = OwnedProblem { targets: OwnedTargets::Soft(one_hot), ..hard.clone() };
    let (a, b) = (Answer::new(subject, &hard)?, Answer::new(subject, &soft)?);
    require_same_loss(&a, &b)?;
    require_same_gradient(&a, &b, |c| c)
}

fn convex_along_lines<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (start, mut g) = random::<T>(recipe);
    let mut end = start.clone();
    let half = T::narrow(0.5);
    // The step is a multiple of 1/32, so that the midpoint is exact.
    let step = g.matrix(recipe.d, recipe.c, -64.0, 64.0).mapv(|x| T::narrow(x.round() / 32.0));
    end.weights += &step;
    let mut middle = start.clone();
    middle.weights.scaled_add(half, &step);
    let [a, b, m] = [&start, &end, &middle].map(|problem| Answer::new(subject, problem));
    let (a, b, m) = (a?, b?, m?);
    let (chord, bound) =
        ((a.evaluation.loss + b.evaluation.loss) / 2.0, a.loss_bound + b.loss_bound + m.loss_bound);
    if m.evaluation.loss <= chord + bound {
        return Ok(());
    }
    Err(Fault::Broken(format!("the loss between, {:e}, is above the chord, {chord:e}", m.evaluation.loss)))
}

/// 1/L, where L is an upper bound of the curvature of the summed loss: half the weighted sum of ‖x‖².
fn safe_step<T: Element>(problem: &OwnedProblem<T>) -> f64 {
    let weight = |i: usize| {
        let class_weight =
            problem.class_weights.as_ref().map_or(1.0, |w| w.iter().map(|w| w.widen()).fold(0.0, f64::max));
        problem.sample_weights.as_ref().map_or(1.0, |u| u[i].widen()) * class_weight
    };
    let squares = problem
        .features
        .rows()
        .into_iter()
        .enumerate()
        .map(|(i, x)| weight(i) * x.iter().map(|x| x.widen() * x.widen()).sum::<f64>());
    2.0 / squares.sum::<f64>().max(1e-3)
}

fn descent_never_rises<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (mut problem, _) = random::<T>(recipe);
    let mut step = safe_step(&problem);
    if recipe.options {
        problem.objective.reduction = Reduction::Sum;
    } else {
        step *= recipe.n as f64;
    }
    let step = T::narrow(step);
    let mut last: Option<Answer<T>> = None;
    for _ in 0..6 {
        let answer = Answer::new(subject, &problem)?;
        if let Some(last) = &last {
            let (before, after) = (last.evaluation.loss, answer.evaluation.loss);
            if after.is_nan() || after > before + last.loss_bound + answer.loss_bound {
                return Err(Fault::Broken(format!(
                    "a step of 1/L raised the loss from {before:e} to {after:e}"
                )));
            }
        }
        let dw = answer.outputs.weights_gradient.as_ref().expect("all outputs are asked for");
        problem.weights.scaled_add(-step, dw);
        last = Some(answer);
    }
    Ok(())
}

fn gradient_is_the_slope<T: Element>(subject: &Subject<'_, T>, recipe: &Recipe) -> Result<(), Fault> {
    let (problem, mut g) = random::<T>(recipe);
    // A power of two, near the cube root of the roundoff, where truncation and rounding balance.
    let h = match T::DTYPE {
        softmax_core::Dtype::F32 => 1.0 / 128.0,
        softmax_core::Dtype::F64 => 1.0 / 65536.0,
    };
    let direction = g.matrix(recipe.d, recipe.c, -1.0, 1.0).mapv(|x| T::narrow((x * 8.0).round() / 8.0));
    let at = |sign: f64| {
        let mut moved = problem.clone();
        moved.weights.scaled_add(T::narrow(sign * h), &direction);
        Answer::new(subject, &moved)
    };
    let (before, here, after) = (at(-1.0)?, Answer::new(subject, &problem)?, at(1.0)?);
    let slope = (after.evaluation.loss - before.evaluation.loss) / (2.0 * h);
    let dw = here.weights_gradient();
    let (mut product, mut bound) = (0.0, 0.0);
    for ((k, c), v) in direction.indexed_iter() {
        let (gradient, error) = dw(k, c);
        product += gradient * v.widen();
        bound += error * v.widen().abs();
    }
    // |f'''| ≤ 2·r³ per sample, where r is the range of the change of its scores, averaged with weights of at most 2·2.
    let change = |x: ArrayView1<'_, T>, v: ArrayView1<'_, T>| -> f64 {
        x.iter().zip(v).map(|(x, v)| x.widen() * v.widen()).sum()
    };
    let range = |x| direction.columns().into_iter().map(|v| change(x, v).abs()).fold(0.0, f64::max);
    let third: f64 = problem.features.rows().into_iter().map(|x| range(x).powi(3)).sum();
    let truncation = h * h * 16.0 * 4.0 * third;
    require(
        "slope along a direction",
        (slope, (before.loss_bound + after.loss_bound) / h + truncation),
        (product, bound),
    )
}
