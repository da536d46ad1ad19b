//! Seeded random numbers, the same on every platform: ChaCha8, with normal numbers computed by the crate `libm`, not
//! by the system's functions.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use softmax_core::{Element, ndarray};

/// Normal weights of standard deviation 0.01 (D×C), as at the start of a training run.
pub fn random_weights<T: Element>(d: usize, c: usize, seed: u64) -> Array2<T> {
    normal(&mut ChaCha8Rng::seed_from_u64(seed), d, c, 0.01)
}

/// Normal numbers with mean 0 and the given standard deviation.
pub(crate) fn normal<T: Element>(
    rng: &mut ChaCha8Rng,
    rows: usize,
    columns: usize,
    deviation: f64,
) -> Array2<T> {
    Array2::from_shape_simple_fn((rows, columns), || {
        let z: f64 = rng.sample(StandardNormal);
        T::narrow(z * deviation)
    })
}
