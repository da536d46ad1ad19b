//! H·V as matrix algebra: the derivative of formula (8) along V, by the product rule.

use crate::backend::NdArray;
use crate::forward::{Scores, Softmax};
use crate::gradient::score_gradient;
use crate::products::{features_times, features_transposed_times};
use crate::rows::column;
use crate::weights::{SampleWeights, TargetMass};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use softmax_core::{Element, HessianVectorProduct, Problem, Result};

impl<T: Element> HessianVectorProduct<T> for NdArray {
    fn hessian_vector_product(
        &mut self,
        problem: &Problem<'_, T>,
        direction: ArrayView2<'_, T>,
        product: ArrayViewMut2<'_, T>,
    ) -> Result<()> {
        problem.check_direction(direction, product.view())?;
        hessian_product(problem, (direction, None), product);
        Ok(())
    }

    fn hessian_vector_product_with_bias(
        &mut self,
        problem: &Problem<'_, T>,
        (weights, bias): (ArrayView2<'_, T>, ArrayView1<'_, T>),
        (of_weights, mut of_bias): (ArrayViewMut2<'_, T>, ArrayViewMut1<'_, T>),
    ) -> Result<()> {
        problem.check_direction(weights, of_weights.view())?;
        problem.check_bias_direction(bias, of_bias.view())?;
        let changes = hessian_product(problem, (weights, Some(bias)), of_weights);
        of_bias.assign(&changes.sum_axis(Axis(0)));
        Ok(())
    }
}

/// Writes H·V to `product`, and returns the derivative of G along the direction.
fn hessian_product<T: Element>(
    problem: &Problem<'_, T>,
    (direction, bias): (ArrayView2<'_, T>, Option<ArrayView1<'_, T>>),
    mut product: ArrayViewMut2<'_, T>,
) -> Array2<T> {
    let objective = problem.objective();
    let (two, z_loss, tau) =
        (T::narrow(2.0), T::narrow(objective.z_loss / problem.mass_unit()), T::narrow(objective.temperature));
    let mass = TargetMass::new(problem, problem.mass_unit());
    let total_mass = mass.total();
    let sample_weights = SampleWeights::new(problem, problem.mass_unit());
    let total_weight = problem.total_weight();

    let Scores { scores, slopes } = Scores::new(problem, problem.weights().to_dense().view());
    let mut score_changes = features_times(problem.features(), direction);
    if let Some(bias) = bias {
        score_changes += &bias;
    }
    score_changes /= tau;
    if let Some(slopes) = &slopes {
        score_changes *= slopes;
    }
    // The derivative of the slope 1 − (s/κ)² along V.
    let slope_changes = objective.softcap.map(|cap| &scores * &score_changes * T::narrow(-2.0 / (cap * cap)));
    let (softmax, ()) = Softmax::new(scores, |_| ());

    let swing = &total_mass + &(&softmax.lse * (two * z_loss));
    let bent = slope_changes
        .map(|slope_changes| score_gradient(softmax.clone(), &mass, &total_mass, z_loss) * slope_changes);
    let p = softmax.into_probabilities();
    let lse_changes = (&p * &score_changes).sum_axis(Axis(1));
    let mut changes =
        (score_changes - column(&lse_changes)) * column(&swing) + column(&(lse_changes * two * z_loss));
    changes *= &p;
    if let Some(slopes) = slopes {
        changes *= &slopes;
    }
    if let Some(bent) = bent {
        changes += &bent;
    }
    sample_weights.apply_to_rows(&mut changes, total_weight * objective.temperature);

    product.assign(&features_transposed_times(problem.features(), &changes, &sample_weights.counts()));
    if objective.l2 != 0.0 && problem.has_targets() {
        product.scaled_add(T::narrow(objective.l2), &direction);
    }
    changes
}
