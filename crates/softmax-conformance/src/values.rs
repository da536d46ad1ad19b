//! Kinds of numbers in a problem: ordinary, of other magnitudes, equal, masked and not finite.

use crate::generator::Generator;
use softmax_core::ndarray::Array1;
use softmax_core::{OwnedProblem, OwnedTargets};

/// A kind of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Scores of a few units.
    Ordinary,
    /// Scores that hardly differ.
    Flat,
    /// Margins of tens.
    Confident,
    /// Margins of hundreds, where exponentials underflow.
    Far,
    /// All weights are 0: without a bias, every class ties.
    Zero,
    /// Small integers: sums are exact, and scores often tie.
    Integers,
    /// Features near 1e-25 and weights near 1e25.
    Lopsided,
    /// A bias of −∞ for runs of consecutive classes.
    Masked,
    /// One feature is NaN.
    Nan,
    /// One feature is infinite.
    Infinite,
    /// Ignored samples, if any, hold NaN and infinities.
    IgnoredNan,
}

pub(crate) const VALUES: [Values; 11] = [
    Values::Ordinary,
    Values::Flat,
    Values::Confident,
    Values::Far,
    Values::Zero,
    Values::Integers,
    Values::Lopsided,
    Values::Masked,
    Values::Nan,
    Values::Infinite,
    Values::IgnoredNan,
];

/// Number of leading [`VALUES`] under which every output has meaningful values to check.
pub(crate) const MAGNITUDES: usize = 3;

impl Values {
    /// The name in lower case.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Changes the numbers of an ordinary problem to this kind.
    pub(crate) fn apply(self, problem: &mut OwnedProblem<f64>, g: &mut Generator) {
        let (n, d) = problem.features.dim();
        let any_entry = |g: &mut Generator| (n > 0 && d > 0).then(|| (g.below(n.max(1)), g.below(d.max(1))));
        match self {
            Values::Ordinary => {}
            Values::Flat => problem.weights *= 1e-3,
            Values::Confident => problem.weights *= 20.0,
            Values::Far => problem.weights *= 400.0,
            Values::Zero => problem.weights.fill(0.0),
            Values::Integers => {
                problem.features.mapv_inplace(|x| (2.0 * x).round());
                problem.weights.mapv_inplace(|w| (2.0 * w).round());
                problem.bias.iter_mut().for_each(|bias| bias.mapv_inplace(f64::round));
            }
            Values::Lopsided => {
                problem.features *= 1e-25;
                problem.weights *= 1e25;
            }
            Values::Masked => mask(problem, g),
            Values::Nan => {
                any_entry(g).into_iter().for_each(|entry| problem.features[entry] = f64::NAN);
            }
            Values::Infinite => {
                any_entry(g).into_iter().for_each(|entry| problem.features[entry] = f64::INFINITY);
            }
            Values::IgnoredNan => {
                if let (OwnedTargets::Labels(labels), Some(ignored)) =
                    (&problem.targets, problem.objective.ignore_index)
                {
                    let rows = problem.features.rows_mut().into_iter().zip(labels);
                    for (k, (mut row, _)) in rows.filter(|&(_, &label)| label == ignored).enumerate() {
                        row.fill([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][k % 3]);
                    }
                }
            }
        }
    }
}

/// Masks about half of the classes, in runs of up to 64, and removes their mass from soft targets. In three of four
/// problems the classes of labels stay unmasked.
fn mask(problem: &mut OwnedProblem<f64>, g: &mut Generator) {
    let c = problem.weights.ncols();
    let mut bias = problem.bias.take().unwrap_or_else(|| Array1::zeros(c));
    let mut class = 0;
    while class < c {
        let run = 1 + g.below(64.min(c));
        let masked = g.below(2) == 0;
        let end = (class + run).min(c);
        bias.iter_mut().take(end).skip(class).filter(|_| masked).for_each(|b| *b = f64::NEG_INFINITY);
        class = end;
    }
    match &mut problem.targets {
        OwnedTargets::Labels(labels) => {
            if g.below(4) > 0 {
                for &label in labels.iter() {
                    if let Some(bias) = usize::try_from(label).ok().and_then(|label| bias.get_mut(label)) {
                        *bias = bias.max(-1.0);
                    }
                }
            }
        }
        OwnedTargets::Soft(soft) => {
            for (mut mass, bias) in soft.columns_mut().into_iter().zip(&bias) {
                if bias.is_infinite() {
                    mass.fill(0.0);
                }
            }
        }
        OwnedTargets::None => {}
    }
    // At least one class stays unmasked: rows without any are not part of this kind.
    let last = c - 1;
    if bias.iter().all(|b| b.is_infinite()) {
        bias[last] = 0.0;
    }
    problem.bias = Some(bias);
}
