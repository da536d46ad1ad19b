//! Backends in many threads at once. Each thread has its own backend; what the backends share (thread pools, devices, a
//! BLAS) must not mix up their results.

use softmax::{Feature, OutputKind, OutputSet, OwnedOutputs, Registry, Setup};
use softmax_conformance::{Case, Choices, Generator, check, reference};
use std::thread;

#[test]
fn every_backend_works_in_many_threads_at_once() {
    let registry = Registry::built_in();
    // In f32, because every device supports it.
    let problem = Generator::new(1).problem_with(100, 64, 10, Choices::PLAIN);
    let owned = Case::new("threads", problem).narrowed::<f32>();
    // The outputs that every backend supports.
    let is_fact = |kind: OutputKind| kind.feature().is_some_and(Feature::is_row_fact);
    let set: OutputSet = OutputSet::ALL.iter().filter(|&kind| !is_fact(kind)).collect();
    let expected = reference(&owned.problem().unwrap(), set);
    thread::scope(|scope| {
        for entry in registry.entries() {
            for _ in 0..4 {
                let (owned, expected) = (&owned, &expected);
                scope.spawn(move || {
                    let problem = owned.problem().unwrap();
                    let mut backend = entry.make::<f32>(Setup { threads: Some(2), ..Setup::default() });
                    for _ in 0..10 {
                        let mut outputs = OwnedOutputs::zeros(&problem, set);
                        let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs()).unwrap();
                        for error in check(&evaluation, &outputs, expected) {
                            assert!(error.is_within_bound(), "{}: {error}", entry.name());
                        }
                    }
                });
            }
        }
    });
}
