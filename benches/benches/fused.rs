//! Times softmax-fused, `cargo bench -p softmax-benches --bench fused`: few classes and vocabularies, each with the
//! lower bound of its time on this machine, and the many-class kernel with other block sizes.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use softmax_benches::FUSED_SHAPES;
use softmax_core::{Element, Objective, OutputKind, OutputSet, OwnedOutputs, SoftmaxBackend};
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

criterion_group!(benches, fused, kernel_params);
criterion_main!(benches);
