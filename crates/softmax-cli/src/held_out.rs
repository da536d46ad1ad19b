//! Validation samples that are held out of the training data.

use crate::accuracy::Accuracy;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use softmax::ndarray::Array1;
use softmax::{BackendElement, Element};
use softmax_data::Dataset;
use softmax_fit::{Model, Result};

/// The samples of a data set that are held out, by sample weights of 0 instead of a copy.
#[derive(Debug)]
pub(crate) struct HeldOut(Vec<bool>);

impl HeldOut {
    /// Draws a random fraction of the samples, and sets their weights to 0.
    pub(crate) fn draw<T: Element>(
        dataset: &mut Dataset<T>,
        fraction: f64,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let n = dataset.features.dim().0;
        let count = (fraction * n as f64).round() as usize;
        if count == 0 || count >= n {
            anyhow::bail!(
                "--validation {fraction}: expected a part of the {n} samples, found {count} of them"
            );
        }
        let mut is_held_out = vec![false; n];
        for i in index::sample(&mut ChaCha8Rng::seed_from_u64(seed), n, count) {
            is_held_out[i] = true;
        }
        let mut weights = dataset.sample_weights.take().unwrap_or_else(|| Array1::ones(n));
        for (weight, _) in weights.iter_mut().zip(&is_held_out).filter(|(_, is_held_out)| **is_held_out) {
            *weight = T::zero();
        }
        dataset.sample_weights = Some(weights);
        Ok(HeldOut(is_held_out))
    }

    pub(crate) fn contains(&self, i: usize) -> bool {
        self.0[i]
    }

    /// The accuracies on the training samples and on the held-out ones. `None` without hard labels.
    pub(crate) fn accuracies<T: BackendElement>(
        &self,
        model: &Model<T>,
        dataset: &Dataset<T>,
    ) -> Result<(Option<Accuracy>, Option<Accuracy>)> {
        let hits = model.hits(dataset, &model.predict(dataset)?);
        let accuracy = |of_held_out: bool| {
            let of_part = self.0.iter().zip(&hits).filter(|(is_held_out, _)| **is_held_out == of_held_out);
            Accuracy::of(of_part.map(|(_, &hit)| hit))
        };
        Ok((accuracy(false), accuracy(true)))
    }
}
