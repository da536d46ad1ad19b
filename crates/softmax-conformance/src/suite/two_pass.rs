//! Two passes, if a backend has them: small cases with their classes in shards, gradients with coefficients of losses,
//! entropies and lse against the oracle, and shards that change no bit.

use super::{bits, rows};
use crate::case::Case;
use crate::check::differing;
use crate::combination::{BEFORE, accumulate};
use crate::generator::{CHOICES, Choices, Generator};
use crate::oracle::{Coefficients, Reference, upstream_reference};
use crate::test::{Outcome, Subject, Test, evaluate, given, judge_against};
use softmax_core::ndarray::{Array1, Array2, Axis, Slice};
use softmax_core::{
    ArrayName, Element, Error, Feature, Features, InShards, OutputKind, OutputSet, Outputs, OwnedOutputs,
    OwnedProblem, OwnedTargets, Problem, Result, RowStatistics, Setting, SoftmaxBackend, TwoPass, Upstream,
};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// How the classes are cut into shards.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Into this number of shards of about equal size.
    Count(usize),
    /// Into shards of this number of classes; the last has the remaining ones.
    Size(usize),
}

const CUTS: [Cut; 7] =
    [Cut::Count(1), Cut::Count(2), Cut::Size(5), Cut::Count(3), Cut::Count(7), Cut::Size(1), Cut::Size(16)];

impl Cut {
    fn name(self) -> String {
        match self {
            Cut::Count(count) => format!("{count}-shards"),
            Cut::Size(size) => format!("shards-of-{size}"),
        }
    }

    fn of<B>(self, backend: B) -> InShards<B> {
        match self {
            Cut::Count(count) => InShards::new(backend, count),
            Cut::Size(size) => InShards::of_size(backend, size),
        }
    }
}

/// Shapes of the problems with coefficients: around the sizes of vectors, tiles and groups, with few and many classes.
const SHAPES: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (5, 7, 2),
    (33, 20, 17),
    (61, 8, 10),
    (9, 12, 64),
    (7, 33, 65),
    (130, 5, 9),
    (12, 9, 300),
    (200, 6, 130),
    (3, 4, 600),
];

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    let mut g = Generator::new(71);
    for (k, (n, d, c)) in SHAPES.into_iter().cycle().take(6 * SHAPES.len()).enumerate() {
        let choices = if k < SHAPES.len() { Choices([0; CHOICES.len()]) } else { g.choices() };
        let (cut, asked) = (CUTS[k * 3 % CUTS.len()], Asked::of(k));
        let mut problem = g.problem_with(n, d, c, choices);
        let has_targets = k % 7 != 3;
        if !has_targets {
            problem.targets = OwnedTargets::None;
        }
        let size =
            format!("{n}x{d}x{c}{}{}", choices.describe(), if has_targets { "" } else { "-no-targets" });
        let name = format!("two-pass/upstream/{k:02}-{size}-{}-{}", cut.name(), asked.name());
        tests.push(of_upstream(Case::new(name, problem), cut, asked));
    }
    for (k, case) in hard_cases().into_iter().enumerate() {
        let (cut, asked) = (CUTS[k % CUTS.len()], Asked { entropy: true, ..Asked::of(k) });
        let name = format!("two-pass/upstream/{}-{}-{}", case.name, cut.name(), asked.name());
        tests.push(of_upstream(Case { name, ..case }, cut, asked));
    }
    for (n, d, c, has_options) in [(37, 50, 1031, false), (205, 17, 700, true), (400, 9, 300, false)] {
        let options = if has_options { "-options" } else { "" };
        let name = format!("behaviour/shards-{n}x{d}x{c}{options}");
        tests.push(Test::new(name, move |subject: &Subject<'_, T>| {
            same_in_shards(subject, &Case::new("", bits::problem(n, d, c, has_options)))
        }));
    }
    for test in rows::tests::<T>().into_iter().filter(|test| test.name().ends_with("-10")) {
        tests.push(wrapped(Cut::Count(3), test));
    }
    tests.push(Test::new("two-pass/class-weights-in-some-shards", |subject: &Subject<'_, T>| {
        where_there_are(subject, || class_weights_in_some_shards(subject).unwrap_or_else(Outcome::from))
    }));
    tests.push(Test::new("two-pass/refuses-what-does-not-fit", |subject: &Subject<'_, T>| {
        where_there_are(subject, || refusals(subject))
    }));
    for case in hard_cases() {
        let expected = Arc::default();
        tests.extend((0..CUTS.len()).map(|k| in_shards(k, case.clone(), Arc::clone(&expected))));
    }
    tests
}

