//! Times calls over ranks, for the measurements of docs/SCALING.md. Each rank generates its part of the problem.
//!
//! ```sh
//! cargo build --release -p softmax-mpi --example scaling
//! mpirun -n 2 target/release/examples/scaling samples 1024x1024x32768
//! mpirun -n 2 target/release/examples/scaling classes 1024x1024x32768 dX
//! ```

use ndarray::{Array1, Array2};
use softmax_core::{OutputKind, OutputSet, OwnedOutputs, Problem, Result, SoftmaxBackend};
use softmax_fused::Fused;
use softmax_mpi::{ClassParallel, Ranks, SampleParallel};
use std::process::ExitCode;
use std::time::Instant;

/// The number of timed calls, after one warm-up call.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let sizes = words.get(1).map(|shape| shape.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>());
    let (Some(mode), Some(Ok(sizes))) = (words.first(), sizes) else { return usage() };
    let [n, d, c] = sizes[..] else { return usage() };
    let has_dx = words.get(2).is_some_and(|word| word == "dX");
    let _universe = mpi::initialize().expect("MPI is not initialized yet");
    let ranks = Ranks::world();
    let done = match mode.as_str() {
        "samples" => by_samples(&ranks, (n, d, c), has_dx),
        "classes" => by_classes(&ranks, (n, d, c), has_dx),
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scaling: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("scaling: expected samples|classes NxDxC [dX]");
    ExitCode::from(2)
}

fn number(i: usize, j: usize) -> f32 {
    ((i * 7919 + j * 104_729) % 2003) as f32 / 1001.5 - 1.0
}

fn by_samples(ranks: &Ranks, (n, d, c): (usize, usize, usize), has_dx: bool) -> Result<()> {
    let of = |rank: usize| rank * n / ranks.size();
    let rows = of(ranks.rank())..of(ranks.rank() + 1);
    let features = Array2::from_shape_fn((rows.len(), d), |(i, k)| number(rows.start + i, k));
    let weights = Array2::from_shape_fn((d, c), |(k, class)| number(k, class) / 32.0);
    let labels = Array1::from_shape_fn(rows.len(), |i| (rows.start + i) * 31 % c);
    let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
    time(&mut SampleParallel::new(Fused::new(), ranks.clone()), &problem, ranks, has_dx)
}

fn by_classes(ranks: &Ranks, (n, d, c): (usize, usize, usize), has_dx: bool) -> Result<()> {
    // Cut at whole groups of 256 classes, the multiple of `fused` in f32.
    let of = |rank: usize| (rank * c.div_ceil(256) / ranks.size() * 256).min(c);
    let classes = of(ranks.rank())..of(ranks.rank() + 1);
    let features = Array2::from_shape_fn((n, d), |(i, k)| number(i, k));
    let weights =
        Array2::from_shape_fn((d, classes.len()), |(k, class)| number(k, classes.start + class) / 32.0);
    let labels = Array1::from_shape_fn(n, |i| i * 31 % c);
    let problem =
        Problem::builder(features.view(), weights.view(), labels.view()).shard(classes.start, c).build()?;
    time(&mut ClassParallel::new(Fused::new(), ranks.clone()), &problem, ranks, has_dx)
}

fn time(
    backend: &mut impl SoftmaxBackend<f32>,
    problem: &Problem<'_, f32>,
    ranks: &Ranks,
    has_dx: bool,
) -> Result<()> {
    let mut set = OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::BiasGradient);
    if has_dx {
        set = set.with(OutputKind::FeaturesGradient);
    }
    let mut outputs = OwnedOutputs::zeros(problem, set);
    let mut seconds = Vec::new();
    let mut sent = 0;
    for round in 0..=ROUNDS {
        let (before, started) = (ranks.traffic().bytes, Instant::now());
        backend.evaluate(problem, &mut outputs.as_outputs())?;
        if round > 0 {
            seconds.push(started.elapsed().as_secs_f64());
            sent = ranks.traffic().bytes - before;
        }
    }
    seconds.sort_by(f64::total_cmp);
    if ranks.rank() == 0 {
        let (name, median, sent) = (backend.descriptor().name, seconds[ROUNDS / 2], sent as f64 / 1e6);
        println!(
            "{name}: {median:.3} s, {sent:.1} MB sent by the first rank, {} resident at most",
            resident()
        );
    }
    Ok(())
}

/// The peak resident set size of this process, as Linux reports it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("unknown".to_owned(), |peak| peak.trim().to_owned())
}
