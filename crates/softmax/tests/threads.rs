//! Backends in many threads at once: each thread has its own, and what they share (pools, devices, a BLAS) must not mix
//! their answers.

use softmax::{OutputSet, OwnedOutputs, Registry, Setup};
use softmax_conformance::{Case, Choices, Generator, check, reference};
use std::thread;

#[test]
fn every_backend_works_in_many_threads_at_once() {
    let registry = Registry::built_in();
    // In f32, which every device computes in.
    let problem = Generator::new(1).problem_with(100, 64, 10, Choices::PLAIN);
    let owned = Case::new("threads", problem).narrowed::<f32>();
    let expected = reference(&owned.problem().unwrap(), OutputSet::ALL);
    thread::scope(|scope| {
        for entry in registry.entries() {
            for _ in 0..4 {
                let (owned, expected) = (&owned, &expected);
                scope.spawn(move || {
                    let problem = owned.problem().unwrap();
                    let mut backend = entry.make::<f32>(Setup { threads: Some(2), ..Setup::default() });
                    for _ in 0..10 {
                        let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
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
