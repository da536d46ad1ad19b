//! Formulas (1) to (5), from features to probabilities, on whole arrays.

use crate::products::features_times;
use crate::rows::{argmax_rows, column, put_along_rows, take_along_rows};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use softmax_core::{Element, Problem};

/// Scores s (N×C) and their slopes.
pub(crate) struct Scores<T> {
    pub(crate) scores: Array2<T>,
    /// ∂s/∂raw (N×C); `None` without a softcap.
    pub(crate) slopes: Option<Array2<T>>,
}

impl<T: Element> Scores<T> {
    /// (1) and (2).
    pub(crate) fn new(problem: &Problem<'_, T>, weights: ArrayView2<'_, T>) -> Self {
        let mut scores = features_times(problem.features(), weights);
        if let Some(bias) = problem.bias() {
            scores += &bias;
        }
        let temperature = problem.objective().temperature;
        if temperature != 1.0 {
            scores /= T::narrow(temperature);
        }
        let slopes = problem.objective().softcap.map(|cap| {
            let cap = T::narrow(cap);
            scores /= cap;
            let slopes = scores.mapv(sech_squared);
            scores.mapv_inplace(|z| cap * z.tanh());
            slopes
        });
        Scores { scores, slopes }
    }
}

/// The softmax of each row, as the terms that the loss needs.
#[derive(Clone)]
pub(crate) struct Softmax<T> {
    /// exp(s − m) (N×C).
    pub(crate) exps: Array2<T>,
    /// argmax_c s (N).
    pub(crate) best: Array1<usize>,
    /// Σ exps over the classes other than the best (N). The exp of the best is 1.
    pub(crate) rest: Array1<T>,
    /// log(1 + rest) = lse − m (N).
    pub(crate) log_rest: Array1<T>,
    /// The log-sum-exp (N).
    pub(crate) lse: Array1<T>,
}

impl<T: Element> Softmax<T> {
    /// (3) and (4). `visit` reads s − m before it is overwritten with its exponential.
    pub(crate) fn new<V>(mut scores: Array2<T>, visit: impl FnOnce(&Array2<T>) -> V) -> (Self, V) {
        let best = argmax_rows(&scores);
        let max = take_along_rows(scores.view(), &best);
        scores -= &column(&max);
        let visited = visit(&scores);
        let mut exps = scores;
        exps.mapv_inplace(T::exp);
        // The sum leaves out the largest term, which is exactly 1. So the others keep their digits in log1p.
        let at_best = take_along_rows(exps.view(), &best);
        put_along_rows(&mut exps, &best, &Array1::zeros(best.len()));
        let mut rest = exps.sum_axis(Axis(1));
        // With a single class, no other term carries the NaN.
        rest.zip_mut_with(&max, |rest, &max| *rest = if max.is_nan() { max } else { *rest });
        put_along_rows(&mut exps, &best, &at_best);
        let log_rest = rest.mapv(T::ln_1p);
        let lse = &max + &log_rest;
        (Softmax { exps, best, rest, log_rest, lse }, visited)
    }

    /// (5): p (N×C), in the memory of the exponentials. The quotient keeps digits that exp(s − lse) would lose
    /// where lse is large.
    pub(crate) fn into_probabilities(self) -> Array2<T> {
        let mut p = self.exps;
        p /= &column(&(&self.rest + T::one()));
        p
    }
}

/// The derivative of tanh: 1 − tanh², computed without cancellation.
pub(crate) fn sech_squared<T: Element>(z: T) -> T {
    let e = (T::narrow(-2.0) * z.abs()).exp();
    T::narrow(4.0) * e / ((T::one() + e) * (T::one() + e))
}
