//! Times softmax-fused, `cargo bench -p softmax-benches --bench fused`: few classes and vocabularies, each with the
//! lower bound of its time on this machine; the costs of row facts, of two passes and of H·V; and the many-class kernel
//! with other block sizes.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use softmax_benches::{FACTS_SHAPES, FUSED_SHAPES, PASSES_SHAPES};
use softmax_core::ndarray::Array2;
use softmax_core::{
    Element, HessianVectorProduct, InShards, Objective, OutputKind, OutputSet, OwnedOutputs, SoftmaxBackend,
};
use softmax_data::synthetic;
use softmax_fused::{Fused, KernelParams};
use softmax_roofline::{Roofline, Work};

fn fused(criterion: &mut Criterion) {
    let roofline = Roofline::measure(std::thread::available_parallelism().map_or(1, usize::from));
    for shape in FUSED_SHAPES {
        let mut group = criterion.benchmark_group(format!("{}x{}x{}", shape.0, shape.1, shape.2));
        group.sample_size(10);
        loss_and_dw::<f32>(&mut group, shape, &roofline);
        // Vocabularies in f64 take long and show the same as in f32.
        if shape.2 <= 1000 {
            loss_and_dw::<f64>(&mut group, shape, &roofline);
        }
        group.finish();
    }
}

fn loss_and_dw<T: Element>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (n, d, c): (usize, usize, usize),
    roofline: &Roofline,
) where
    Fused: SoftmaxBackend<T>,
{
    let work = Work { samples: n, features: d, classes: c, dtype: T::DTYPE, dx: false };
    println!("{n}x{d}x{c} {}: at least {:.3} ms", T::DTYPE, roofline.floor_s(work) * 1e3);
    let dataset = synthetic::<T>(n, d, c, 0);
    let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
    let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::NONE.with(OutputKind::WeightsGradient));
    let mut backend = Fused::new();
    group.throughput(Throughput::Elements(work.operations() as u64));
    group.bench_function(BenchmarkId::from_parameter(T::DTYPE), |bencher| {
        bencher.iter(|| backend.evaluate(&problem, &mut outputs.as_outputs()).expect("plain problems"));
    });
}

/// The cost of row facts in addition to loss and dW.
fn facts(criterion: &mut Criterion) {
    let weights_gradient = OutputSet::NONE.with(OutputKind::WeightsGradient);
    let with = |kinds: &[OutputKind]| kinds.iter().fold(weights_gradient, |set, &kind| set.with(kind));
    let (entropy, label) = (OutputKind::Entropy, [OutputKind::LabelLogProb, OutputKind::LabelRank]);
    let top = [OutputKind::TopClasses, OutputKind::TopLogProb];
    let sets = [
        ("none", weights_gradient),
        ("entropy", with(&[entropy])),
        ("label", with(&label)),
        ("top-5", with(&top)),
        ("all", with(&[&[entropy][..], &label, &top].concat())),
    ];
    for (n, d, c) in FACTS_SHAPES {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut group = criterion.benchmark_group(format!("facts/{n}x{d}x{c}"));
        group.sample_size(10);
        let mut backend = Fused::new();
        for (name, set) in sets {
            let mut outputs = OwnedOutputs::zeros(&problem, set);
            group.bench_function(name, |bencher| {
                bencher
                    .iter(|| backend.evaluate(&problem, &mut outputs.as_outputs()).expect("plain problems"));
            });
        }
        group.finish();
    }
}

/// Loss and gradients in one pass and in two.
fn passes(criterion: &mut Criterion) {
    let gradients = [
        ("dW", OutputSet::NONE.with(OutputKind::WeightsGradient)),
        ("dW and dX", OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::FeaturesGradient)),
    ];
    for (n, d, c) in PASSES_SHAPES {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut group = criterion.benchmark_group(format!("passes/{n}x{d}x{c}"));
        group.sample_size(10);
        let (mut one, mut two) = (Fused::new(), InShards::new(Fused::new(), 1));
        let backends: [(&str, &mut dyn SoftmaxBackend<f32>); 2] = [("one", &mut one), ("two", &mut two)];
        for (passes, backend) in backends {
            for (name, set) in gradients {
                let mut outputs = OwnedOutputs::zeros(&problem, set);
                group.bench_function(BenchmarkId::new(passes, name), |bencher| {
                    bencher.iter(|| {
                        backend.evaluate(&problem, &mut outputs.as_outputs()).expect("plain problems")
                    });
                });
            }
        }
        group.finish();
    }
}

/// H·V, and loss and dW for comparison, with few classes and many.
fn hessian(criterion: &mut Criterion) {
    for (n, d, c) in [(1797, 64, 10), (20000, 784, 10), (1024, 2048, 1000)] {
        let dataset = synthetic::<f32>(n, d, c, 0);
        let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
        let mut group = criterion.benchmark_group(format!("hessian/{n}x{d}x{c}"));
        group.sample_size(10);
        let mut backend = Fused::new();
        let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::NONE.with(OutputKind::WeightsGradient));
        group.bench_function("loss and dW", |bencher| {
            bencher.iter(|| backend.evaluate(&problem, &mut outputs.as_outputs()).expect("plain problems"));
        });
        let (direction, mut product) = (Array2::<f32>::ones((d, c)), Array2::<f32>::zeros((d, c)));
        group.bench_function("H·V", |bencher| {
            bencher.iter(|| {
                let product = product.view_mut();
                backend.hessian_vector_product(&problem, direction.view(), product).expect("plain problems");
            });
        });
        group.finish();
    }
}

/// The many-class kernel with other block sizes.
fn kernel_params(criterion: &mut Criterion) {
    let (n, d, c) = (1152, 1024, 1000);
    let dataset = synthetic::<f32>(n, d, c, 0);
    let problem = dataset.problem(Objective::default()).expect("synthetic problems are sound");
    let mut outputs = OwnedOutputs::zeros(&problem, OutputSet::NONE.with(OutputKind::WeightsGradient));
    let mut group = criterion.benchmark_group(format!("params/{n}x{d}x{c}"));
    group.sample_size(10).throughput(Throughput::Elements(4 * (n * d * c) as u64));
    let ours = KernelParams::default();
    println!("this machine's: {ours:?}");
    let mut cases = vec![("default".to_owned(), ours)];
    let mut add = |name: &str, values: &[usize], set: fn(&mut KernelParams, usize)| {
        for &value in values {
            let mut params = ours;
            set(&mut params, value);
            cases.push((format!("{name}={value}"), params));
        }
    };
    add("strip", &[192, 384, 768], |params, value| params.strip = value);
    add("block", &[192, 384, 1152], |params, value| params.block = value);
    add("features", &[48, 192, 768], |params, value| params.features = value);
    add("kept", &[0, 1 << 20], |params, value| params.kept = value);
    add("tasks", &[1, 4, 16], |params, value| params.tasks = value);
    for (name, params) in cases {
        let mut backend = Fused::new().params(params);
        group.bench_function(name, |bencher| {
            bencher.iter(|| backend.evaluate(&problem, &mut outputs.as_outputs()).expect("plain problems"));
        });
    }
    group.finish();
}

criterion_group!(benches, fused, facts, passes, hessian, kernel_params);
criterion_main!(benches);
