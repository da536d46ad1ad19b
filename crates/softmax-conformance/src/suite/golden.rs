//! Problems with answers to 60 digits, computed by an independent program, `tools/golden.py`. Here they are cases like
//! any other; the tests of the oracle compare it with these answers.

use crate::case::Case;
use serde::de::DeserializeOwned;
use serde_json::Value;
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Reduction};

const FILE: &str = include_str!("golden.json");
const WRITTEN: &str = "the embedded file is what tools/golden.py wrote";

#[derive(Debug)]
pub(crate) struct Golden {
    pub(crate) name: String,
    features: Vec<Vec<f64>>,
    weights: Vec<Vec<f64>>,
    y: Option<Vec<i64>>,
    soft: Option<Vec<Vec<f64>>>,
    b: Option<Vec<f64>>,
    class_weight: Option<Vec<f64>>,
    sample_weight: Option<Vec<f64>>,
    objective: GoldenObjective,
    pub(crate) expected: Answers,
}

#[derive(Debug)]
struct GoldenObjective {
    reduction: String,
    label_smoothing: f64,
    ignore_index: Option<i64>,
    l2: f64,
    z_loss: f64,
    softcap: Option<f64>,
    temperature: f64,
}

/// Values as unevaluated sums of two f64. Matrices are row-major.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "for the oracle's own test"))]
pub(crate) struct Answers {
    pub(crate) loss: (f64, f64),
    pub(crate) weights_gradient: Vec<(f64, f64)>,
    pub(crate) features_gradient: Vec<(f64, f64)>,
    pub(crate) bias_gradient: Vec<(f64, f64)>,
    pub(crate) sample_losses: Vec<(f64, f64)>,
    pub(crate) log_sum_exp: Vec<(f64, f64)>,
    pub(crate) entropy: Vec<(f64, f64)>,
    /// Empty for soft targets.
    pub(crate) label_log_prob: Vec<(f64, f64)>,
}

pub(crate) fn problems() -> Vec<Golden> {
    let all: Vec<Value> = serde_json::from_str(FILE).expect(WRITTEN);
    all.iter().map(Golden::new).collect()
}

/// Reads a member of an object. A missing member reads as `null`.
fn member<T: DeserializeOwned>(object: &Value, name: &str) -> T {
    T::deserialize(&object[name]).expect(WRITTEN)
}

pub(super) fn cases() -> Vec<Case> {
    problems().iter().map(|golden| Case::new(format!("golden/{}", golden.name), golden.problem())).collect()
}

impl Golden {
    fn new(object: &Value) -> Self {
        let (objective, expected) = (&object["objective"], &object["expected"]);
        Golden {
            name: member(object, "name"),
            features: member(object, "X"),
            weights: member(object, "W"),
            y: member(object, "y"),
            soft: member(object, "Y"),
            b: member(object, "b"),
            class_weight: member(object, "class_weight"),
            sample_weight: member(object, "sample_weight"),
            objective: GoldenObjective {
                reduction: member(objective, "reduction"),
                label_smoothing: member(objective, "label_smoothing"),
                ignore_index: member(objective, "ignore_index"),
                l2: member(objective, "l2"),
                z_loss: member(objective, "z_loss"),
                softcap: member(objective, "softcap"),
                temperature: member(objective, "temperature"),
            },
            expected: Answers {
                loss: member(expected, "loss"),
                weights_gradient: member(expected, "weights_gradient"),
                features_gradient: member(expected, "features_gradient"),
                bias_gradient: member(expected, "bias_gradient"),
                sample_losses: member(expected, "sample_losses"),
                log_sum_exp: member(expected, "log_sum_exp"),
                entropy: member(expected, "entropy"),
                label_log_prob: member(expected, "label_log_prob"),
            },
        }
    }

    pub(crate) fn problem(&self) -> OwnedProblem<f64> {
        let targets = match (&self.y, &self.soft) {
            (Some(labels), _) => OwnedTargets::Labels(Array1::from(labels.clone())),
            (None, soft) => OwnedTargets::Soft(matrix(soft.as_deref().unwrap_or_default())),
        };
        let vector = |values: &Option<Vec<f64>>| values.clone().map(Array1::from);
        let o = &self.objective;
        OwnedProblem {
            features: matrix(&self.features),
            weights: matrix(&self.weights),
            targets,
            bias: vector(&self.b),
            class_weights: vector(&self.class_weight),
            sample_weights: vector(&self.sample_weight),
            objective: Objective {
                reduction: if o.reduction == "sum" { Reduction::Sum } else { Reduction::Mean },
                label_smoothing: o.label_smoothing,
                ignore_index: o.ignore_index,
                l2: o.l2,
                z_loss: o.z_loss,
                softcap: o.softcap,
                temperature: o.temperature,
            },
        }
    }
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    Array2::from_shape_fn((rows.len(), columns), |(i, j)| rows[i][j])
}
