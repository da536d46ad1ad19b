//! Seeded random problems, with the same numbers on every platform.

use crate::dataset::Dataset;
use crate::random::normal;
use crate::stores::TargetStore;
use ndarray::Array1;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use softmax_core::{Element, ndarray};

/// A random problem: standard normal features (N×D), normal weights of variance 1/D (D×C), which give scores of
/// variance about 1, and uniform labels.
///
/// The f32 numbers of a seed are its f64 numbers, rounded.
///
/// # Panics
/// If there are samples but no classes: `n > 0` and `c == 0`.
pub fn synthetic<T: Element>(n: usize, d: usize, c: usize, seed: u64) -> Dataset<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let features = normal(&mut rng, n, d, 1.0);
    let weights = normal(&mut rng, d, c, 1.0 / (d.max(1) as f64).sqrt());
    let labels = Array1::from_shape_simple_fn(n, || rng.random_range(0..c as u64) as i64);
    let mut dataset =
        Dataset::new(format!("synthetic {n}x{d}x{c} seed {seed}"), features, TargetStore::Labels(labels));
    dataset.weights = Some(weights.into());
    dataset
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn features<T: Element>(data: Dataset<T>) -> Array2<T> {
        data.features.into_dense()
    }

    #[test]
    fn gives_the_same_numbers_everywhere() {
        let data = synthetic::<f64>(2, 2, 3, 7);
        let TargetStore::Labels(labels) = data.targets.clone() else { panic!("synthetic labels are hard") };
        // Recorded on x86-64 Linux. They must be the same on other platforms and with later versions of the
        // dependencies.
        let recorded = [-0.7753719332177971, -1.3834217200084091, 0.8897130187430372, 0.3597790583440233];
        assert_eq!(features(data).as_slice(), Some(&recorded[..]));
        assert_eq!(labels.to_vec(), [0, 1]);
    }

    #[test]
    fn f32_is_f64_rounded() {
        let (wide, narrow) = (synthetic::<f64>(3, 4, 5, 1), synthetic::<f32>(3, 4, 5, 1));
        let weights =
            (wide.weights.clone().unwrap().into_dense(), narrow.weights.clone().unwrap().into_dense());
        assert_eq!(weights.0.mapv(|w| w as f32), weights.1);
        assert_eq!(features(wide).mapv(|x| x as f32), features(narrow));
    }
}
