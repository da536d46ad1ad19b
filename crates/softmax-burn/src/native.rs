//! Evaluation of a problem on its device: tensors in, tensors out.

use crate::chunk::{Asked, Chunk};
use crate::facts::{Facts, FactsWanted};
use crate::problem::{DeviceProblem, DeviceTargets, Inputs};
use burn::tensor::{Int, Tensor};
use softmax_core::{Objective, OutputKind, OutputSet};
use std::ops::Range;

/// Bytes of the scores of a chunk in f32; twice as many in f64. Without options the operations on a chunk hold about twice
/// as much in all.
const SCORES_BYTES: usize = 16 << 20;

/// Rows of a block of dW = Xᵀ·G. Each block is one matrix product, which itself sums about a hundred rows at a time.
pub(crate) const MULTIPLIED: usize = 1024;

/// Rows of a block of db. A device adds f32 terms one after the other, so the rounding error of a sum grows with its
/// length.
pub(crate) const SUMMED: usize = 256;

/// The results of [`evaluate`], on the problem's device and in its type. Outputs that were not requested are `None`.
#[derive(Clone, Debug)]
pub struct DeviceOutputs {
    /// The loss (1).
    pub loss: Tensor<1>,
    /// dW (D×C).
    pub weights_gradient: Option<Tensor<2>>,
    /// dX (N×D).
    pub features_gradient: Option<Tensor<2>>,
    /// db (C).
    pub bias_gradient: Option<Tensor<1>>,
    /// ℓ (N).
    pub sample_losses: Option<Tensor<1>>,
    /// Log-sum-exp of the scores (N).
    pub log_sum_exp: Option<Tensor<1>>,
    /// The class with the largest score (N).
    pub predicted: Option<Tensor<1, Int>>,
    /// H (N), in nats.
    pub entropy: Option<Tensor<1>>,
    /// log p of the label (N); NaN if the label is not a class, and with soft targets.
    pub label_log_prob: Option<Tensor<1>>,
    /// The number of classes with a larger score than the label's (N); C if the label is not a class, and with soft
    /// targets.
    pub label_rank: Option<Tensor<1, Int>>,
}

/// The loss, and the requested gradients and other outputs, by formulas (1) to (10) of [`softmax_core`].
///
/// Evaluates one chunk of rows at a time, so that no N×C scores are held. Nothing is copied to the host. The best
/// classes (top K) are not supported.
///
/// # Panics
/// If shapes, devices or types do not match, or there are no samples.
pub fn evaluate(problem: &DeviceProblem, wanted: OutputSet) -> DeviceOutputs {
    let problem = problem.without_autodiff();
    let inputs = Inputs::new(&problem);
    let asked = Asked { facts: facts_wanted(&problem, wanted), entropy: None };
    let results = by_chunks(&inputs, &problem.objective, wanted, &asked, None);
    let mut loss = (results.losses.clone().sum_dim(0) / inputs.total_weight.clone()).reshape([1]);
    if problem.objective.l2 != 0.0 {
        loss = loss + problem.weights.square().sum() * (problem.objective.l2 / 2.0);
    }
    let ([n, _], [_, c]) = (results.losses.dims(), inputs.weights.dims());
    let vector = |kind: OutputKind, column: Tensor<2>| wanted.contains(kind).then(|| column.reshape([n]));
    DeviceOutputs {
        loss,
        weights_gradient: results.weights_gradient,
        features_gradient: results.features_gradient,
        bias_gradient: results.bias_gradient.map(|row| row.reshape([c])),
        sample_losses: vector(OutputKind::SampleLosses, results.losses),
        log_sum_exp: vector(OutputKind::LogSumExp, results.lse),
        predicted: wanted.contains(OutputKind::Predicted).then(|| results.best.reshape([n])),
        entropy: results.facts.entropy.map(|column| column.reshape([n])),
        label_log_prob: results.facts.label_log_prob.map(|column| column.reshape([n])),
        label_rank: results.facts.label_rank.map(|column| column.reshape([n])),
    }
}

/// The requested gradients of Σ h·H, with coefficients h (N).
pub(crate) fn entropy_gradients(
    problem: &DeviceProblem,
    coefficients: Tensor<1>,
    wanted: OutputSet,
) -> DeviceGradients {
    let problem = problem.without_autodiff();
    let inputs = Inputs::new(&problem);
    let [n] = coefficients.dims();
    let asked = Asked { facts: None, entropy: Some(coefficients.reshape([n, 1])) };
    let objective = Objective { l2: 0.0, ..problem.objective };
    let results = by_chunks(&inputs, &objective, wanted, &asked, None);
    DeviceGradients {
        weights: results.weights_gradient,
        features: results.features_gradient,
        bias: results.bias_gradient,
    }
}

/// Gradients: dW (D×C), dX (N×D) and db (1×C).
pub(crate) struct DeviceGradients {
    pub(crate) weights: Option<Tensor<2>>,
    pub(crate) features: Option<Tensor<2>>,
    pub(crate) bias: Option<Tensor<2>>,
}

impl From<DeviceOutputs> for DeviceGradients {
    fn from(outputs: DeviceOutputs) -> Self {
        DeviceGradients {
            weights: outputs.weights_gradient,
            features: outputs.features_gradient,
            bias: outputs.bias_gradient.map(|bias| {
                let [c] = bias.dims();
                bias.reshape([1, c])
            }),
        }
    }
}

