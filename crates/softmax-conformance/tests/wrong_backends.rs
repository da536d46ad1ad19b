//! Tests of the suite itself: backends with one small mistake each. The suite must catch each.

#[path = "mistakes/owned.rs"]
mod owned;

use softmax_conformance::{Runner, Suite};
use softmax_core::ndarray::{Array1, Array2, Axis};
use softmax_core::{
    Backend, Descriptor, Element, Error, Evaluation, Feature, Features, Labels, Outputs, OwnedProblem,
    OwnedTargets, Problem, Reduction, Result, SoftmaxBackend, Targets, Weights,
};
use softmax_naive::Naive;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A right backend with one mistake, made in the problem that it reads or in its answer.
struct Wrong<T> {
    mistake: Mistake,
    inner: Naive,
    /// The dW of an earlier call.
    scratch: Array2<T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    NoMaxShift,
    OneMaxForTheBatch,
    SumForMean,
    LabelOffByOne,
    TransposedGradient,
    LastColumnDropped,
    TailOfFeaturesDropped,
    SmoothingOverOtherClasses,
    BiasCountedTwice,
    IgnoredSamplesInTotalWeight,
    StaleScratch,
    SinglePrecisionSum,
    PlainSinglePrecisionBiasGradient,
    NondeterministicSum,
    AccumulatesIntoOutputs,
    CancelsWhereConfident,
    PenalisesNothing,
    SoftcapWithoutItsSlope,
    LastOfEqualsPredicted,
    IgnoresShapesOfOutputs,
    Panics,
    NegativeWeightsAreZero,
    TotalWeightOfSizes,
    OverwritesWhereItAccumulates,
    AccumulatesFeaturesGradientToo,
    HalfPrecisionIsTruncated,
    HalfPrecisionWeightsAreTruncated,
    SparseColumnsOffByOne,
    SparseRowsWithoutTheirLastEntry,
    NoTargetIsTheFirstClass,
    PenaltyWithoutTargets,
    IgnoresNoBytes,
    LargeUnsignedLabelsAreNegative,
    RefusesWhatItSupports,
    EvaluatesWhatItDoesNotSupport,
}

const MISTAKES: [Mistake; 35] = [
    Mistake::PlainSinglePrecisionBiasGradient,
    Mistake::NegativeWeightsAreZero,
    Mistake::TotalWeightOfSizes,
    Mistake::OverwritesWhereItAccumulates,
    Mistake::AccumulatesFeaturesGradientToo,
    Mistake::HalfPrecisionIsTruncated,
    Mistake::HalfPrecisionWeightsAreTruncated,
    Mistake::SparseColumnsOffByOne,
    Mistake::SparseRowsWithoutTheirLastEntry,
    Mistake::NoTargetIsTheFirstClass,
    Mistake::PenaltyWithoutTargets,
    Mistake::IgnoresNoBytes,
    Mistake::LargeUnsignedLabelsAreNegative,
    Mistake::RefusesWhatItSupports,
    Mistake::EvaluatesWhatItDoesNotSupport,
    Mistake::NoMaxShift,
    Mistake::OneMaxForTheBatch,
    Mistake::SumForMean,
    Mistake::LabelOffByOne,
    Mistake::TransposedGradient,
    Mistake::LastColumnDropped,
    Mistake::TailOfFeaturesDropped,
    Mistake::SmoothingOverOtherClasses,
    Mistake::BiasCountedTwice,
    Mistake::IgnoredSamplesInTotalWeight,
    Mistake::StaleScratch,
    Mistake::SinglePrecisionSum,
    Mistake::NondeterministicSum,
    Mistake::AccumulatesIntoOutputs,
    Mistake::CancelsWhereConfident,
    Mistake::PenalisesNothing,
    Mistake::SoftcapWithoutItsSlope,
    Mistake::LastOfEqualsPredicted,
    Mistake::IgnoresShapesOfOutputs,
    Mistake::Panics,
];