/// A test of a case with coefficients of its losses, entropies and lse.
fn of_upstream<T: Element>(case: Case, cut: Cut, asked: Asked) -> Test<T> {
    Test::new(case.name.clone(), move |subject: &Subject<'_, T>| {
        where_there_are(subject, || judge_upstream(subject, &case, cut, asked).unwrap_or_else(Outcome::from))
    })
}

/// Whether a case also runs in shards. Large cases do not: they test the block sizes of kernels.
pub(super) fn is_small(case: &Case) -> bool {
    let ((n, d), c) = (case.problem.features.dim(), case.problem.weights.ncols());
    n * (d + 20) * c <= 100_000
}

/// A test of a case with its classes in shards. `k` selects the cut. The expected answer is the one without shards.
pub(super) fn in_shards<T: Element>(k: usize, case: Case, expected: Arc<OnceLock<Reference>>) -> Test<T> {
    let cut = CUTS[k % CUTS.len()];
    let name = format!("two-pass/{}/{}", cut.name(), case.name);
    in_cut(cut, name, Test::of_case(case, expected))
}

/// Another test, with the classes in shards.
fn wrapped<T: Element>(cut: Cut, test: Test<T>) -> Test<T> {
    in_cut(cut, format!("two-pass/{}/{}", cut.name(), test.name()), test)
}

fn in_cut<T: Element>(cut: Cut, name: String, test: Test<T>) -> Test<T> {
    Test::new(name, move |subject: &Subject<'_, T>| {
        where_there_are(subject, || {
            let factory = || Box::new(cut.of(subject.make())) as Box<dyn SoftmaxBackend<T>>;
            test.run(&Subject { factory: &factory })
        })
    })
}

fn where_there_are<T: Element>(subject: &Subject<'_, T>, test: impl FnOnce() -> Outcome) -> Outcome {
    match subject.make().two_pass() {
        Some(_) => test(),
        None => Outcome::NotApplicable("the backend has no two passes".to_owned()),
    }
}

/// Shards without labels, fully masked shards, maxima that are far apart, and NaN.
fn hard_cases() -> Vec<Case> {
    let mut g = Generator::new(72);
    let mut cases = Vec::new();
    for masked in [0..5, 5..10, 10..15, 5..15, 0..14] {
        for soft in [false, true] {
            let mut problem = g.problem(9, 4, 15);
            let mut bias = g.vector(15, -1.0, 1.0);
            bias.slice_axis_mut(Axis(0), Slice::from(masked.clone())).fill(f64::NEG_INFINITY);
            let open: Vec<usize> = (0..15).filter(|c| !masked.contains(c)).collect();
            problem.targets = if soft {
                let mut targets = g.matrix(9, 15, 0.0, 1.0);
                targets.slice_axis_mut(Axis(1), Slice::from(masked.clone())).fill(0.0);
                OwnedTargets::Soft(targets)
            } else {
                OwnedTargets::Labels(Array1::from_shape_fn(9, |i| open[i % open.len()] as i64))
            };
            problem.bias = Some(bias);
            let kind = if soft { "soft" } else { "labels" };
            cases.push(Case::new(format!("masked-{}-to-{}-{kind}", masked.start, masked.end), problem));
        }
    }
    for margin in [30.0, 80.0, 300.0] {
        let mut problem = g.problem(12, 3, 20);
        problem.bias = Some(Array1::from_shape_fn(20, |c| margin * (c / 7) as f64));
        problem.objective.label_smoothing = 0.1;
        cases.push(Case::new(format!("margins-of-{margin}-between-shards"), problem));
    }
    // Class 7 is NaN, and the other classes of its shard are masked, so that their maximum is −∞.
    let mut problem = g.problem(9, 4, 15);
    let masked = |c| if c == 7 { 0.0 } else { f64::NEG_INFINITY };
    problem.bias = Some(Array1::from_shape_fn(15, |c| if (5..10).contains(&c) { masked(c) } else { 0.0 }));
    problem.weights.column_mut(7).fill(f64::NAN);
    cases.push(Case::new("nan-among-masked-classes", problem));
    let mut problem = g.problem(9, 4, 15);
    problem.targets = OwnedTargets::None;
    problem.features[[3, 2]] = f64::NAN;
    cases.push(Case::new("nan-without-targets", problem));
    let mut problem = g.problem(20, 3, 21);
    problem.targets = OwnedTargets::Labels(Array1::from_elem(20, 20));
    cases.push(Case::new("all-labels-in-the-last-shard", problem));
    cases
}

