//! Sums over all samples, kept in f64: in f32 the rounding error of each addition would grow with the sum.

use softmax_core::Element;
use softmax_core::ndarray::ArrayViewMut1;

/// A sum and its accumulated rounding error: D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem B.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        let sum = self.high + term;
        let added = sum - self.high;
        self.low += (self.high - (sum - added)) + (term - added);
        self.high = sum;
    }

    pub(crate) fn value(self) -> f64 {
        // The rounding error of an infinite sum is NaN.
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }
}

/// Sums the terms in sixteen interleaved chains, then adds the chains pairwise, by halves.
#[inline(always)]
pub(crate) fn sum_in_chains<T: Element>(terms: &[T]) -> T {
    let mut chains = [T::zero(); 16];
    for terms in terms.chunks(chains.len()) {
        chains.iter_mut().zip(terms).for_each(|(chain, &term)| *chain += term);
    }
    for half in [8, 4, 2, 1] {
        let (low, high) = chains.split_at_mut(half);
        low.iter_mut().zip(high).for_each(|(low, high)| *low += *high);
    }
    chains[0]
}

/// Writes sums to an output, or adds them if `accumulate` is set.
pub(crate) fn write_sums<T: Element>(out: &mut ArrayViewMut1<'_, T>, sums: &[Sum], accumulate: bool) {
    for (out, sum) in out.iter_mut().zip(sums) {
        let sum = T::narrow(sum.value());
        *out = if accumulate { *out + sum } else { sum };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_rounding_loses() {
        let mut sum = Sum::default();
        [1.0, 1e100, 1.0, -1e100].into_iter().for_each(|term| sum.add(term));
        assert_eq!(sum.value(), 2.0);
        sum.add(f64::INFINITY);
        assert_eq!(sum.value(), f64::INFINITY);
    }

    #[test]
    fn chains_sum_each_term_once() {
        for count in 0..70_u16 {
            let terms: Vec<f64> = (0..count).map(|k| f64::from(k) + 1.0).collect();
            assert_eq!(sum_in_chains(&terms), f64::from(count * (count + 1) / 2));
        }
    }
}
