//! The gradient with respect to the scores.

use crate::forward::Softmax;
use crate::rows::{column, put_along_rows, take_along_rows};
use crate::weights::TargetMass;
use ndarray::{Array1, Array2, Zip};
use softmax_core::Element;

/// (8) without its factors: (A + 2ζ·lse)·p − a.
pub(crate) fn score_gradient<T: Element>(
    softmax: Softmax<T>,
    mass: &TargetMass<T>,
    total_mass: &Array1<T>,
    z_loss: T,
) -> Array2<T> {
    // Where p is nearly 1, A·p − a loses its digits. Σ a − A·Σ p over the other classes is equal and keeps them.
    let others = softmax.rest.mapv(|rest| rest / (T::one() + rest));
    let confident = total_mass - mass.at(&softmax.best) - total_mass * &others;

    let (best, rest) = (softmax.best.clone(), softmax.rest.clone());
    let z_slopes = &softmax.lse * (T::narrow(2.0) * z_loss);
    let mut gradient = softmax.into_probabilities();
    let confident = confident + &z_slopes * &take_along_rows(gradient.view(), &best);
    gradient *= &column(&(total_mass + &z_slopes));
    mass.subtract_from(&mut gradient);

    let mut at_best = take_along_rows(gradient.view(), &best);
    Zip::from(&mut at_best).and(&confident).and(&rest).for_each(|at_best, &confident, &rest| {
        if rest < T::one() {
            *at_best = confident;
        }
    });
    put_along_rows(&mut gradient, &best, &at_best);
    gradient
}