/// Which coefficients are given, and how gradients are written.
#[derive(Clone, Copy, Debug)]
struct Asked {
    losses: bool,
    entropy: bool,
    log_sum_exp: bool,
    /// Whether dW and db are accumulated.
    accumulate: bool,
}

impl Asked {
    fn of(k: usize) -> Self {
        Asked { losses: k % 4 != 1, entropy: k % 3 != 1, log_sum_exp: k % 5 < 3, accumulate: k % 6 == 4 }
    }

    fn name(self) -> String {
        let words = [(self.losses, "g"), (self.entropy, "h"), (self.log_sum_exp, "k")];
        let words: Vec<&str> = words.iter().filter(|(given, _)| *given).map(|(_, word)| *word).collect();
        let words = if words.is_empty() { "defaults".to_owned() } else { words.join("") };
        if self.accumulate { format!("{words}-accumulated") } else { words }
    }

    /// Draws coefficients of both signs, some of them 0.
    fn draw<T: Element>(self, g: &mut Generator, n: usize) -> [Option<Array1<T>>; 3] {
        [self.losses, self.entropy, self.log_sum_exp].map(|given| {
            given.then(|| {
                g.vector(n, -2.0, 2.0).mapv(|x| if x.abs() < 0.2 { T::zero() } else { T::narrow(x) })
            })
        })
    }
}

/// The statistics of all classes, merged from those of the shards.
fn statistics<T: Element>(
    passes: &mut dyn TwoPass<T>,
    problem: &Problem<'_, T>,
    ranges: &[Range<usize>],
) -> Result<RowStatistics<T>> {
    // Merges from the right, in another order than `InShards`.
    let mut of_shards = Vec::new();
    for classes in ranges {
        of_shards.push(passes.forward(&problem.shard(classes.clone()))?);
    }
    let last = of_shards.pop().ok_or(Error::NoClasses)?;
    of_shards.into_iter().rev().try_fold(last, |merged, statistics| statistics.merge(merged))
}

fn judge_upstream<T: Element>(
    subject: &Subject<'_, T>,
    case: &Case,
    cut: Cut,
    asked: Asked,
) -> Result<Outcome> {
    let owned = case.narrowed::<T>();
    let problem = owned.problem()?;
    let (n, ranges) = (problem.n_samples(), cut.of(()).ranges(problem.n_classes()));
    let mut g = Generator::new((n + ranges.len()) as u64);
    let [losses, entropy, log_sum_exp] = asked.draw::<T>(&mut g, n);
    let upstream = Upstream {
        losses: losses.as_ref().map(|a| a.view()),
        entropy: entropy.as_ref().map(|a| a.view()),
        log_sum_exp: log_sum_exp.as_ref().map(|a| a.view()),
    };
    let mut backend = subject.make();
    let kinds = [
        OutputKind::WeightsGradient,
        OutputKind::FeaturesGradient,
        OutputKind::BiasGradient,
        OutputKind::SampleLosses,
        OutputKind::LogSumExp,
        OutputKind::Predicted,
        OutputKind::Entropy,
    ];
    let set = given(backend.as_ref(), kinds.into_iter().collect());
    let passes = backend.two_pass().expect("asked before");
    let statistics = statistics(passes, &problem, &ranges)?;
    let mut outputs = OwnedOutputs::zeros(&problem, set);
    let shard = problem.shard(ranges[ranges.len() / 2].clone());
    let mut of_rows = Outputs {
        sample_losses: outputs.sample_losses.as_mut().map(|a| a.view_mut()),
        log_sum_exp: outputs.log_sum_exp.as_mut().map(|a| a.view_mut()),
        predicted: outputs.predicted.as_mut().map(|a| a.view_mut()),
        entropy: outputs.entropy.as_mut().map(|a| a.view_mut()),
        ..Outputs::default()
    };
    let evaluation = passes.summarize(&shard, &statistics, &mut of_rows)?;
    let before = asked.accumulate.then_some(BEFORE);
    let held = before.map_or(T::nan(), T::narrow);
    outputs.weights_gradient.iter_mut().for_each(|a| a.fill(held));
    outputs.bias_gradient.iter_mut().for_each(|a| a.fill(held));
    outputs.features_gradient.iter_mut().for_each(|a| a.fill(T::nan()));
    let mut of_all = Outputs { accumulate: asked.accumulate, ..outputs.as_outputs() };
    for classes in ranges {
        let mut of_shard = of_all.of_shard(classes.clone());
        passes.backward(&problem.shard(classes), &statistics, &upstream, &mut of_shard)?;
    }
    let widened = |given: &Option<Array1<T>>| given.as_ref().map(|a| a.iter().map(|x| x.widen()).collect());
    let coefficients = Coefficients {
        losses: widened(&losses),
        entropy: widened(&entropy),
        log_sum_exp: widened(&log_sum_exp),
    };
    let mut expected = upstream_reference(&problem, &coefficients, set);
    if let Some(before) = before {
        accumulate(&mut expected, before, T::DTYPE.unit_roundoff());
    }
    Ok(judge_against(&expected, &evaluation, &outputs, set))
}

