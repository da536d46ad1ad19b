//! Times loss and dW of the backends that compile in seconds, for work on these backends:
//! `cargo bench -p softmax-benches`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use softmax_benches::SHAPES;
use softmax_core::{Objective, OutputKind, OutputSet, OwnedOutputs, SoftmaxBackend};
use softmax_data::synthetic;
use softmax_fused::Fused;
use softmax_naive::Naive;
use softmax_ndarray::NdArray;

fn loss_and_dw(criterion: &mut Criterion) {
    for (n, d, c) in SHAPES {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::NONE.with(OutputKind::WeightsGradient));
        let mut group = criterion.benchmark_group(format!("{n}x{d}x{c}"));
        // The loss and dW take 4·N·D·C operations.
        group.throughput(Throughput::Elements(4 * (n * d * c) as u64)).sample_size(10);
        let backends: [(&str, Box<dyn SoftmaxBackend<f32>>); 3] = [
            ("naive", Box::new(Naive::new())),
            ("ndarray", Box::new(NdArray::new())),
            ("fused", Box::new(Fused::new())),
        ];
        for (name, mut backend) in backends {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher
                    .iter(|| backend.evaluate(&problem, &mut outputs.as_outputs()).expect("plain problems"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, loss_and_dw);
criterion_main!(benches);
