//! Losses and score gradients of a chunk of rows in closed form: formulas (1) to (8), and (11) for entropies. Uses as
//! few operations on the full N×C scores as possible; terms of the largest score or the label alone are computed in N×1
//! columns.

use crate::facts::{Facts, FactsWanted, mean_distance};
use crate::functions::{exp, log1p};
use crate::problem::{Inputs, TargetMass};
use crate::scores::scores;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};
use softmax_core::Objective;

/// State of a chunk after its forward pass. `other_exps`, `slopes` and the scores s are N×C, the other tensors N×1.
pub(crate) struct Chunk {
    /// exp(s − m), with 0 in place of 1 at the largest score.
    other_exps: Tensor<2>,
    /// Σ other_exps.
    rest: Tensor<2>,
    /// ∂s/∂raw, if there is a softcap.
    slopes: Option<Tensor<2>>,
    /// s and m, kept if row facts or the gradient of entropies are requested.
    scores: Option<(Tensor<2>, Tensor<2>)>,
    pub(crate) facts: Facts,
    /// argmax_c s.
    pub(crate) best: Tensor<2, Int>,
    pub(crate) lse: Tensor<2>,
    /// ℓ.
    pub(crate) losses: Tensor<2>,
}

impl Chunk {
    /// The forward pass: formulas (1) to (6).
    pub(crate) fn new(inputs: &Inputs, objective: &Objective, asked: &Asked) -> Self {
        let (scores, slopes) = scores(inputs, objective);
        let kept = (asked.entropy.is_some() || asked.facts.is_some()).then(|| scores.clone());
        let (_, best) = scores.clone().max_dim_with_indices(1);
        let max = scores.clone().gather(1, best.clone());
        let shifted = scores - max.clone();
        let cross = cross(&inputs.mass, &shifted);
        let other_exps = exp(shifted).scatter(1, best.clone(), max.zeros_like(), IndexingUpdateOp::Assign);
        // 0, or NaN if the maximum is not finite.
        let defect = max.clone() - max.clone();
        let rest = other_exps.clone().sum_dim(1) + defect;
        let log_rest = log1p(rest.clone());
        let lse = max.clone() + log_rest.clone();
        let facts = match (&asked.facts, &kept) {
            (Some(wanted), Some(scores)) => Facts::new(wanted, scores, &max, &other_exps, &rest),
            _ => Facts::default(),
        };

        let mut losses = inputs.mass.total.clone() * log_rest - cross;
        if objective.z_loss != 0.0 {
            losses = losses + lse.clone() * lse.clone() * objective.z_loss;
        }
        losses = losses * inputs.sample_weights.clone();
        if let Some(ignored) = &inputs.ignored {
            losses = losses.mask_fill(ignored.clone(), 0.0);
        }
        Chunk { other_exps, rest, slopes, scores: kept.map(|scores| (scores, max)), facts, best, lse, losses }
    }

    /// G (N×C) of formula (8), or with `asked.entropy` the entropy term of formula (11).
    pub(crate) fn score_gradient(self, inputs: &Inputs, objective: &Objective, asked: &Asked) -> Tensor<2> {
        if let (Some(coefficients), Some((scores, max))) = (&asked.entropy, self.scores.clone()) {
            let scale = coefficients.clone() * (1.0 / objective.temperature);
            return self.entropy_gradient(inputs, &scores, &max, &scale);
        }
        let Chunk { other_exps, rest, slopes, best, lse, .. } = self;
        let total_mass = inputs.mass.total.clone();
        let sum = rest.clone() + 1.0;
        let z_slopes = lse * (2.0 * objective.z_loss);
        let scale = inputs.sample_weights.clone() / (inputs.total_weight.clone() * objective.temperature);

        let of_exps = (total_mass.clone() + z_slopes.clone()) / sum.clone() * scale.clone();
        let mut gradient = other_exps * of_exps.clone();
        if let Some(dense) = &inputs.mass.dense {
            gradient = gradient - dense.clone() * scale.clone();
        }
        if let Some((labels, masses)) = &inputs.mass.point {
            let of_label = -(masses.clone() * scale.clone());
            gradient = gradient.scatter(1, labels.clone(), of_label, IndexingUpdateOp::Add);
        }
        // If p at the largest score is above 1/2, A·p − a is computed as (A − a) − A·(1 − p): both terms come from the
        // other classes, so the cancellation at p near 1 is avoided.
        let mass = inputs.mass.at(&best);
        let confident =
            total_mass.clone() - mass.clone() - total_mass * (rest.clone() / sum.clone()) + z_slopes / sum;
        let at_best = of_exps - mass * scale.clone();
        let at_best = at_best.mask_where(rest.lower_elem(1.0), confident * scale);
        gradient = gradient.scatter(1, best, at_best, IndexingUpdateOp::Assign);

        if let Some(slopes) = slopes {
            gradient = gradient * slopes;
        }
        inputs.counted(gradient)
    }

    /// The entropy term of (11), −h·p·(log p + H), computed as h·p·((m − s) − Σ p·(m − s)). `scale` is h/τ. At the
    /// largest score m − s is 0, so only the mean distance remains.
    fn entropy_gradient(
        self,
        inputs: &Inputs,
        scores: &Tensor<2>,
        max: &Tensor<2>,
        scale: &Tensor<2>,
    ) -> Tensor<2> {
        let Chunk { other_exps, rest, slopes, best, .. } = self;
        let mean = mean_distance(scores, max, &other_exps, &rest);
        let of_exps = scale.clone() / (rest + 1.0);
        let is_nothing = other_exps.clone().equal_elem(0.0);
        let distances = (max.clone() - scores.clone() - mean.clone()).mask_fill(is_nothing, 0.0);
        let gradient = other_exps * distances * of_exps.clone();
        let mut gradient = gradient.scatter(1, best, -(mean * of_exps), IndexingUpdateOp::Assign);
        if let Some(slopes) = slopes {
            gradient = gradient * slopes;
        }
        inputs.counted(gradient)
    }
}

/// Requested results of the rows, beyond losses and their gradients.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) facts: Option<FactsWanted>,
    /// Coefficients h of the entropies (N×1). If given, the gradients are those of Σ h·H instead of the losses.
    pub(crate) entropy: Option<Tensor<2>>,
}

impl Asked {
    /// The part for a range of samples.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        Asked {
            facts: self.facts.as_ref().map(|facts| facts.rows(rows.clone())),
            entropy: self.entropy.clone().map(|entropy| entropy.slice([rows, 0..1])),
        }
    }
}

/// Σ_c a_c·(s_c − m) (N×1). Skips entries without mass, where s may be −∞ and 0·∞ would be NaN.
fn cross(mass: &TargetMass, shifted: &Tensor<2>) -> Tensor<2> {
    let mut sum = mass.total.zeros_like();
    if let Some((labels, masses)) = &mass.point {
        let without_mass = masses.clone().equal_elem(0.0);
        let at_label = shifted.clone().gather(1, labels.clone()).mask_fill(without_mass, 0.0);
        sum = sum + masses.clone() * at_label;
    }
    if let Some(dense) = &mass.dense {
        let dense = dense.clone().expand(shifted.dims());
        let without_mass = dense.clone().equal_elem(0.0);
        sum = sum + (dense * shifted.clone().mask_fill(without_mass, 0.0)).sum_dim(1);
    }
    sum
}