/// Shards that begin at multiples of the backend's `shard_multiple` give the same bits as the whole.
fn same_in_shards<T: Element>(subject: &Subject<'_, T>, case: &Case) -> Outcome {
    let Some(multiple) = subject.make().two_pass().and_then(|passes| passes.shard_multiple()) else {
        return Outcome::NotApplicable("the backend does not promise the same bits in shards".to_owned());
    };
    Outcome::of_calls(|| {
        let stored = case.stored::<T>();
        let problem = stored.problem()?;
        let is_sparse = matches!(problem.features(), Features::Csr(_));
        let set = given(&InShards::new(subject.make(), 1), OutputSet::ALL);
        let set = if is_sparse { set.without(OutputKind::FeaturesGradient) } else { set };
        let expected = evaluate(subject.make().as_mut(), &problem, set)?;
        let mut messages = Vec::new();
        let mut g = Generator::new(problem.n_samples() as u64);
        let all = Asked { losses: true, entropy: true, log_sum_exp: true, accumulate: false };
        let coefficients = all.draw::<T>(&mut g, problem.n_samples());
        let weighed = weighed_gradients(subject.make(), &problem, problem.n_classes(), &coefficients)?;
        for size in [problem.n_classes(), 2 * multiple, multiple] {
            let found = evaluate(&mut InShards::of_size(subject.make(), size), &problem, set)?;
            let mut differ = bits::differences(&found, &expected);
            let found = weighed_gradients(subject.make(), &problem, size, &coefficients)?;
            differ.extend(differing(&found, &weighed).into_iter().map(OutputKind::name));
            if !differ.is_empty() {
                messages.push(format!("shards of {size} classes: other bits in {}", differ.join(", ")));
            }
        }
        for setting in [Setting::Level, Setting::Memory] {
            for variant in subject.make().variants(setting) {
                let found = weighed_gradients(variant.backend, &problem, multiple, &coefficients)?;
                let differ: Vec<_> = differing(&found, &weighed).into_iter().map(OutputKind::name).collect();
                if !differ.is_empty() {
                    messages.push(format!("{}: other bits in {}", variant.name, differ.join(", ")));
                }
            }
        }
        Ok(messages)
    })
}

/// dW, dX and db with coefficients, in shards of `size` classes.
fn weighed_gradients<T: Element>(
    mut backend: Box<dyn SoftmaxBackend<T>>,
    problem: &Problem<'_, T>,
    size: usize,
    [losses, entropy, log_sum_exp]: &[Option<Array1<T>>; 3],
) -> Result<OwnedOutputs<T>> {
    let kinds = [OutputKind::WeightsGradient, OutputKind::FeaturesGradient, OutputKind::BiasGradient];
    let mut outputs = OwnedOutputs::zeros(problem, kinds.into_iter().collect());
    let upstream = Upstream {
        losses: losses.as_ref().map(|a| a.view()),
        entropy: entropy.as_ref().map(|a| a.view()),
        log_sum_exp: log_sum_exp.as_ref().map(|a| a.view()),
    };
    let ranges = Cut::Size(size).of(()).ranges(problem.n_classes());
    let passes = backend.two_pass().expect("asked before");
    let statistics = statistics(passes, problem, &ranges)?;
    let mut of_all = outputs.as_outputs();
    for classes in ranges {
        let shard = problem.shard(classes.clone());
        passes.backward(&shard, &statistics, &upstream, &mut of_all.of_shard(classes))?;
    }
    Ok(outputs)
}

