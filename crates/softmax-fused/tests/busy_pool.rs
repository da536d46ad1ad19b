//! If all workers of the pool are busy, the caller does the work alone and does not wait for them. A test program of
//! its own, since it uses rayon's global pool.

use softmax_fused::ndarray::{Array1, Array2};
use softmax_fused::{Fused, Problem, SoftmaxBackend};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

/// Maximum time that the workers are busy: longer than any evaluation here takes.
const BUSY: Duration = Duration::from_secs(60);

#[test]
fn a_busy_pool_delays_nobody() {
    let workers = rayon::current_num_threads();
    let all_are_busy = Arc::new(Barrier::new(workers + 1));
    let mut releases = Vec::new();
    for _ in 0..workers {
        let (release, released) = mpsc::channel::<()>();
        let all_are_busy = Arc::clone(&all_are_busy);
        rayon::spawn(move || {
            all_are_busy.wait();
            // Busy until the caller has finished; the caller must not wait for this.
            let _ = released.recv_timeout(BUSY);
        });
        releases.push(release);
    }
    all_are_busy.wait();
    // Both kernels, with enough work for several threads.
    for (n, d, c) in [(5000, 60, 10), (300, 40, 900)] {
        let features = Array2::from_shape_fn((n, d), |(i, k)| ((i * 31 + k * 17) % 13) as f32 / 13.0);
        let weights = Array2::from_shape_fn((d, c), |(k, j)| ((k * 7 + j * 3) % 11) as f32 / 11.0);
        let labels = Array1::from_shape_fn(n, |i| (i % c) as i64);
        let problem = Problem::builder(features.view(), weights.view(), labels.view()).build().unwrap();
        let start = Instant::now();
        let loss = Fused::new().gradients(&problem).unwrap().loss;
        assert!(loss.is_finite());
        assert!(start.elapsed() < BUSY / 2, "{c} classes took {:?}", start.elapsed());
    }
    releases.into_iter().for_each(drop);
}
