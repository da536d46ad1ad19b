//! H·V: the sum over samples of the derivative of G along V, times the sample's features.

use crate::sample::Sample;
use crate::sums::Sums;
use crate::{Naive, label_weight, total_weight};
use softmax_core::ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Ix1, Ix2};
use softmax_core::{Element, HessianVectorProduct, Problem, Result};

impl<T: Element> HessianVectorProduct<T> for Naive {
    fn hessian_vector_product(
        &mut self,
        problem: &Problem<'_, T>,
        direction: ArrayView2<'_, T>,
        mut product: ArrayViewMut2<'_, T>,
    ) -> Result<()> {
        problem.check_direction(direction, product.view())?;
        products(problem, direction, None).0.write(&mut product, false);
        Ok(())
    }

    fn hessian_vector_product_with_bias(
        &mut self,
        problem: &Problem<'_, T>,
        (weights, bias): (ArrayView2<'_, T>, ArrayView1<'_, T>),
        (mut of_weights, mut of_bias): (ArrayViewMut2<'_, T>, ArrayViewMut1<'_, T>),
    ) -> Result<()> {
        problem.check_direction(weights, of_weights.view())?;
        problem.check_bias_direction(bias, of_bias.view())?;
        let (sums, bias_sums) = products(problem, weights, Some(bias));
        sums.write(&mut of_weights, false);
        bias_sums.write(&mut of_bias, false);
        Ok(())
    }
}

/// The derivatives of dW and db along V (`direction`) and v (`bias`).
fn products<T: Element>(
    problem: &Problem<'_, T>,
    direction: ArrayView2<'_, T>,
    bias: Option<ArrayView1<'_, T>>,
) -> (Sums<T, Ix2>, Sums<T, Ix1>) {
    let features = problem.features();
    let (n, c) = (problem.n_samples(), problem.n_classes());
    let (mut sums, mut bias_sums) = (Sums::zeros(direction.dim()), Sums::zeros(c));
    let total_weight = total_weight(problem, |i| label_weight(problem, i));
    let mut sample = Sample::new(c);
    let mut score_direction = vec![T::zero(); c];
    for i in (0..n).filter(|&i| problem.counts(i)) {
        sample.score(problem, i);
        sample.loss(problem, i);
        for (j, change) in score_direction.iter_mut().enumerate() {
            let product: T = features.row(i).map(|(k, x)| x * direction[[k, j]]).sum();
            *change = product + bias.map_or(T::zero(), |bias| bias[j]);
        }
        let change = sample.score_gradient_change(problem, i, &score_direction, total_weight);
        sums.sample(|sums| {
            for (k, x) in features.row(i) {
                for j in 0..c {
                    sums[[k, j]] += change[j] * x;
                }
            }
        });
        bias_sums.sample(|sums| (0..c).for_each(|j| sums[j] += change[j]));
    }
    let l2 = T::narrow(problem.objective().l2).widen();
    if l2 != 0.0 && problem.has_targets() {
        sums.add(&direction.mapv(|v| l2 * v.widen()));
    }
    (sums, bias_sums)
}
