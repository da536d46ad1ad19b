//! Sums over all samples, which are kept in f64: in f32 each further term would be rounded at the size of the sum.

use softmax_core::Element;
use softmax_core::ndarray::ArrayViewMut1;

/// Writes sums to an output, or adds them to what it holds.
pub(crate) fn write_sums<T: Element>(out: &mut ArrayViewMut1<'_, T>, sums: &[f64], accumulate: bool) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = if accumulate { *out + T::narrow(sum) } else { T::narrow(sum) };
    }
}
