//! Sums over the samples, in blocks. A single running sum in the element type would round each new term to the
//! precision of the large total.

use softmax_core::Element;
use softmax_core::ndarray::{Array, ArrayViewMut, Dimension, ShapeBuilder};

/// Samples per block. The terms of a block are summed in the element type, then added to the total in f64.
const BLOCK: usize = 128;

/// The sum over samples of an array such as dW or db.
pub(crate) struct Sums<T, D: Dimension> {
    block: Array<T, D>,
    samples_in_block: usize,
    total: Array<f64, D>,
}

impl<T: Element, D: Dimension> Sums<T, D> {
    pub(crate) fn zeros<S: ShapeBuilder<Dim = D> + Clone>(shape: S) -> Self {
        Sums { block: Array::zeros(shape.clone()), samples_in_block: 0, total: Array::zeros(shape) }
    }

    /// Adds one sample: `add` adds the sample's terms to the array of the current block.
    pub(crate) fn sample(&mut self, add: impl FnOnce(&mut Array<T, D>)) {
        add(&mut self.block);
        self.samples_in_block += 1;
        if self.samples_in_block == BLOCK {
            self.finish_block();
        }
    }

    /// Adds one term to each entry of the total.
    pub(crate) fn add(&mut self, terms: &Array<f64, D>) {
        self.total += terms;
    }

    /// Writes the sums to `out`, or adds them to its contents if `accumulate`.
    pub(crate) fn write(mut self, out: &mut ArrayViewMut<'_, T, D>, accumulate: bool) {
        self.finish_block();
        out.zip_mut_with(&self.total, |out, &sum| {
            *out = if accumulate { *out + T::narrow(sum) } else { T::narrow(sum) };
        });
    }

    fn finish_block(&mut self) {
        self.total.zip_mut_with(&self.block, |total, &sum| *total += sum.widen());
        self.block.fill(T::zero());
        self.samples_in_block = 0;
    }
}