/// The row facts among the outputs, except for the best classes, which are not supported here.
fn facts_wanted(problem: &DeviceProblem, wanted: OutputSet) -> Option<FactsWanted> {
    let kinds = [OutputKind::Entropy, OutputKind::LabelLogProb, OutputKind::LabelRank];
    let kinds: OutputSet = kinds.into_iter().filter(|&kind| wanted.contains(kind)).collect();
    let [n, _, c] = problem.sizes();
    let labels = match &problem.targets {
        DeviceTargets::Labels(labels) => {
            let labels = labels.clone().reshape([n, 1]);
            let is_beyond = labels.clone().greater_equal_elem(c as i64);
            labels.mask_fill(is_beyond, -1)
        }
        DeviceTargets::Soft(_) => Tensor::<2, Int>::zeros([n, 1], &problem.features.device()) - 1,
    };
    (kinds != OutputSet::NONE).then_some(FactsWanted { kinds, labels, top: 0 })
}

/// The results of all chunks: N×1 per sample, dW (D×C), dX (N×D) and db (1×C).
pub(crate) struct Results {
    pub(crate) losses: Tensor<2>,
    pub(crate) lse: Tensor<2>,
    pub(crate) best: Tensor<2, Int>,
    pub(crate) facts: Facts,
    pub(crate) weights_gradient: Option<Tensor<2>>,
    pub(crate) features_gradient: Option<Tensor<2>>,
    pub(crate) bias_gradient: Option<Tensor<2>>,
}

/// Evaluates chunks of `rows` samples, by default as many as fit [`SCORES_BYTES`]. Requires at least one sample.
pub(crate) fn by_chunks(
    inputs: &Inputs,
    objective: &Objective,
    wanted: OutputSet,
    asked: &Asked,
    rows: Option<usize>,
) -> Results {
    let ([n, d], [_, c]) = (inputs.features.dims(), inputs.weights.dims());
    let worth = SCORES_BYTES / (size_of::<f32>() * c.max(1));
    let rows = rows.unwrap_or(worth).clamp(1, n.max(1));
    let wants = |kind| wanted.contains(kind);
    let (wants_dw, wants_dx) = (wants(OutputKind::WeightsGradient), wants(OutputKind::FeaturesGradient));
    let wants_db = wants(OutputKind::BiasGradient);
    let (mut losses, mut lse, mut best, mut dx) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut facts = Vec::new();
    let (mut dw, mut db) = (RowSum::default(), RowSum::default());
    for first in (0..n).step_by(rows) {
        let end = (first + rows).min(n);
        let part;
        let (chunk, asked) = if rows >= n {
            (inputs, asked)
        } else {
            part = (inputs.rows(first..end), asked.rows(first..end));
            (&part.0, &part.1)
        };
        let scored = Chunk::new(chunk, objective, asked);
        losses.push(scored.losses.clone());
        lse.push(scored.lse.clone());
        best.push(scored.best.clone());
        facts.push(scored.facts.clone());
        if !(wants_dw || wants_dx || wants_db) {
            continue;
        }
        let gradient = scored.score_gradient(chunk, objective, asked);
        for rows in blocks(end - first, SUMMED).filter(|_| wants_db) {
            db.add(rows.len(), gradient.clone().slice([rows, 0..c]).sum_dim(0));
        }
        if wants_dx && d > 0 {
            dx.push(gradient.clone().matmul(inputs.weights.clone().transpose()));
        }
        if wants_dw && d > 0 {
            let features = chunk.counted_features();
            for rows in blocks(end - first, MULTIPLIED) {
                let features = features.clone().slice([rows.clone(), 0..d]).transpose();
                dw.add(rows.len(), features.matmul(gradient.clone().slice([rows, 0..c])));
            }
        }
    }
    let mut dw = dw.total();
    if let (Some(dw), true) = (&mut dw, objective.l2 != 0.0) {
        *dw = dw.clone() + inputs.weights.clone() * objective.l2;
    }
    // With D = 0 no products were computed.
    let none = || inputs.features.zeros_like();
    Results {
        losses: together(losses),
        lse: together(lse),
        best: if best.len() == 1 { best.remove(0) } else { Tensor::cat(best, 0) },
        facts: Facts::together(&facts),
        weights_gradient: wants_dw.then(|| dw.unwrap_or_else(|| inputs.weights.zeros_like())),
        features_gradient: wants_dx.then(|| if dx.is_empty() { none() } else { together(dx) }),
        bias_gradient: db.total(),
    }
}

/// The ranges of `rows` rows in blocks of `size`.
pub(crate) fn blocks(rows: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(size).map(move |first| first..(first + size).min(rows))
}

/// A sum over rows in two levels, to limit rounding errors: parts are added to `recent`, which is added to `total`
/// after every [`MULTIPLIED`] rows.
#[derive(Default)]
struct RowSum {
    total: Option<Tensor<2>>,
    recent: Option<Tensor<2>>,
    rows: usize,
}

impl RowSum {
    /// Adds `part`, the sum over `rows` further rows.
    fn add(&mut self, rows: usize, part: Tensor<2>) {
        self.recent = plus(self.recent.take(), Some(part));
        self.rows += rows;
        if self.rows >= MULTIPLIED {
            (self.total, self.rows) = (plus(self.total.take(), self.recent.take()), 0);
        }
    }

    fn total(self) -> Option<Tensor<2>> {
        plus(self.total, self.recent)
    }
}

fn plus(a: Option<Tensor<2>>, b: Option<Tensor<2>>) -> Option<Tensor<2>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

pub(crate) fn together(mut parts: Vec<Tensor<2>>) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}
