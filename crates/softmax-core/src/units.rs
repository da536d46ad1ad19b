//! The total weight Ω, and power-of-two units near the largest class weight and sample weight.

use crate::element::Element;
use crate::objective::Reduction;
use crate::problem::Problem;
use crate::targets::Targets;
use ndarray::ArrayView1;

impl<T: Element> Problem<'_, T> {
    /// A power of two near the largest of |class weights| and ζ; 1 without class weights. Target masses in this unit
    /// neither overflow nor lose digits in `T` before the division by Ω, and the scaling does not round. The inverse is
    /// representable in f32.
    pub fn mass_unit(&self) -> f64 {
        self.mass_unit_for(self.largest_class_weight())
    }

    /// A power of two near the largest |sample weight|; 1 without sample weights.
    pub fn sample_weight_unit(&self) -> f64 {
        self.sample_weights().map_or(1.0, |weights| near_power_of_two(largest(weights)))
    }

    /// The largest |class weight|; `None` without class weights.
    pub(crate) fn largest_class_weight(&self) -> Option<f64> {
        self.class_weights().map(largest)
    }

    /// The [mass unit](Self::mass_unit), given the largest |class weight| over all shards.
    pub(crate) fn mass_unit_for(&self, largest: Option<f64>) -> f64 {
        largest.map_or(1.0, |largest| near_power_of_two(largest.max(self.objective().z_loss)))
    }

    /// The class weight of sample `i`'s label. 0 if the sample has no label or is ignored, or if the class is in
    /// another shard.
    pub(crate) fn label_weight(&self, i: usize) -> f64 {
        let weight = |label| self.class_weights().map_or(1.0, |weights| weights[label].widen());
        self.label(i).map_or(0.0, weight)
    }

    /// Ω of formula (7). `label_weight` returns the class weight of a sample's label.
    pub(crate) fn sum_weights(&self, label_weight: impl Fn(usize) -> f64) -> f64 {
        let sample_weight = |i: usize| self.sample_weights().map_or(1.0, |u| u[i].widen());
        let samples = 0..self.n_samples();
        match (self.targets(), self.objective().reduction) {
            (Targets::None, _) => 0.0,
            (_, Reduction::Sum) => 1.0,
            (_, Reduction::Mean) if let Some(total) = self.given_total_weight() => total,
            (Targets::Soft(_), Reduction::Mean) => samples.map(sample_weight).sum(),
            (Targets::Labels(_), Reduction::Mean) => {
                let counted = samples.filter(|&i| self.counts(i));
                counted.map(|i| sample_weight(i) * label_weight(i)).sum()
            }
        }
    }
}

/// The largest |weight|; 0 if there are none.
fn largest<T: Element>(weights: ArrayView1<'_, T>) -> f64 {
    weights.iter().fold(0.0, |max, weight| max.max(weight.widen().abs()))
}

/// A power of two near `x`, from 2⁻¹²⁶ to 2¹²⁶; 1 if `x` is 0.
fn near_power_of_two(x: f64) -> f64 {
    if x > 0.0 { x.log2().floor().clamp(-126.0, 126.0).exp2() } else { 1.0 }
}
