//! The sweeps of `softmax bench`, each one cost against one size: memory against samples, time against threads, and
//! time against classes for several variants of `fused`.

mod storage;

use softmax::{Dtype, Fused, InShards, Registry};
use softmax_record::{Shape, Sweep, Task};
pub(crate) use storage::round_to_halves;
use storage::{Halves, InHalves};

/// The numbers of samples of the memory sweep. Its problem has many classes, so that scores take the most memory.
const MEMORY: [usize; 4] = [256, 1024, 4096, 16384];

/// The shapes of the thread sweep: one with few classes and one with many.
const THREADS: [Shape; 2] = [Shape { n: 16384, d: 784, c: 10 }, Shape { n: 512, d: 1024, c: 1000 }];

/// The numbers of classes of the kernel sweep: multiples of the vector length, and numbers between them.
const CLASSES: [usize; 13] = [2, 4, 7, 10, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// The numbers of classes of the sweep over one and two passes, from few to those of a vocabulary.
const PASSES: [usize; 5] = [10, 64, 256, 1000, 4096];

/// The numbers of classes of the storage sweep, from a memory-bound problem to a compute-bound one.
const STORAGE: [usize; 5] = [2, 10, 32, 128, 512];

/// The variants of `fused` that sweeps compare, as backends with the names that the tasks use.
pub(crate) fn ways() -> Registry {
    let mut ways = Registry::default();
    let wide = || Fused::new().narrow_up_to(0);
    ways.add("wide", move |_| Box::new(wide()), move |_| Box::new(wide()));
    for name in ["narrow", "one pass", "f32"] {
        ways.add(name, |_| Box::new(Fused::new()), |_| Box::new(Fused::new()));
    }
    let two = || InShards::new(Fused::new(), 1);
    ways.add("two passes", move |_| Box::new(two()), move |_| Box::new(two()));
    for (name, halves) in [("f16", Halves::F16), ("bf16", Halves::Bf16)] {
        let make = move || InHalves::new(Fused::new(), halves);
        ways.add(name, move |_| Box::new(make()), move |_| Box::new(make()));
    }
    ways
}

/// The tasks of all sweeps, on at most `threads` threads. The other libraries, `peers`, are in the memory sweep only.
pub(crate) fn tasks(backends: &[String], peers: &[String], threads: usize) -> Vec<Task> {
    let task = |sweep: Sweep, shape, threads, backends| Task {
        shape,
        dtype: Dtype::F32,
        threads,
        dx: false,
        seed: 0,
        backends,
        isolated: !sweep.is_of_subject(),
        sweep: Some(sweep),
    };
    let ways = |sweep, shape, ways: &[&str]| {
        task(sweep, shape, threads, ways.iter().map(|&way| way.to_owned()).collect())
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
        ways(Sweep::Classes, Shape { n: 8192, d: 784, c }, kernels)
    });
    let passes =
        PASSES.map(|c| ways(Sweep::Passes, Shape { n: 2048, d: 512, c }, &["one pass", "two passes"]));
    let storage =
        STORAGE.map(|c| ways(Sweep::Storage, Shape { n: 32768, d: 784, c }, &["f32", "f16", "bf16"]));
    memory.into_iter().chain(of_threads).chain(classes).chain(passes).chain(storage).collect()
}
