use ndarray::{ArrayBase, ArrayView1, Axis, DataMut, Ix2};
use softmax_core::{Element, ndarray};

/// The mean and standard deviation of each feature. Computed from one data set, they standardise other data sets in
/// the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardization {
    means: Vec<f64>,
    /// 0 for a feature that was constant.
    deviations: Vec<f64>,
}

impl Standardization {
    /// Means and standard deviations (D each) from another source; a deviation of 0 stands for a constant feature.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn new(means: Vec<f64>, deviations: Vec<f64>) -> Self {
        assert_eq!(means.len(), deviations.len(), "a mean and a deviation for each feature");
        Standardization { means, deviations }
    }

    /// Computes means and deviations in f64, from the rows of the columns for which `is_chosen` is true.
    pub fn of<'a, T: Element>(
        columns: impl IntoIterator<Item = ArrayView1<'a, T>>,
        is_chosen: impl Fn(usize) -> bool,
    ) -> Self {
        let of_column = |column: ArrayView1<'a, T>| {
            let chosen = column.into_iter().enumerate().filter(|&(row, _)| is_chosen(row));
            mean_and_deviation(chosen.map(|(_, &x)| x))
        };
        let (means, deviations) = columns.into_iter().map(of_column).unzip();
        Standardization { means, deviations }
    }

    /// The mean of each feature (D).
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The standard deviation of each feature (D); 0 if it was constant.
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }

    /// Standardises the first D columns: subtracts the mean and divides by the deviation. A feature that was constant
    /// becomes 0.
    pub fn apply<T: Element>(&self, features: &mut ArrayBase<impl DataMut<Elem = T>, Ix2>) {
        let columns = features.axis_iter_mut(Axis(1));
        for ((mut column, &mean), &deviation) in columns.zip(&self.means).zip(&self.deviations) {
            if deviation == 0.0 {
                column.fill(T::zero());
                continue;
            }
            // Scale first: a difference of the largest numbers would overflow f64.
            let scale = power_of_two(mean.abs().max(deviation));
            let (mean, deviation) = (mean / scale, deviation / scale);
            column.mapv_inplace(|x| T::narrow((x.widen() / scale - mean) / deviation));
        }
    }
}

fn mean_and_deviation<T: Element>(column: impl Iterator<Item = T> + Clone) -> (f64, f64) {
    // The mean of a constant column may be off by a rounding error, which division by a deviation of the same size
    // would turn into 1.
    let first = column.clone().next().unwrap_or_default();
    if column.clone().all(|x| x == first) {
        return (first.widen(), 0.0);
    }
    // Scale first: squares and sums of the numbers may overflow or underflow f64.
    let largest = column.clone().fold(0.0, |largest: f64, x| largest.max(x.widen().abs()));
    let (scale, count) = (power_of_two(largest), column.clone().count() as f64);
    let scaled = |x: T| x.widen() / scale;
    let mean = column.clone().map(scaled).sum::<f64>() / count;
    let variance = column.map(|x| (scaled(x) - mean).powi(2)).sum::<f64>() / count;
    (mean * scale, variance.sqrt() * scale)
}

/// The largest power of two at or below a positive number, but at least `f64::MIN_POSITIVE`. Division by it is exact,
/// except on underflow.
fn power_of_two(number: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    f64::from_bits(number.to_bits() & EXPONENT).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_feature_of_any_size_is_standardized() {
        let expected = [-1.0, 1.0, 1.0, -1.0];
        for size in [1.0, 1e200, 1e-200, 5e307, 5e-324, -1e250] {
            let mut features = array![[1.0], [3.0], [3.0], [1.0]].mapv(|x: f64| x * size);
            Standardization::of(features.columns(), |_| true).apply(&mut features);
            for (x, expected) in features.iter().zip(expected) {
                assert!((x * size.signum() - expected).abs() < 1e-14, "{size:e}: {x}");
            }
        }
    }

    #[test]
    fn other_data_is_standardized_with_the_means_of_the_training_data() {
        let first = array![[1.0f32, 5.0], [3.0, 5.0], [9.0, 9.0]];
        let standardization = Standardization::of(first.columns(), |row| row < 2);
        let mut other = array![[5.0f32, 6.0]];
        standardization.apply(&mut other);
        assert_eq!(other, array![[3.0, 0.0]]);
    }
}
