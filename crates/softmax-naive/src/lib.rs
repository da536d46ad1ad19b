//! The linear softmax loss as plain loops. They follow the formula of [`softmax_core`], and the comments quote its
//! numbers. The code is written for readability, not for speed.
//!
//! For plain labels, sample i adds a multiple of its features to every column of dW:
//!
//! ```text
//! ∂ℓ_i/∂W_j = (p_ij − [j = y_i])·X_i
//! ```
//!
//! The constant log k = −m_i, added to all scores of a row, cancels in p and keeps the exponentials from overflowing.
//! [Two passes](TwoPass) use the same loops. The statistics of each row between the passes merge over shards of the
//! classes.
//!
//! Memory beyond inputs and outputs: dW and db in the element type and in f64, summed in blocks of samples, and a few
//! rows of C numbers. Time: 4·N·D·C operations with dW, on one thread, without explicit SIMD. It supports every storage
//! of features and weights.
//!
//! ```
//! use softmax_naive::{Naive, Problem, SoftmaxBackend, ndarray::array};
//!
//! let features = array![[1.0, 0.0], [0.0, 2.0]];
//! let weights = array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]];
//! let labels = array![0, 2];
//! let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
//! let gradients = Naive::new().gradients(&problem)?;
//! assert!((gradients.loss - 0.796_085_551_632_967).abs() < 1e-14);
//! # Ok::<(), softmax_naive::Error>(())
//! ```

#![forbid(unsafe_code)]

mod gradients;
mod hessian;
mod sample;
mod sums;
mod two_pass;

use gradients::{ParameterGradients, features_gradient, squared_norm};
use sample::Sample;
pub use softmax_core::*;

/// The backend `naive`.
#[derive(Clone, Debug, Default)]
pub struct Naive {}

impl Naive {
    /// Creates the backend. It has no settings.
    pub fn new() -> Self {
        Naive {}
    }
}

impl Backend for Naive {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "naive".into(),
            device: "cpu".into(),
            simd: "compiler".into(),
            threads: 1,
            deterministic: true,
        }
    }

    fn supports(&self, _feature: Feature) -> bool {
        true
    }
}

impl<T: Element> SoftmaxBackend<T> for Naive {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let c = problem.n_classes();
        let total_weight = total_weight(problem, |i| label_weight(problem, i));
        let mut gradients = ParameterGradients::new(problem, outputs);

        let mut loss_sum = 0.0;
        let mut correct = 0;
        let mut sample = Sample::new(c);
        for i in 0..problem.n_samples() {
            sample.score(problem, i);
            let counts = problem.counts(i);
            let loss = if counts { sample.loss(problem, i) } else { 0.0 };
            loss_sum += loss;
            correct += usize::from(problem.label(i) == Some(sample.best));
            if let Some(losses) = &mut outputs.sample_losses {
                losses[i] = T::narrow(loss);
            }
            if let Some(lse) = &mut outputs.log_sum_exp {
                lse[i] = sample.log_sum_exp();
            }
            if let Some(predicted) = &mut outputs.predicted {
                predicted[i] = sample.best;
            }
            if let Some(entropy) = &mut outputs.entropy {
                entropy[i] = sample.entropy();
            }
            let label = problem.labelled_class(i);
            if let Some(log_prob) = &mut outputs.label_log_prob {
                log_prob[i] = label.map_or(T::nan(), |label| sample.log_probability(label));
            }
            if let Some(rank) = &mut outputs.label_rank {
                rank[i] = label.map_or(c, |label| sample.rank(label));
            }
            if let Some(top) = outputs.top() {
                for (place, class) in sample.best_classes(top).into_iter().enumerate() {
                    if let Some(classes) = &mut outputs.top_classes {
                        classes[[i, place]] = class;
                    }
                    if let Some(log_prob) = &mut outputs.top_log_prob {
                        log_prob[[i, place]] = sample.log_probability(class);
                    }
                }
            }

            if !counts {
                if let Some(dx) = &mut outputs.features_gradient {
                    dx.row_mut(i).fill(T::zero());
                }
            } else if outputs.wants_gradient() {
                let gradient = sample.score_gradient(problem, i, total_weight);
                gradients.add(problem, i, gradient);
                if let Some(dx) = &mut outputs.features_gradient {
                    dx.row_mut(i).assign(&features_gradient(problem, gradient));
                }
            }
        }

        // (7)
        let has_targets = problem.has_targets();
        let mut loss = if has_targets { loss_sum / total_weight } else { 0.0 };
        let l2 = problem.objective().l2;
        if l2 != 0.0 && has_targets {
            loss += l2 / 2.0 * squared_norm(problem);
        }
        gradients.write(problem, outputs);
        Ok(Evaluation { loss, total_weight, correct: problem.has_labels().then_some(correct) })
    }

    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<T>> {
        Some(self)
    }

    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<T>> {
        Some(self)
    }
}

/// Ω, summed here rather than taken from the problem, so that tests compare the two sums. `label_weight` returns the
/// class weight of a sample's label.
fn total_weight<T: Element>(problem: &Problem<'_, T>, label_weight: impl Fn(usize) -> f64) -> f64 {
    if !problem.has_targets() {
        return 0.0;
    }
    if problem.objective().reduction == Reduction::Sum {
        return 1.0;
    }
    if let Some(total) = problem.given_total_weight() {
        return total;
    }
    let mut total = 0.0;
    for i in (0..problem.n_samples()).filter(|&i| problem.counts(i)) {
        let sample_weight = problem.sample_weights().map_or(1.0, |u| u[i].widen());
        total += sample_weight * if problem.has_labels() { label_weight(i) } else { 1.0 };
    }
    total
}

/// The class weight of sample i's label; 1 if there is no label or no class weights.
fn label_weight<T: Element>(problem: &Problem<'_, T>, i: usize) -> f64 {
    match (problem.label(i), problem.class_weights()) {
        (Some(label), Some(class_weights)) => class_weights[label].widen(),
        _ => 1.0,
    }
}