/// Shards that are built one by one. The second has no class weights, so they are 1.
fn class_weights_in_some_shards<T: Element>(subject: &Subject<'_, T>) -> Result<Outcome> {
    let mut problem = Generator::new(74).problem(30, 4, 9);
    let mut class_weights = Array1::ones(9);
    class_weights.slice_axis_mut(Axis(0), Slice::from(..5)).fill(6.0);
    problem.class_weights = Some(class_weights);
    problem.objective.label_smoothing = 0.2;
    let owned: OwnedProblem<T> = Case::new("", problem).narrowed();
    let whole = owned.problem()?;
    let second = whole.shard(5..9);
    let unweighed = Problem::builder(second.features(), second.weights(), *second.targets())
        .objective(*second.objective())
        .shard(5, 9)
        .build()?;
    let shards = [whole.shard(0..5), unweighed];
    let mut backend = subject.make();
    let passes = backend.two_pass().expect("asked before");
    let statistics = passes.forward(&shards[0])?.merge(passes.forward(&shards[1])?)?;
    let kinds = [OutputKind::WeightsGradient, OutputKind::FeaturesGradient, OutputKind::SampleLosses];
    let set: OutputSet = kinds.into_iter().collect();
    let mut outputs = OwnedOutputs::zeros(&whole, set);
    let losses = outputs.sample_losses.as_mut().map(|losses| losses.view_mut());
    let mut of_rows = Outputs { sample_losses: losses, ..Outputs::default() };
    let evaluation = passes.summarize(&shards[1], &statistics, &mut of_rows)?;
    let mut of_all = outputs.as_outputs();
    for shard in &shards {
        let mut of_shard = of_all.of_shard(shard.class_range());
        passes.backward(shard, &statistics, &Upstream::default(), &mut of_shard)?;
    }
    let expected = upstream_reference(&whole, &Coefficients::default(), set);
    Ok(judge_against(&expected, &evaluation, &outputs, set))
}

fn refusals<T: Element>(subject: &Subject<'_, T>) -> Outcome {
    let owned: OwnedProblem<T> = Case::new("", Generator::new(73).problem(8, 3, 9)).narrowed();
    Outcome::of_calls(|| {
        let problem = owned.problem()?;
        let mut backend = subject.make();
        let mut messages = Vec::new();
        let mut refused = |what: &str, answer: Result<()>, is_right: fn(&Error) -> bool| match answer {
            Err(error) if is_right(&error) => {}
            Err(error) => messages.push(format!("{what}: {error}, which is another error than expected")),
            Ok(()) => messages.push(format!("{what}: expected an error, found an answer")),
        };
        let is_of_classes = |error: &Error| matches!(error, Error::Classes { .. });
        let shards = [problem.shard(0..4), problem.shard(4..9)];
        refused("the loss of a shard", backend.loss(&shards[0]).map(drop), is_of_classes);
        let passes = backend.two_pass().expect("asked before");
        let first = passes.forward(&shards[0])?;
        let second = passes.forward(&shards[1])?;
        refused("shards in another order", second.clone().merge(first.clone()).map(drop), is_of_classes);
        refused("the same shard twice", first.clone().merge(first.clone()).map(drop), is_of_classes);
        let fewer = passes.forward(&problem.rows(0..5).shard(4..9))?;
        let is_shape = |error: &Error| matches!(error, Error::Shape { .. });
        refused("shards of other samples", first.clone().merge(fewer).map(drop), is_shape);
        let none = || Upstream::default();
        let mut dw = Array2::from_elem((3, 4), T::zero());
        let mut backward = |statistics: &RowStatistics<T>, upstream: &Upstream<'_, T>, classes: usize| {
            let view = dw.slice_axis_mut(Axis(1), Slice::from(..classes as isize));
            let mut outputs = Outputs { weights_gradient: Some(view), ..Outputs::default() };
            passes.backward(&shards[0], statistics, upstream, &mut outputs)
        };
        refused("statistics of a shard", backward(&first, &none(), 4), is_of_classes);
        let all = first.merge(second)?;
        refused("dW of other classes", backward(&all, &none(), 3), is_shape);
        let few = Array1::from_elem(7, T::one());
        let given = || Some(few.view());
        let is_upstream = |error: &Error| {
            matches!(error, Error::Shape { array: ArrayName::Upstream, expected: 8, found: 7, .. })
        };
        for (what, upstream) in [
            ("seven losses", Upstream { losses: given(), ..none() }),
            ("seven entropies", Upstream { entropy: given(), ..none() }),
            ("seven lse", Upstream { log_sum_exp: given(), ..none() }),
        ] {
            refused(what, backward(&all, &upstream, 4), is_upstream);
        }
        backward(&all, &none(), 4)?;
        let of_shard = passes.forward(&shards[0])?;
        let summary = passes.summarize(&shards[1], &of_shard, &mut Outputs::default());
        refused("a summary of a shard", summary.map(drop), is_of_classes);
        if !subject.make().supports(Feature::TwoPasses) {
            messages.push("the backend has two passes, and says that it does not support them".to_owned());
        }
        Ok(messages)
    })
}