impl<T: Element> Wrong<T> {
    fn boxed(mistake: Mistake) -> Box<dyn SoftmaxBackend<T>> {
        Box::new(Wrong { mistake, inner: Naive::new(), scratch: Array2::zeros((0, 0)) })
    }
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

impl<T> Backend for Wrong<T> {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: format!("{:?}", self.mistake).into(),
            device: "cpu".into(),
            simd: "scalar".into(),
            threads: 1,
            deterministic: true,
        }
    }

    fn supports(&self, feature: Feature) -> bool {
        self.mistake != Mistake::EvaluatesWhatItDoesNotSupport || feature != Feature::Softcap
    }
}

impl<T: Element> SoftmaxBackend<T> for Wrong<T> {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        if self.mistake != Mistake::IgnoresShapesOfOutputs {
            outputs.check(problem)?;
        } else if outputs.check(problem).is_err() {
            return Ok(Evaluation { loss: 0.0, total_weight: 1.0, correct: Some(0) });
        }
        if self.mistake == Mistake::RefusesWhatItSupports && problem.needs().contains(Feature::Softcap) {
            return Err(Error::Unsupported { backend: "wrong".to_owned(), feature: Feature::Softcap });
        }
        let mut owned = owned::owned(problem);
        self.spoil_problem(problem, &mut owned);
        let problem = owned.problem()?;
        let before = outputs.weights_gradient.as_ref().map(|dw| dw.to_owned());
        let dx_before = outputs.features_gradient.as_ref().map(|dx| dx.to_owned());
        let accumulate = outputs.accumulate;
        outputs.accumulate &= self.mistake != Mistake::OverwritesWhereItAccumulates;
        let mut evaluation = self.inner.evaluate(&problem, outputs)?;
        if let (true, Mistake::AccumulatesFeaturesGradientToo, Some(dx), Some(before)) =
            (accumulate, self.mistake, &mut outputs.features_gradient, dx_before)
        {
            *dx += &before;
        }
        self.spoil_answer(&problem, outputs, before, &mut evaluation);
        Ok(evaluation)
    }
}

/// Truncates a number to a multiple of 1/128, which drops digits that f16 and bf16 hold.
fn truncated<T: Element>(x: T) -> T {
    T::narrow((x.widen() * 128.0).trunc() / 128.0)
}

fn scores<T: Element>(problem: &Problem<'_, T>) -> Array2<T> {
    let mut scores = problem.features().to_dense().dot(&problem.weights().to_dense());
    if let Some(bias) = problem.bias() {
        scores += &bias;
    }
    scores
}

fn maximum<'a, T: Element>(values: impl IntoIterator<Item = &'a T>) -> T {
    values.into_iter().fold(T::neg_infinity(), |max, &x| if x > max { x } else { max })
}

