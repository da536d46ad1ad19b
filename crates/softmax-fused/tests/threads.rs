//! The number of threads changes no bit. A number out of range is an error.

use softmax_conformance::Generator;
use softmax_fused::{Backend, Error, Fused, OutputSet, OwnedOutputs, SoftmaxBackend};

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let mut generator = Generator::new(17);
    // Both kernels, each with several tasks.
    for (n, d, c) in [(700, 65, 10), (900, 33, 300)] {
        let owned = generator.problem(n, d, c);
        let problem = owned.problem().unwrap();
        let evaluate = |threads: usize| {
            let mut fused = Fused::new().threads(threads);
            assert_eq!(fused.descriptor().threads, threads);
            let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::ALL);
            let evaluation = fused.evaluate(&problem, &mut outputs.as_outputs()).unwrap();
            let bits = |x: &f64| x.to_bits();
            let matrices = [outputs.weights_gradient, outputs.features_gradient].map(Option::unwrap);
            let matrices = matrices.map(|matrix| matrix.iter().map(bits).collect::<Vec<_>>());
            let vectors = [outputs.bias_gradient, outputs.sample_losses, outputs.log_sum_exp];
            let vectors = vectors.map(|vector| vector.unwrap().iter().map(bits).collect::<Vec<_>>());
            (evaluation.loss.to_bits(), evaluation.correct, matrices, vectors)
        };
        let one = evaluate(1);
        for threads in [2, 3, 7] {
            assert_eq!(evaluate(threads), one, "{n}×{d}×{c}, {threads} threads");
        }
    }
}

#[test]
fn no_threads_and_too_many_are_refused() {
    let owned = Generator::new(17).problem(3, 2, 4);
    let problem = owned.problem().unwrap();
    for threads in [0, 1025] {
        let error = Fused::new().threads(threads).loss(&problem).unwrap_err();
        assert!(matches!(error, Error::Backend { .. }), "{error:?}");
        assert!(
            error.to_string().contains(&format!("expected 1 to 1024 threads, found {threads}")),
            "{error}"
        );
    }
}
