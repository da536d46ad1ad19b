//! Row facts of one sample: the label's rank and log p, the best classes and the entropy.

use ndarray::ArrayView1;
use softmax_core::{Element, Outputs, Problem};

/// The row facts of one sample. Part of them is taken from the scores before these are overwritten with exponentials.
pub(crate) struct RowFacts<T> {
    label_rank: usize,
    /// m − s of the label; NaN if there is no label or it is not a class.
    label_distance: T,
    /// m − s of every class; empty unless the entropy is requested.
    distances: Vec<T>,
    /// The best classes with their m − s, best first.
    top: Vec<(usize, T)>,
    entropy: T,
    log_rest: T,
}

impl<T: Element> RowFacts<T> {
    /// The facts of sample `i` from its scores, whose largest is at `best`. `None` if no fact is requested.
    pub(crate) fn of_scores(
        problem: &Problem<'_, T>,
        outputs: &Outputs<'_, T>,
        i: usize,
        scores: ArrayView1<'_, T>,
        best: usize,
    ) -> Option<Self> {
        let (wants_entropy, top) = (outputs.entropy.is_some(), outputs.top());
        let wants_label = outputs.label_log_prob.is_some() || outputs.label_rank.is_some();
        if !wants_entropy && !wants_label && top.is_none() {
            return None;
        }
        let max = scores[best];
        let label = problem.labelled_class(i);
        let above = |label: usize| scores.iter().filter(|&&score| score > scores[label]).count();
        let distances = || scores.iter().map(|&score| max - score).collect();
        let top = top.map_or(Vec::new(), |k| largest(scores, k));
        Some(RowFacts {
            label_rank: label.map_or(scores.len(), above),
            label_distance: label.map_or(T::nan(), |label| max - scores[label]),
            distances: if wants_entropy { distances() } else { Vec::new() },
            top: top.into_iter().map(|class| (class, max - scores[class])).collect(),
            entropy: T::nan(),
            log_rest: T::nan(),
        })
    }

    /// Adds the facts that need the exponentials exp(s − m). The best class has 1, and the others sum to `rest`.
    pub(crate) fn with_exponentials(&mut self, exps: ArrayView1<'_, T>, rest: T, log_rest: T) {
        self.log_rest = log_rest;
        // A masked class has exp = 0 and distance ∞; 0·∞ would be NaN.
        let present = exps.iter().zip(&self.distances).filter(|(exp, _)| **exp != T::zero());
        let sum: T = present.map(|(&exp, &distance)| exp * distance).sum();
        // (10), as log(1 + rest) + Σ p·(m − s).
        self.entropy = log_rest + sum / (T::one() + rest);
    }

    pub(crate) fn write(&self, i: usize, outputs: &mut Outputs<'_, T>) {
        if let Some(entropy) = &mut outputs.entropy {
            entropy[i] = self.entropy;
        }
        if let Some(log_prob) = &mut outputs.label_log_prob {
            log_prob[i] = -(self.label_distance + self.log_rest);
        }
        if let Some(rank) = &mut outputs.label_rank {
            rank[i] = self.label_rank;
        }
        for (j, &(class, distance)) in self.top.iter().enumerate() {
            if let Some(classes) = &mut outputs.top_classes {
                classes[[i, j]] = class;
            }
            if let Some(log_prob) = &mut outputs.top_log_prob {
                log_prob[[i, j]] = -(distance + self.log_rest);
            }
        }
    }
}

/// The indices of the `k` largest scores, largest first; the lower index first on ties. If a score is NaN, the first
/// `k` indices.
fn largest<T: Element>(scores: ArrayView1<'_, T>, k: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    if scores.iter().any(|score| score.is_nan()) {
        places.truncate(k);
        return places;
    }
    // Adding 0 turns −0 into +0, so that `total_cmp` treats both zeros as equal.
    let key = |place: usize| (scores[place] + T::zero()).widen();
    let order = |&a: &usize, &b: &usize| key(b).total_cmp(&key(a)).then(a.cmp(&b));
    if k < places.len() {
        places.select_nth_unstable_by(k, order);
        places.truncate(k);
    }
    places.sort_unstable_by(order);
    places
}
