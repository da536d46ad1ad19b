//! Coefficients of formula (11): the factors of each sample's loss, entropy and lse in the objective that is
//! differentiated.

use super::inputs::Inputs;
use super::real::Real;

/// N coefficients of each quantity. Those of the losses default to u_i/Ω, the others to 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coefficients {
    pub(crate) losses: Option<Vec<f64>>,
    pub(crate) entropy: Option<Vec<f64>>,
    pub(crate) log_sum_exp: Option<Vec<f64>>,
}

/// The coefficients of one sample.
#[derive(Clone, Copy)]
pub(super) struct OfSample<R> {
    pub(super) loss: R,
    pub(super) entropy: R,
    pub(super) log_sum_exp: R,
}

impl Coefficients {
    pub(super) fn of<R: Real>(&self, inputs: &Inputs, i: usize, total_weight: R) -> OfSample<R> {
        let given = |given: &Option<Vec<f64>>| given.as_ref().map_or(R::zero(), |given| R::from(given[i]));
        OfSample {
            loss: match &self.losses {
                Some(losses) => R::from(losses[i]),
                None => R::from(inputs.sample_weights[i]) / total_weight,
            },
            entropy: given(&self.entropy),
            log_sum_exp: given(&self.log_sum_exp),
        }
    }

    /// Whether samples without targets have gradients.
    pub(super) fn reach_past_targets(&self) -> bool {
        self.entropy.is_some() || self.log_sum_exp.is_some()
    }
}
