//! The conformance suite over ranks. The program starts itself again with `mpirun`, as 1 to 4 ranks.

use mpi::Threading;
use softmax_conformance::{FILTER_VARIABLE, Runner, Suite};
use softmax_core::ndarray::{Array1, Array2, array};
use softmax_core::{Dtype, Feature, Objective, Outputs, OwnedCsr, Problem, SoftmaxBackend};
use softmax_fused::Fused;
use softmax_mpi::{ClassParallel, Grid, Ranks, SampleParallel, Whole, Wire};
use softmax_naive::Naive;
use softmax_ndarray::NdArray;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// The argument with which the program is started as a rank.
const AS_RANK: &str = "--as-rank";

/// The kinds of cases that run: combinations of options, sizes and outputs, in f64 with two ranks alone, and cases that
/// ranks may get wrong. The variable [`FILTER_VARIABLE`] selects other cases.
const KINDS: [&str; 4] = ["crossed/", "edges/", "masks/", "state/"];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == AS_RANK) {
        return as_rank();
    }
    // List this test like those of the standard harness, for tools that count tests.
    if words.iter().any(|word| word == "--list") {
        println!("ranks: test");
        return ExitCode::SUCCESS;
    }
    let program = std::env::current_exe().expect("a program has a path");
    for ranks in ["1", "2", "3", "4"] {
        let started = Instant::now();
        let mut mpirun = Command::new("mpirun");
        // The timeout ends ranks that would wait for each other forever.
        mpirun.args(["--allow-run-as-root", "--oversubscribe", "--timeout", "1200", "-n", ranks]);
        mpirun.arg(&program).arg(AS_RANK);
        let status = mpirun.status().expect("mpirun starts (Debian: openmpi-bin)");
        println!("{ranks} ranks: {status}, {:.1} s", started.elapsed().as_secs_f64());
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn as_rank() -> ExitCode {
    let (_universe, threading) =
        mpi::initialize_with_threading(Threading::Multiple).expect("MPI is not initialized yet");
    assert!(threading >= Threading::Serialized, "a backend is called by threads of pools, one at a time");
    let ranks = Ranks::world();
    disagreements_are_errors_on_all_ranks(&ranks);
    traffic_matches_the_documented_model(&ranks);
    let (single, double) = (Suite::<f32>::shared(), Suite::<f64>::shared());
    let samples = Grid { samples: ranks.size(), classes: 1 };
    let classes = Grid { samples: 1, classes: ranks.size() };
    let mut passes = conforms(single, samples, Fused::new, None);
    if ranks.size().is_multiple_of(2) {
        passes &= conforms(single, classes, Fused::new, None);
    }
    // Shards of any size: at its own multiple, `Fused` would have few shards. `Naive` and `NdArray` have no multiple.
    passes &= conforms(single, classes, Fused::new, Some(1));
    passes &= conforms(single, classes, Naive::new, None);
    passes &= conforms(double, classes, Fused::new, Some(1));
    passes &= conforms(double, classes, Naive::new, None);
    if ranks.size() == 4 {
        let both = Grid { samples: 2, classes: 2 };
        passes &= conforms(single, both, Fused::new, Some(1));
        passes &= conforms(double, both, NdArray::new, None);
    }
    if passes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A problem of three classes: the rank's features, zeros for W, and labels.
fn small(ranks: &Ranks) -> (Array2<f64>, Array2<f64>, Array1<usize>) {
    let samples = 5 + ranks.rank();
    let features = Array2::from_shape_fn((samples, 4), |(i, k)| (i * 3 + k) as f64 / 7.0);
    (features, Array2::zeros((4, 3)), Array1::from_shape_fn(samples, |i| i % 3))
}

/// Each of these is an error on all ranks: different options on one rank, a backend that fails on one rank, and
/// classes that are not consecutive.
fn disagreements_are_errors_on_all_ranks(ranks: &Ranks) {
    if ranks.size() == 1 {
        return;
    }
    let (x, w, y) = small(ranks);
    let last = ranks.rank() == ranks.size() - 1;
    let smoothing = if last { 0.1 } else { 0.0 };
    let objective = Objective { label_smoothing: smoothing, ..Objective::default() };
    let problem = Problem::builder(x.view(), w.view(), y.view()).objective(objective).build().unwrap();
    let error = SampleParallel::new(Fused::new(), ranks.clone()).loss(&problem).unwrap_err().to_string();
    assert!(error.contains("found other options, sizes or outputs on rank"), "{error}");

    // dX of sparse features, which is not supported, on the last rank only.
    let dense = Problem::builder(x.view(), w.view(), y.view()).build().unwrap();
    let csr = OwnedCsr::new(x.dim(), vec![0; x.nrows() + 1], Vec::new(), Vec::new()).unwrap();
    let sparse = Problem::builder(csr.view(), w.view(), y.view()).build().unwrap();
    let mut dx = Array2::zeros(x.dim());
    let mut outputs = Outputs { features_gradient: Some(dx.view_mut()), ..Outputs::default() };
    let problem = if last { &sparse } else { &dense };
    let mut backend = SampleParallel::new(Fused::new(), ranks.clone());
    let error = backend.evaluate(problem, &mut outputs).unwrap_err().to_string();
    let names_rank = error.contains(&format!("rank {}:", ranks.size() - 1));
    assert!(names_rank != last && error.contains("does not support"), "{error}");
    // The backend can be used again afterwards.
    assert!(backend.loss(&dense).unwrap().is_finite());

    // Each rank has only the first class.
    let (x, y) = (Array2::<f64>::zeros((3, 4)), array![0, 1, 2]);
    let whole = Problem::builder(x.view(), w.view(), y.view()).build().unwrap();
    let error =
        ClassParallel::new(Fused::new(), ranks.clone()).loss(&whole.shard(0..1)).unwrap_err().to_string();
    assert!(error.contains("rank 1: expected classes from 1 on, found 0 up to 1"), "{error}");
}

/// A call sends the number of bytes that docs/SCALING.md gives, plus the words with which ranks agree.
fn traffic_matches_the_documented_model(ranks: &Ranks) {
    let others = (ranks.size() - 1) as f64;
    let (n, d, c) = (100, 24, 1024 * ranks.size());
    let x = Array2::from_shape_fn((n, d), |(i, k)| ((i * 5 + k) % 11) as f32 - 5.0);
    let w = Array2::from_shape_fn((d, c), |(k, c)| ((k * 7 + c) % 13) as f32 / 13.0);
    let y = Array1::from_shape_fn(n, |i| (i * 31) % c);
    let problem = Problem::builder(x.view(), w.view(), y.view()).build().unwrap();
    let sent = |call: &mut dyn FnMut()| {
        let before = ranks.traffic().bytes;
        call();
        (ranks.traffic().bytes - before) as f64
    };
    let words = 1000.0 * others;

    let mut samples = SampleParallel::new(Fused::new(), ranks.clone());
    let found = sent(&mut || assert!(samples.gradients(&problem).is_ok()));
    let model = 2.0 * (4 * (d * c + c)) as f64 * others / ranks.size() as f64;
    assert!((model..=model + words).contains(&found), "samples: {found} bytes, {model} in the model");

    let own = ranks.rank() * 1024..(ranks.rank() + 1) * 1024;
    let (shard, groups) = (problem.shard(own), 4.0);
    let mut classes = ClassParallel::new(Fused::new(), ranks.clone());
    let found = sent(&mut || assert!(classes.loss(&shard).unwrap() > 0.0));
    let model = (n as f64 * (groups * 36.0 + 8.0)) * others;
    assert!((model..=model + words).contains(&found), "classes: {found} bytes, {model} in the model");

    let mut dx = Array2::zeros((n, d));
    let mut outputs = Outputs { features_gradient: Some(dx.view_mut()), ..Outputs::default() };
    let found = sent(&mut || assert!(classes.evaluate(&shard, &mut outputs).is_ok()));
    let is_last = ranks.rank() == ranks.size() - 1;
    let of_dx = (4 * n * d) as f64 * if is_last { others } else { 1.0 };
    assert!((model + of_dx..=model + of_dx + words).contains(&found), "dX: {found} bytes beside {model}");
}

fn conforms<T: Wire, B: SoftmaxBackend<T> + 'static>(
    suite: &Suite<T>,
    grid: Grid,
    backend: impl Fn() -> B + Sync,
    multiple: Option<usize>,
) -> bool {
    let ranks = Ranks::world();
    let make = || {
        let whole = Whole::new(backend(), Ranks::world(), grid);
        let whole = match multiple {
            Some(multiple) => whole.cut_at(multiple),
            None => whole,
        };
        Box::new(whole) as Box<dyn SoftmaxBackend<T>>
    };
    let started = Instant::now();
    let kinds = match std::env::var(FILTER_VARIABLE) {
        Ok(filter) => vec![filter],
        // Each rank computes the references. Those of the crossed cases take most of the time.
        Err(_) if T::DTYPE == Dtype::F64 && ranks.size() != 2 => {
            KINDS[1..].iter().map(|&kind| kind.into()).collect()
        }
        Err(_) => KINDS.map(String::from).to_vec(),
    };
    let mut passes = true;
    let mut count = 0;
    for kind in kinds {
        let report = Runner::new().filter(kind).run(suite, make);
        count += report.passed;
        let lacking = report.unsupported.iter().find(|case| case.feature != Feature::CsrFeaturesGradient);
        if !report.is_success() || lacking.is_some() {
            println!("rank {}: {report}", ranks.rank());
            passes = false;
        }
    }
    if ranks.rank() == 0 {
        let name = make().descriptor().name;
        println!("{name}, {}: {count} cases, {:.1} s", T::DTYPE, started.elapsed().as_secs_f64());
    }
    passes
}