impl<T: Element> Wrong<T> {
    fn spoil_problem(&self, given: &Problem<'_, T>, owned: &mut OwnedProblem<T>) {
        let classes = owned.weights.ncols();
        match self.mistake {
            Mistake::NegativeWeightsAreZero => {
                let weights = [&mut owned.class_weights, &mut owned.sample_weights];
                let zero = T::zero();
                weights
                    .into_iter()
                    .flatten()
                    .for_each(|w| w.mapv_inplace(|w| if w < zero { zero } else { w }));
            }
            Mistake::HalfPrecisionIsTruncated
                if matches!(given.features(), Features::F16(_) | Features::Bf16(_)) =>
            {
                owned.features.mapv_inplace(truncated);
            }
            Mistake::HalfPrecisionWeightsAreTruncated
                if matches!(given.weights(), Weights::F16(_) | Weights::Bf16(_)) =>
            {
                owned.weights.mapv_inplace(truncated);
            }
            Mistake::SparseColumnsOffByOne if matches!(given.features(), Features::Csr(_)) => {
                let (_, d) = owned.features.dim();
                let shifted = Array2::from_shape_fn(owned.features.dim(), |(i, k)| {
                    owned.features[[i, (k + d - 1) % d]]
                });
                owned.features = shifted;
            }
            Mistake::SparseRowsWithoutTheirLastEntry => {
                if let Features::Csr(csr) = given.features() {
                    for i in 0..csr.n_rows() {
                        if let Some(&last) = csr.row(i).0.last() {
                            owned.features[[i, last as usize]] = T::zero();
                        }
                    }
                }
            }
            Mistake::NoTargetIsTheFirstClass if owned.targets == OwnedTargets::None => {
                owned.targets = OwnedTargets::Labels(Array1::zeros(owned.features.nrows()));
            }
            Mistake::IgnoresNoBytes | Mistake::LargeUnsignedLabelsAreNegative => {
                let is_unsigned = match given.targets() {
                    Targets::Labels(Labels::U8(_)) => self.mistake == Mistake::IgnoresNoBytes,
                    Targets::Labels(Labels::U32(_)) => self.mistake != Mistake::IgnoresNoBytes,
                    _ => false,
                };
                if let (true, Some(ignored), OwnedTargets::Labels(labels)) =
                    (is_unsigned, owned.objective.ignore_index, &mut owned.targets)
                {
                    labels.mapv_inplace(|y| if y == ignored { 0 } else { y });
                }
            }
            Mistake::SumForMean => owned.objective.reduction = Reduction::Sum,
            Mistake::LabelOffByOne => {
                if let OwnedTargets::Labels(labels) = &mut owned.targets {
                    let ignored = owned.objective.ignore_index;
                    labels.mapv_inplace(|y| if Some(y) == ignored { y } else { (y + 1) % classes as i64 });
                }
            }
            Mistake::TailOfFeaturesDropped => {
                let kept = owned.features.ncols() / 4 * 4;
                owned
                    .features
                    .columns_mut()
                    .into_iter()
                    .skip(kept)
                    .for_each(|mut column| column.fill(T::zero()));
            }
            Mistake::SmoothingOverOtherClasses if classes > 1 => {
                let smoothing = owned.objective.label_smoothing;
                if let OwnedTargets::Labels(labels) = &owned.targets
                    && smoothing > 0.0
                    && owned.objective.ignore_index.is_none()
                {
                    let other = T::narrow(smoothing / (classes - 1) as f64);
                    let mut soft = Array2::from_elem((labels.len(), classes), other);
                    labels
                        .indexed_iter()
                        .for_each(|(i, &y)| soft[[i, y as usize]] = T::narrow(1.0 - smoothing));
                    owned.targets = OwnedTargets::Soft(soft);
                    owned.objective.label_smoothing = 0.0;
                }
            }
            Mistake::BiasCountedTwice => owned.bias = owned.bias.take().map(|b| &b + &b),
            Mistake::PenalisesNothing => owned.objective.l2 = 0.0,
            _ => {}
        }
    }

