//! One sample does not reach another: a NaN or an infinity in its features stays in its own outputs.

use crate::case::Case;
use crate::generator::Generator;
use crate::oracle::{Reference, reference};
use crate::test::{Outcome, Subject, Test, evaluate, given, judge_against};
use softmax_core::{Element, OutputKind, OutputSet};
use std::sync::OnceLock;

/// Few classes, fewer than lanes, whole vectors, and many.
const CLASSES: [usize; 6] = [1, 3, 10, 16, 70, 130];
const SAMPLES: usize = 37;

/// Every fifth sample holds the number, and in other calls every seventh, beginning with each of the first ones. If it reaches
/// another sample, one of the calls shows it, unless the two are 35 apart. Infinities, which go where NaN goes, have the first
/// step alone.
const STEPS: [usize; 2] = [5, 7];

/// What is requested of each sample.
const OF_SAMPLES: OutputSet =
    OutputSet::ALL.without(OutputKind::WeightsGradient).without(OutputKind::BiasGradient);

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for c in CLASSES {
        let numbers = [
            ("nan", f64::NAN, &STEPS[..]),
            ("infinity", f64::INFINITY, &STEPS[..1]),
            ("minus-infinity", f64::NEG_INFINITY, &STEPS[..1]),
        ];
        for (name, number, steps) in numbers {
            // Every backend that the suite is run on is held against the same answers.
            let expected: [OnceLock<Reference>; STEPS[0] + STEPS[1]] = Default::default();
            tests.push(Test::new(format!("rows/{name}-{c}"), move |s: &Subject<'_, T>| {
                isolated(s, c, T::narrow(number), steps, &expected)
            }));
        }
    }
    tests
}

/// Calls of one instance, in which the number is in each sample at least once.
fn isolated<T: Element>(
    subject: &Subject<'_, T>,
    c: usize,
    number: T,
    steps: &[usize],
    expected: &[OnceLock<Reference>],
) -> Outcome {
    let whole = Case::new("", Generator::new(c as u64).problem(SAMPLES, 5, c)).narrowed::<T>();
    let mut backend = subject.make();
    let starts = steps.iter().flat_map(|&step| (0..step).map(move |first| (first, step)));
    Outcome::of_calls(|| {
        let mut messages = Vec::new();
        for (k, ((first, step), expected)) in starts.zip(expected).enumerate() {
            let mut owned = whole.clone();
            (first..SAMPLES).step_by(step).for_each(|i| owned.features[[i, i % 5]] = number);
            let set = if k % 3 == 0 { OutputSet::ALL } else { OF_SAMPLES };
            let asked = given(backend.as_ref(), set);
            let problem = owned.problem()?;
            let (evaluation, outputs) = evaluate(backend.as_mut(), &problem, asked)?;
            let expected = expected.get_or_init(|| reference(&problem, set));
            if let Outcome::Failed(faults) = judge_against(expected, &evaluation, &outputs, asked) {
                let place = format!("{number} in every {step}th sample from {first} on");
                messages.extend(faults.into_iter().map(|fault| format!("{place}: {fault}")));
            }
        }
        Ok(messages)
    })
}
