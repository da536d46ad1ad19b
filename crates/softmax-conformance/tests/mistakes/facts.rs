//! Mistakes in row facts.

use crate::wrong::{Made, Mistake};
use softmax_core::Problem;
use softmax_core::ndarray::Array2;

const FACTS: &str = "facts of rows";

/// X·W + b, without temperature and softcap.
fn scores(problem: &Problem<'_, f64>) -> Array2<f64> {
    let mut scores = Array2::zeros((problem.n_samples(), problem.n_classes()));
    for ((i, c), score) in scores.indexed_iter_mut() {
        let products = problem.features().row(i).map(|(k, x)| x * problem.weights().at(k, c));
        *score = products.sum::<f64>() + problem.bias().map_or(0.0, |b| b[c]);
    }
    scores
}

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "entropy as lse − Σ p·s, which cancels where it is small",
        kind: FACTS,
        caught_by: "facts/margin",
        made: Made::Answering(|problem, outputs, _| {
            if let (Some(entropy), Some(lse)) = (&mut outputs.entropy, &outputs.log_sum_exp) {
                let scores = scores(problem);
                for (i, entropy) in entropy.iter_mut().enumerate() {
                    let mean: f64 = scores.row(i).iter().map(|s| (s - lse[i]).exp() * s).sum();
                    *entropy = lse[i] - mean;
                }
            }
        }),
    },
    Mistake {
        name: "entropy in bits",
        kind: FACTS,
        caught_by: "facts/entropy",
        made: Made::Answering(|_, outputs, _| {
            if let Some(entropy) = &mut outputs.entropy {
                entropy.mapv_inplace(|h| h / std::f64::consts::LN_2);
            }
        }),
    },
    Mistake {
        name: "log-probabilities as s − lse",
        kind: FACTS,
        caught_by: "facts/margin",
        made: Made::Answering(|problem, outputs, _| {
            if let (Some(log_prob), Some(lse)) = (&mut outputs.label_log_prob, &outputs.log_sum_exp) {
                let scores = scores(problem);
                for (i, log_prob) in log_prob.iter_mut().enumerate() {
                    *log_prob = problem.labelled_class(i).map_or(f64::NAN, |y| scores[[i, y]] - lse[i]);
                }
            }
        }),
    },
    Mistake {
        name: "an ignored label has no log-probability, though it is a class",
        kind: FACTS,
        caught_by: "facts/label-log-probability",
        made: Made::Answering(|problem, outputs, _| {
            let log_probs = outputs.label_log_prob.iter_mut().flat_map(|log_prob| log_prob.iter_mut());
            let ignored = log_probs.enumerate().filter(|&(i, _)| !problem.counts(i));
            ignored.for_each(|(_, log_prob)| *log_prob = f64::NAN);
        }),
    },
    Mistake {
        name: "the rank counts the label itself",
        kind: FACTS,
        caught_by: "facts/label-rank",
        made: Made::Answering(|problem, outputs, _| {
            let ranks = outputs.label_rank.iter_mut().flat_map(|ranks| ranks.iter_mut());
            let labelled = ranks.enumerate().filter(|&(i, _)| problem.labelled_class(i).is_some());
            labelled.for_each(|(_, rank)| *rank += 1);
        }),
    },
    Mistake {
        name: "the rank counts classes that are equal",
        kind: FACTS,
        caught_by: "facts/equal",
        made: Made::Answering(|problem, outputs, _| {
            if let Some(ranks) = &mut outputs.label_rank {
                let scores = scores(problem);
                for (i, rank) in ranks.iter_mut().enumerate() {
                    let Some(label) = problem.labelled_class(i) else { continue };
                    let others = scores.row(i).into_iter().enumerate().filter(|&(c, _)| c < label);
                    *rank += others.filter(|&(_, &s)| s == scores[[i, label]]).count();
                }
            }
        }),
    },
    Mistake {
        name: "of equal scores the last class comes first",
        kind: FACTS,
        caught_by: "facts/equal",
        made: Made::Answering(|problem, outputs, _| {
            if let Some(top) = &mut outputs.top_classes {
                let scores = scores(problem);
                for (i, mut top) in top.rows_mut().into_iter().enumerate() {
                    if top.len() > 1 && scores[[i, top[0]]] == scores[[i, top[1]]] {
                        top.swap(0, 1);
                    }
                }
            }
        }),
    },
    Mistake {
        name: "the best classes are those of the first 256",
        kind: FACTS,
        caught_by: "facts/top-classes",
        made: Made::Answering(|_, outputs, _| {
            outputs.top_classes.iter_mut().for_each(|top| top.mapv_inplace(|class| class.min(255)));
        }),
    },
    Mistake {
        name: "log-probabilities of the best classes come smallest first",
        kind: FACTS,
        caught_by: "facts/all-classes",
        made: Made::Answering(|_, outputs, _| {
            if let Some(log_prob) = &mut outputs.top_log_prob {
                let rows = log_prob.rows_mut().into_iter();
                rows.for_each(|mut row| row.as_slice_mut().into_iter().for_each(|row| row.reverse()));
            }
        }),
    },
];