    fn spoil_answer(
        &mut self,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
        before: Option<Array2<T>>,
        evaluation: &mut Evaluation,
    ) {
        let dw = &mut outputs.weights_gradient;
        match self.mistake {
            Mistake::NoMaxShift if maximum(&scores(problem)).exp().is_infinite() => {
                evaluation.loss = f64::NAN;
            }

            Mistake::OneMaxForTheBatch => {
                let scores = scores(problem);
                let max = maximum(&scores);
                // If all exponentials of a row underflow, the result is log 0.
                if scores.rows().into_iter().any(|row| (maximum(row) - max).exp() == T::zero()) {
                    evaluation.loss = f64::INFINITY;
                }
            }
            Mistake::TotalWeightOfSizes if problem.objective().reduction == Reduction::Mean => {
                let one = T::one();
                let sizes = (0..problem.n_samples()).filter(|&i| problem.counts(i)).map(|i| {
                    let u = problem.sample_weights().map_or(one, |u| u[i]);
                    let w = problem.class_weights().zip(problem.label(i)).map_or(one, |(w, y)| w[y]);
                    (u.widen() * w.widen()).abs()
                });
                let factor = evaluation.total_weight / sizes.sum::<f64>();
                if factor.is_finite() && factor != 1.0 && problem.objective().l2 == 0.0 {
                    evaluation.loss *= factor;
                    dw.iter_mut().for_each(|dw| dw.mapv_inplace(|g| g * T::narrow(factor)));
                }
            }
            Mistake::PenaltyWithoutTargets if !problem.has_targets() => {
                evaluation.loss += problem.objective().l2 / 2.0;
            }
            Mistake::TransposedGradient => {
                if let Some(dw) = dw {
                    let transposed: Vec<T> = dw.t().iter().copied().collect();
                    dw.iter_mut().zip(transposed).for_each(|(g, t)| *g = t);
                }
            }
            Mistake::LastColumnDropped => {
                if let Some(dw) = dw {
                    dw.index_axis_mut(Axis(1), problem.n_classes() - 1).fill(T::zero());
                }
            }
            Mistake::IgnoredSamplesInTotalWeight => {
                if let (Targets::Labels(labels), Reduction::Mean) =
                    (problem.targets(), problem.objective().reduction)
                {
                    let ignored = (0..labels.len()).filter(|&i| !problem.counts(i)).count() as f64;
                    let factor = evaluation.total_weight / (evaluation.total_weight + ignored);
                    evaluation.loss *= factor;
                }
            }
            Mistake::StaleScratch => {
                if let Some(dw) = dw {
                    if self.scratch.dim() == dw.dim() {
                        *dw += &self.scratch;
                    }
                    self.scratch = dw.to_owned();
                }
            }
            Mistake::SinglePrecisionSum => self.sum_in_single_precision(problem, evaluation),
            Mistake::PlainSinglePrecisionBiasGradient
                if problem.objective().l2 == 0.0 && !outputs.accumulate =>
            {
                if let Some(db) = &mut outputs.bias_gradient {
                    // As if all samples had equal gradients.
                    let n = problem.n_samples();
                    let plain = |sum: f64| (0..n).fold(0.0f32, |total, _| total + (sum / n as f64) as f32);
                    db.mapv_inplace(|g| if n > 10_000 { T::narrow(f64::from(plain(g.widen()))) } else { g });
                }
            }
            Mistake::NondeterministicSum => {
                if let Some(dw) = dw {
                    let wobble = T::one()
                        + T::epsilon() * T::narrow((CALLS.fetch_add(1, Ordering::Relaxed) % 2) as f64);
                    dw.mapv_inplace(|g| g * wobble);
                }
            }
            Mistake::AccumulatesIntoOutputs => {
                if let (Some(dw), Some(before)) = (dw, before) {
                    *dw += &before;
                }
            }
            Mistake::CancelsWhereConfident => {
                // Like A·p − a and −log p computed in the element type: anything below the roundoff of 1 is lost.
                let coarse = |x: T| (x + T::one()) - T::one();
                evaluation.loss = coarse(T::narrow(evaluation.loss)).widen();
                if let Some(dw) = dw {
                    dw.mapv_inplace(coarse);
                }
            }
            Mistake::SoftcapWithoutItsSlope => {
                if let (Some(dw), Some(_)) = (dw, problem.objective().softcap) {
                    dw.mapv_inplace(|g| g * T::narrow(1.01));
                }
            }
            Mistake::LastOfEqualsPredicted => {
                if let Some(predicted) = &mut outputs.predicted {
                    let scores = scores(problem);
                    for (row, class) in scores.rows().into_iter().zip(predicted) {
                        let max = maximum(row);
                        *class = row.iter().rposition(|&s| s == max).unwrap_or(*class);
                    }
                }
            }
            Mistake::Panics if problem.n_classes() == 17 => panic!("17 classes are too many"),
            _ => {}
        }
    }

    /// Sums the loss in f32, for any element type.
    fn sum_in_single_precision(&mut self, problem: &Problem<'_, T>, evaluation: &mut Evaluation) {
        let mut losses: Array1<T> = Array1::zeros(problem.n_samples());
        let mut outputs = Outputs { sample_losses: Some(losses.view_mut()), ..Outputs::default() };
        let plain = problem.objective().l2 == 0.0 && self.inner.evaluate(problem, &mut outputs).is_ok();
        if plain {
            let sum = losses.iter().fold(0.0f32, |sum, l| sum + l.widen() as f32);
            evaluation.loss = f64::from(sum) / evaluation.total_weight;
        }
    }
}

fn is_caught<T: Element>(suite: &Suite<T>, mistake: Mistake) -> bool {
    let report = Runner::new().fail_fast().run(suite, || Wrong::<T>::boxed(mistake));
    let first = report.failures.first().map_or("nothing", |failure| failure.name.as_str());
    println!("{} {mistake:?}: {first} fails", T::DTYPE);
    !report.is_success()
}

