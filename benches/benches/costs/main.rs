//! Measures the costs of row facts, of two passes and of H·V in softmax-fused, each as a multiple of the time of loss and
//! gradients in one pass: `cargo bench -p softmax-benches --bench costs`. Criterion labels these multiples `time`.

mod ratio;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ratio::{Ratio, in_turns};
use softmax_benches::{FACTS_SHAPES, HESSIAN_SHAPES, PASSES_SHAPES};
use softmax_core::ndarray::Array2;
use softmax_core::{
    HessianVectorProduct, InShards, Objective, OutputKind, OutputSet, OwnedOutputs, Problem, SoftmaxBackend,
};
use softmax_data::synthetic;
use softmax_fused::Fused;
use std::time::Duration;

const WEIGHTS_GRADIENT: OutputSet = OutputSet::NONE.with(OutputKind::WeightsGradient);

/// A computation of `set` by `backend`, with outputs of its own.
fn evaluation<'a>(
    mut backend: impl SoftmaxBackend<f32> + 'a,
    problem: &'a Problem<'a, f32>,
    set: OutputSet,
) -> impl FnMut() + 'a {
    let mut outputs = OwnedOutputs::zeros(problem, set);
    move || {
        backend.evaluate(problem, &mut outputs.as_outputs()).expect("plain problems");
    }
}

/// Row facts beside loss and dW, over loss and dW.
fn facts(criterion: &mut Criterion<Ratio>) {
    let with = |kinds: &[OutputKind]| kinds.iter().fold(WEIGHTS_GRADIENT, |set, &kind| set.with(kind));
    let (entropy, label) = (OutputKind::Entropy, [OutputKind::LabelLogProb, OutputKind::LabelRank]);
    let top = [OutputKind::TopClasses, OutputKind::TopLogProb];
    let sets = [
        ("entropy", with(&[entropy])),
        ("label", with(&label)),
        ("top-5", with(&top)),
        ("all", with(&[&[entropy][..], &label, &top].concat())),
    ];
    for (n, d, c) in FACTS_SHAPES {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut group = criterion.benchmark_group(format!("facts/{n}x{d}x{c}"));
        for (name, set) in sets {
            let mut base = evaluation(Fused::new(), &problem, WEIGHTS_GRADIENT);
            let mut facts = evaluation(Fused::new(), &problem, set);
            group.bench_function(name, |bencher| in_turns(bencher, &mut base, &mut facts));
        }
        group.finish();
    }
}

/// Loss and gradients in two passes, over the same in one.
fn passes(criterion: &mut Criterion<Ratio>) {
    let gradients =
        [("dW", WEIGHTS_GRADIENT), ("dW and dX", WEIGHTS_GRADIENT.with(OutputKind::FeaturesGradient))];
    for (n, d, c) in PASSES_SHAPES {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut group = criterion.benchmark_group(format!("passes/{n}x{d}x{c}"));
        for (name, set) in gradients {
            let mut one = evaluation(Fused::new(), &problem, set);
            let mut two = evaluation(InShards::new(Fused::new(), 1), &problem, set);
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                in_turns(bencher, &mut one, &mut two);
            });
        }
        group.finish();
    }
}

/// H·V, over loss and dW, with few classes and many.
fn hessian(criterion: &mut Criterion<Ratio>) {
    let mut group = criterion.benchmark_group("hessian");
    for (n, d, c) in HESSIAN_SHAPES {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut base = evaluation(Fused::new(), &problem, WEIGHTS_GRADIENT);
        let mut backend = Fused::new();
        let (direction, mut product) = (Array2::<f32>::ones((d, c)), Array2::<f32>::zeros((d, c)));
        let mut times_vector = || {
            let product = product.view_mut();
            backend.hessian_vector_product(&problem, direction.view(), product).expect("plain problems");
        };
        group.bench_function(format!("{n}x{d}x{c}"), |bencher| {
            in_turns(bencher, &mut base, &mut times_vector);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .with_measurement(Ratio)
        .sample_size(10)
        .measurement_time(Duration::from_secs(30));
    targets = facts, passes, hessian
}
criterion_main!(benches);
