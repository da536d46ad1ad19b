//! The full conformance suite, at every level that this machine supports. Each level is a backend of its own.

use softmax_conformance::{Runner, Suite, check, judge_in_turns, reference};
use softmax_fused::ndarray::{Array1, Array2, s};
use softmax_fused::{
    Backend, Element, Feature, Fused, Level, OutputKind, OutputSet, OwnedOutputs, Problem, Setting,
    SoftmaxBackend, TwoPass,
};

/// dX of sparse features would be dense.
fn is_sparse_gradient(feature: Feature) -> bool {
    feature == Feature::CsrFeaturesGradient
}

#[test]
fn every_level_f32() {
    for level in Level::available() {
        println!("level {}", level.name());
        Runner::new()
            .run(Suite::<f32>::shared(), || Box::new(Fused::new().level(level)))
            .assert_complete_but(is_sparse_gradient);
    }
}

#[test]
fn every_level_f64() {
    for level in Level::available() {
        println!("level {}", level.name());
        Runner::new()
            .run(Suite::<f64>::shared(), || Box::new(Fused::new().level(level)))
            .assert_complete_but(is_sparse_gradient);
    }
}

/// With the least memory a block has the minimum of rows and one task runs at a time.
#[test]
fn little_memory_is_enough() {
    let suite = Suite::<f64>::shared();
    Runner::new().run(suite, || Box::new(Fused::new().memory(1))).assert_complete_but(is_sparse_gradient);
}

/// The wide kernel with few classes, also with fewer classes than a vector has lanes.
#[test]
fn the_wide_kernel_takes_few_classes() {
    let suite = Suite::<f32>::shared();
    for kind in ["rows/", "ties/", "masks/", "edges/", "closed/", "shapes/", "state/"] {
        let report = Runner::new().filter(kind).run(suite, || Box::new(Fused::new().narrow_up_to(0)));
        report.assert_complete();
    }
}

/// Without these promises no case would compare bits, or not those of every level.
#[test]
fn fused_promises_reproducible_bits() {
    let mut fused = Fused::new();
    assert!(fused.descriptor().deterministic && fused.is_batch_invariant());
    let variants = SoftmaxBackend::<f32>::variants(&fused, Setting::Level);
    let names: Vec<&str> = variants.iter().map(|variant| &*variant.name).collect();
    assert_eq!(names, Level::available().into_iter().map(Level::name).collect::<Vec<_>>());
    assert!(SoftmaxBackend::<f64>::variants(&fused, Setting::Memory).len() > 1);
    assert_eq!(TwoPass::<f32>::shard_multiple(&fused), Some(256));
    assert_eq!(TwoPass::<f64>::shard_multiple(&fused), Some(128));
    assert!(SoftmaxBackend::<f32>::two_pass(&mut fused).is_some());
}

/// One instance evaluates f32 and f64 in turns: each type has scratch memory of its own.
#[test]
fn both_types_in_turns() {
    let faults = judge_in_turns(&mut Fused::new(), 0..150);
    assert!(faults.is_empty(), "{faults:#?}");
}

/// With little memory, both kernels divide it the same way whichever outputs are requested.
#[test]
fn requested_outputs_change_no_bit_with_little_memory() {
    let suite = Suite::<f32>::shared();
    for kibibytes in [40, 80, 120, 160, 200, 300] {
        for classes in [0, Fused::MOST_NARROW_CLASSES] {
            let backend = || Fused::new().memory(kibibytes << 10).narrow_up_to(classes);
            Runner::new()
                .filter("behaviour/fewer")
                .run(suite, || Box::new(backend()))
                .assert_complete_but(is_sparse_gradient);
        }
    }
}

/// A call without samples after a call with some: scratch memory must not leak into the answer.
#[test]
fn no_samples_have_no_gradient() {
    let mut backend = Fused::new();
    for classes in [3, 70] {
        let weights = Array2::from_elem((5, classes), 0.5f64);
        for samples in [4, 0] {
            let features = Array2::from_elem((samples, 5), 1.0);
            let labels = Array1::<i64>::zeros(samples);
            let problem = Problem::builder(features.view(), weights.view(), labels.view()).build().unwrap();
            let set = OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::BiasGradient);
            let mut outputs = OwnedOutputs::zeros(&problem, set);
            outputs.weights_gradient.as_mut().unwrap().fill(9.0);
            backend.evaluate(&problem, &mut outputs.as_outputs()).unwrap();
            let (dw, db) = (outputs.weights_gradient.unwrap(), outputs.bias_gradient.unwrap());
            let is_zero = dw.iter().chain(&db).all(|&g| g == 0.0);
            assert_eq!(is_zero, samples == 0, "{samples} samples, {classes} classes: {dw:?}");
        }
    }
}

/// The row stride changes no bit.
#[test]
fn the_distance_of_rows_changes_no_bit() {
    let (samples, features, classes) = (130, 450, 7);
    let wave = |i: usize, k: usize| ((i * 31 + k * 17) % 101) as f32 / 50.0 - 1.0;
    let w = Array2::from_shape_fn((features, classes), |(k, c)| wave(k + 3, c) * 0.1);
    let y = Array1::from_shape_fn(samples, |i| (i * 7 % classes) as i64);
    for level in Level::available() {
        let gradient = |stride: usize| {
            let mut x = Array2::from_elem((samples, stride), f32::NAN);
            let mut x = x.slice_mut(s![.., ..features]);
            x.indexed_iter_mut().for_each(|((i, k), x)| *x = wave(i, k));
            let problem = Problem::builder(x.view(), w.view(), y.view()).build().unwrap();
            Fused::new().level(level).gradients(&problem).unwrap().weights
        };
        let near = gradient(features);
        for stride in [512, 1024, 4096] {
            assert!(gradient(stride) == near, "rows {stride} apart at {}", level.name());
        }
    }
}

/// Rows whose lines share a cache set take another code path; few and many classes do too.
#[test]
fn every_distance_of_rows_and_number_of_classes() {
    distances::<f32>();
    distances::<f64>();
}

fn distances<T: Element>()
where
    Fused: SoftmaxBackend<T>,
{
    let set = OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::FeaturesGradient);
    for (samples, features) in [(1, 784), (7, 67), (61, 511), (130, 450), (30, 512), (20, 1027), (13, 2048)] {
        for classes in [1, 2, 3, 4, 5, 6, 7, 10, 11, 64] {
            let wave = |i: usize, k: usize| T::narrow(((i * 31 + k * 17) % 101) as f64 / 50.0 - 1.0);
            let x = Array2::from_shape_fn((samples, features), |(i, k)| wave(i, k));
            let w = Array2::from_shape_fn((features, classes), |(k, c)| wave(k + 3, c) * T::narrow(0.1));
            let y = Array1::from_shape_fn(samples, |i| (i * 7 % classes) as i64);
            let problem = Problem::builder(x.view(), w.view(), y.view()).build().unwrap();
            let reference = reference(&problem, set);
            for level in Level::available() {
                let mut outputs = OwnedOutputs::zeros(&problem, set);
                let evaluation =
                    Fused::new().level(level).evaluate(&problem, &mut outputs.as_outputs()).unwrap();
                for error in check(&evaluation, &outputs, &reference) {
                    let shape = format!("{samples}x{features}x{classes} at {}", level.name());
                    assert!(error.is_within_bound(), "{shape}: {error}");
                }
            }
        }
    }
}
