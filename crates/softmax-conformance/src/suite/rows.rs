//! Samples are independent: a NaN or an infinity in the features of a sample affects only its own outputs.

use crate::case::Case;
use crate::generator::Generator;
use crate::oracle::{Reference, reference};
use crate::test::{Outcome, Subject, Test, evaluate, given, judge_against};
use softmax_core::{Element, OutputKind, OutputSet};
use std::sync::OnceLock;

/// Fewer classes than lanes, whole vectors, and many classes.
const CLASSES: [usize; 6] = [1, 3, 10, 16, 70, 130];
const SAMPLES: usize = 37;

/// In one call every fifth sample holds the number, in another every seventh, with each possible first sample. If the
/// number reaches another sample, one of the calls shows it, unless the two are 35 apart. Infinities use only the first
/// step, since they spread like NaN.
const STEPS: [usize; 2] = [5, 7];

/// The outputs of single samples.
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
            // All backends that run the suite are compared with the same references.
            let expected: [OnceLock<Reference>; STEPS[0] + STEPS[1]] = Default::default();
            tests.push(Test::new(format!("rows/{name}-{c}"), move |s: &Subject<'_, T>| {
                isolated(s, c, T::narrow(number), steps, &expected)
            }));
        }
    }
    tests
}

/// Calls one instance several times, so that each sample holds the number at least once.
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
