//! One sample does not reach another: a NaN or an infinity in its features stays in its own outputs.

use crate::case::Case;
use crate::generator::Generator;
use crate::test::{Outcome, Subject, Test, judge_call};
use softmax_core::{Element, OutputKind, OutputSet};

/// Few classes, fewer than lanes, whole vectors, and many.
const CLASSES: [usize; 6] = [1, 3, 10, 16, 70, 130];
const SAMPLES: usize = 37;

/// What is asked for of each sample.
const OF_SAMPLES: OutputSet =
    OutputSet::ALL.without(OutputKind::WeightsGradient).without(OutputKind::BiasGradient);

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for c in CLASSES {
        for (name, number) in
            [("nan", f64::NAN), ("infinity", f64::INFINITY), ("minus-infinity", f64::NEG_INFINITY)]
        {
            tests.push(Test::new(format!("rows/{name}-{c}"), move |s: &Subject<'_, T>| {
                isolated(s, c, T::narrow(number))
            }));
        }
    }
    tests
}

/// At each place in turn, from one instance.
fn isolated<T: Element>(subject: &Subject<'_, T>, c: usize, number: T) -> Outcome {
    let mut owned = Case::new("", Generator::new(c as u64).problem(SAMPLES, 5, c)).narrowed::<T>();
    let mut backend = subject.make();
    Outcome::of_calls(|| {
        let mut messages = Vec::new();
        for i in 0..SAMPLES {
            let before = std::mem::replace(&mut owned.features[[i, i % 5]], number);
            let set = if i % 4 == 0 { OutputSet::ALL } else { OF_SAMPLES };
            if let Outcome::Failed(faults) = judge_call(backend.as_mut(), &owned.problem()?, set)? {
                messages.extend(faults.into_iter().map(|fault| format!("{number} in sample {i}: {fault}")));
            }
            owned.features[[i, i % 5]] = before;
        }
        Ok(messages)
    })
}
