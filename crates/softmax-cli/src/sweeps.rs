//! One cost against one size: memory against samples, time against threads, time against classes.

use softmax::{Dtype, Fused, Registry};
use softmax_record::{Shape, Sweep, Task};

/// Numbers of samples of a vocabulary's problem, where the scores are what takes memory.
const MEMORY: [usize; 4] = [256, 1024, 4096, 16384];

/// One of few classes and one of many.
const THREADS: [Shape; 2] = [Shape { n: 16384, d: 784, c: 10 }, Shape { n: 512, d: 1024, c: 1000 }];

/// Multiples of vectors, and numbers between them.
const CLASSES: [usize; 13] = [2, 4, 7, 10, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// The kernels of `fused` as backends, for the sweep of classes: one does any number of them.
pub(crate) fn kernels() -> Registry {
    let mut kernels = Registry::default();
    let wide = || Fused::new().narrow_up_to(0);
    kernels.add("wide", move |_| Box::new(wide()), move |_| Box::new(wide()));
    kernels.add("narrow", |_| Box::new(Fused::new()), |_| Box::new(Fused::new()));
    kernels
}

/// All places of all sweeps, on so many threads at most; the other libraries take part in that of memory.
pub(crate) fn tasks(backends: &[String], peers: &[String], threads: usize) -> Vec<Task> {
    let task = |sweep, shape, threads, backends| Task {
        shape,
        dtype: Dtype::F32,
        threads,
        dx: false,
        seed: 0,
        backends,
        isolated: sweep != Sweep::Classes,
        sweep: Some(sweep),
    };
    let all = [backends, peers].concat();
    let memory = MEMORY.map(|n| task(Sweep::Memory, Shape { n, d: 64, c: 2048 }, threads, all.clone()));
    let powers = (0..).map(|power| 1 << power).take_while(|&count| count < threads);
    let counts: Vec<usize> = powers.chain([threads]).collect();
    let of_threads = THREADS.iter().flat_map(|&shape| {
        counts.iter().map(move |&count| task(Sweep::Threads, shape, count, backends.to_vec()))
    });
    let classes = CLASSES.map(|c| {
        let kernels = if c <= Fused::MOST_NARROW_CLASSES { &["wide", "narrow"][..] } else { &["wide"] };
        let kernels = kernels.iter().map(|&kernel| kernel.to_owned()).collect();
        task(Sweep::Classes, Shape { n: 8192, d: 784, c }, threads, kernels)
    });
    memory.into_iter().chain(of_threads).chain(classes).collect()
}
