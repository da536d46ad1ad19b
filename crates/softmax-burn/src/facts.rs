//! Row facts, computed from scores: entropy, log-probabilities, ranks and the best classes.

use crate::functions::log1p;
use burn::tensor::{DType, Int, Tensor};
use softmax_core::{OutputKind, OutputSet};

/// The requested row facts, and their inputs beyond the scores.
#[derive(Clone)]
pub(crate) struct FactsWanted {
    pub(crate) kinds: OutputSet,
    /// Each sample's label, ignored or not (N×1); negative if it is not a class.
    pub(crate) labels: Tensor<2, Int>,
    /// K, the number of best classes, at most C.
    pub(crate) top: usize,
}

impl FactsWanted {
    /// The part for a range of samples.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        FactsWanted { labels: self.labels.clone().slice([rows, 0..1]), ..self.clone() }
    }
}

/// Row facts: columns (N×1), and N×K for the best classes.
#[derive(Clone, Default)]
pub(crate) struct Facts {
    pub(crate) entropy: Option<Tensor<2>>,
    pub(crate) label_log_prob: Option<Tensor<2>>,
    pub(crate) label_rank: Option<Tensor<2, Int>>,
    pub(crate) top_classes: Option<Tensor<2, Int>>,
    pub(crate) top_log_prob: Option<Tensor<2>>,
}

impl Facts {
    /// Computes the facts from `scores` (N×C) and their row maxima `max` (N×1). `other_exps` is exp(s − m) with 0 at
    /// the largest score (N×C), and `rest` its row sums (N×1).
    pub(crate) fn new(
        wanted: &FactsWanted,
        scores: &Tensor<2>,
        max: &Tensor<2>,
        other_exps: &Tensor<2>,
        rest: &Tensor<2>,
    ) -> Self {
        let wants = |kind| wanted.kinds.contains(kind);
        let [_, c] = scores.dims();
        // log p = −((m − s) + log(1 + rest)). Both terms are non-negative, so nothing cancels.
        let log_rest = log1p(rest.clone());
        let log_prob = |scores: Tensor<2>| -((max.clone() - scores) + log_rest.clone());

        let is_no_class = wanted.labels.clone().lower_elem(0);
        let label = wanted.labels.clone().mask_fill(is_no_class.clone(), 0);
        let at_label = scores.clone().gather(1, label);
        let label_log_prob = wants(OutputKind::LabelLogProb)
            .then(|| log_prob(at_label.clone()).mask_fill(is_no_class.clone(), f64::NAN));
        let label_rank = wants(OutputKind::LabelRank).then(|| {
            let above = scores.clone().greater(at_label.expand(scores.dims())).int().sum_dim(1);
            above.mask_fill(is_no_class, c as i64)
        });
        let top = wants(OutputKind::TopClasses) || wants(OutputKind::TopLogProb);
        let top_classes = top.then(|| best_classes(scores, wanted.top));
        Facts {
            entropy: wants(OutputKind::Entropy)
                .then(|| log_rest.clone() + mean_distance(scores, max, other_exps, rest)),
            label_log_prob,
            label_rank,
            top_log_prob: top_classes
                .clone()
                .filter(|_| wants(OutputKind::TopLogProb))
                .map(|classes| log_prob(scores.clone().gather(1, classes))),
            top_classes,
        }
    }
}

impl Facts {
    /// Concatenates the facts of consecutive chunks.
    pub(crate) fn together(parts: &[Facts]) -> Self {
        macro_rules! column {
            ($name:ident) => {{
                let of_chunks = parts.iter().map(|facts| facts.$name.clone());
                of_chunks.collect::<Option<Vec<_>>>().map(|parts| Tensor::cat(parts, 0))
            }};
        }
        Facts {
            entropy: column!(entropy),
            label_log_prob: column!(label_log_prob),
            label_rank: column!(label_rank),
            top_classes: column!(top_classes),
            top_log_prob: column!(top_log_prob),
        }
    }
}

/// Σ p·(m − s) (N×1).
pub(crate) fn mean_distance(
    scores: &Tensor<2>,
    max: &Tensor<2>,
    other_exps: &Tensor<2>,
    rest: &Tensor<2>,
) -> Tensor<2> {
    // A masked class has p = 0 and distance ∞; 0·∞ would be NaN.
    let is_nothing = other_exps.clone().equal_elem(0.0);
    let distances = (max.clone() - scores.clone()).mask_fill(is_nothing, 0.0);
    (other_exps.clone() * distances).sum_dim(1) / (rest.clone() + 1.0)
}

/// The `k` classes with the largest scores (N×K), lowest index first on ties. Takes the largest remaining class `k`
/// times.
fn best_classes(scores: &Tensor<2>, k: usize) -> Tensor<2, Int> {
    let [n, c] = scores.dims();
    if k == 0 {
        return Tensor::<2, Int>::zeros([n, 0], &scores.device());
    }
    // Taken classes become −∞. Masked classes become the lowest finite number, so that they come last but can still be
    // taken.
    let is_masked = scores.clone().equal_elem(f64::NEG_INFINITY);
    let lowest = if scores.dtype() == DType::F64 { f64::MIN } else { f64::from(f32::MIN) };
    let mut left = scores.clone().mask_fill(is_masked, lowest);
    let classes = Tensor::<1, Int>::arange(0..c as i64, &scores.device()).reshape([1, c]).expand([n, c]);
    let mut best = Vec::new();
    for _ in 0..k {
        let (_, first) = left.clone().max_dim_with_indices(1);
        let taken = classes.clone().equal(first.clone().expand([n, c]));
        left = left.mask_fill(taken, f64::NEG_INFINITY);
        best.push(first);
    }
    Tensor::cat(best, 1)
}