#[test]
fn the_unbroken_backend_passes() {
    for report in [
        Runner::new().run(Suite::<f32>::shared(), || Wrong::<f32>::boxed(Mistake::None)),
        Runner::new().run(Suite::<f64>::shared(), || Wrong::<f64>::boxed(Mistake::None)),
    ] {
        report.assert_complete();
        assert!(report.ran() > 600, "{} cases", report.ran());
    }
}

#[test]
fn each_wrong_backend_is_caught() {
    let (single, double) = (Suite::<f32>::shared(), Suite::<f64>::shared());
    let next = AtomicUsize::new(0);
    let run_some = || {
        let mut escaped = Vec::new();
        while let Some(&mistake) = MISTAKES.get(next.fetch_add(1, Ordering::Relaxed)) {
            // One type after the other: `NondeterministicSum` counts its calls.
            let caught = [("f32", is_caught(single, mistake)), ("f64", is_caught(double, mistake))];
            escaped
                .extend(caught.into_iter().filter(|(_, caught)| !caught).map(|(dtype, _)| (mistake, dtype)));
        }
        escaped
    };
    // Not in rayon's pool: a task that waits for a reference could keep the pool from computing it.
    let escaped: Vec<_> = thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(run_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(escaped.is_empty(), "not caught: {escaped:?}");
}

/// A backend that refuses every problem.
struct Refuses;

impl Backend for Refuses {
    fn descriptor(&self) -> Descriptor {
        let text = |text: &str| text.to_owned().into();
        Descriptor {
            name: text("refuses"),
            device: text(""),
            simd: text(""),
            threads: 1,
            deterministic: true,
        }
    }

    fn supports(&self, _feature: Feature) -> bool {
        false
    }
}

impl SoftmaxBackend<f64> for Refuses {
    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        Err(Error::NoClasses)
    }
}

#[test]
fn refusing_every_case_is_not_a_success() {
    let suite = Suite::<f64>::shared();
    let report = Runner::new().run(suite, || Box::new(Refuses));
    assert_eq!(report.misuse, ["no case ran"], "{report}");
    assert_eq!(report.unsupported.len() + report.skipped.len(), suite.len());
    assert!(report.to_string().contains("unsupported closed/zero-weights and "), "{report}");
}

#[test]
fn a_report_names_case_output_and_place() {
    let report = Runner::new()
        .filter("closed/one-sample-sum")
        .run(Suite::<f64>::shared(), || Wrong::<f64>::boxed(Mistake::LastColumnDropped));
    let text = report.to_string();
    assert!(text.contains("FAILED closed/one-sample-sum: weights gradient at [0, 2]: expected"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["failures"][0]["name"], "closed/one-sample-sum");
}

#[test]
fn misuse_of_the_runner_is_an_error() {
    let suite = Suite::<f64>::shared();
    let right = || Wrong::<f64>::boxed(Mistake::None);
    let run = |runner: Runner| runner.filter("closed/").run(suite, right);
    assert!(run(Runner::new()).is_success());
    assert!(run(Runner::new().skip("closed/ties", "a reason")).is_success());
    let no_case = run(Runner::new().skip("no/such", "a reason"));
    assert!(no_case.misuse[0].contains("matches no case"), "{no_case}");
    assert!(!run(Runner::new().expect_fail("closed/ties", "it passes")).is_success());
    let filtered =
        |text: &str| suite.names().filter(|name| Runner::new().filter(text).is_chosen(name)).count();
    assert_eq!(filtered("roperties/"), 0);
    assert!(filtered("ties/") > 0 && filtered("ties/") < filtered("ties"), "closed/ties has no such part");
    assert_eq!(filtered("/ties"), filtered("ties") - filtered("ties/"), "a text may begin between words");
    let nothing = Runner::new().filter("no such name").run(suite, right);
    assert_eq!(nothing.misuse, ["no case ran"]);
    let wrong = || Wrong::<f64>::boxed(Mistake::LabelOffByOne);
    let expected =
        Runner::new().filter("closed/margin").expect_fail("closed/margin", "labels").run(suite, wrong);
    assert!(expected.is_success() && expected.expected_failures.len() == 4, "{expected}");
}
