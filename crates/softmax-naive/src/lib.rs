//! The linear softmax loss as loops that read like the derivation. Slow and obvious is its virtue: this is the
//! implementation to read beside the formula of [`softmax_core`], whose numbers its comments quote.
//!
//! The gradient it accumulates is, for plain labels and one sample,
//!
//! ```math
//! ∂ℓ_i/∂W_{:,j} = (p_{ij} - [j = y_i]) \, X_i
//! ```
//!
//! so each sample adds a multiple of its features to every column of dW. The constant log k = −m_i that is
//! added to a row's scores cancels in p, and keeps exp from overflowing.
//!
//! Memory beyond inputs and outputs: a handful of rows of C numbers. Time: 4·N·D·C operations with dW, on one
//! thread, without explicit SIMD.
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

mod sample;

use sample::Sample;
use softmax_core::ndarray::{ArrayView2, ArrayViewMut2};
pub use softmax_core::*;

/// The backend `naive`.
#[derive(Clone, Debug, Default)]
pub struct Naive {}

impl Naive {
    /// It has no settings.
    pub fn new() -> Self {
        Naive {}
    }
}

impl<T: Element> SoftmaxBackend<T> for Naive {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "naive".into(),
            device: "cpu".into(),
            simd: "compiler".into(),
            threads: 1,
            deterministic: true,
        }
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        outputs.check(problem)?;
        let (features, weights) = (problem.features(), problem.weights());
        let l2 = T::narrow(problem.objective().l2);
        let total_weight = total_weight(problem);

        if let Some(dw) = &mut outputs.weights_gradient {
            dw.fill(T::zero());
        }
        if let Some(db) = &mut outputs.bias_gradient {
            db.fill(T::zero());
        }

        let mut loss_sum = 0.0;
        let mut correct = 0;
        let mut sample = Sample::new(problem.n_classes());
        for i in 0..problem.n_samples() {
            sample.score(problem, i);
            let ignored = sample.is_ignored(problem, i);
            let loss = if ignored { T::zero() } else { sample.loss(problem, i) };
            loss_sum += loss.widen();
            if let Targets::Labels(labels) = problem.targets() {
                correct += usize::from(!ignored && sample.best == labels[i]);
            }
            if let Some(losses) = &mut outputs.sample_losses {
                losses[i] = loss;
            }
            if let Some(lse) = &mut outputs.log_sum_exp {
                lse[i] = sample.log_sum_exp();
            }
            if let Some(predicted) = &mut outputs.predicted {
                predicted[i] = sample.best;
            }

            if ignored {
                if let Some(dx) = &mut outputs.features_gradient {
                    dx.row_mut(i).fill(T::zero());
                }
            } else if outputs.wants_gradient() {
                let gradient = sample.score_gradient(problem, i, total_weight);
                // (9): column j of dW grows by G_ij·X_i.
                if let Some(dw) = &mut outputs.weights_gradient {
                    for d in 0..problem.n_features() {
                        for j in 0..problem.n_classes() {
                            dw[[d, j]] += gradient[j] * features[[i, d]];
                        }
                    }
                }
                if let Some(dx) = &mut outputs.features_gradient {
                    for d in 0..problem.n_features() {
                        dx[[i, d]] = (0..problem.n_classes()).map(|j| gradient[j] * weights[[d, j]]).sum();
                    }
                }
                if let Some(db) = &mut outputs.bias_gradient {
                    for j in 0..problem.n_classes() {
                        db[j] += gradient[j];
                    }
                }
            }
        }

        // (7), and the penalty's part of (9). It comes last: a sum that begins at λ·W rounds at its size N times.
        let mut loss = loss_sum / total_weight;
        if l2 != T::zero() {
            if let Some(dw) = &mut outputs.weights_gradient {
                dw.zip_mut_with(&weights, |g, &w| *g += l2 * w);
            }
            let squares: f64 = weights.iter().map(|w| w.widen() * w.widen()).sum();
            loss += problem.objective().l2 / 2.0 * squares;
        }
        let correct = matches!(problem.targets(), Targets::Labels(_)).then_some(correct);
        Ok(Evaluation { loss, total_weight, correct })
    }
}

impl<T: Element> HessianVectorProduct<T> for Naive {
    fn hessian_vector_product(
        &mut self,
        problem: &Problem<'_, T>,
        direction: ArrayView2<'_, T>,
        mut product: ArrayViewMut2<'_, T>,
    ) -> Result<()> {
        problem.check_direction(direction, product.view())?;
        let features = problem.features();
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let l2 = T::narrow(problem.objective().l2);
        product.fill(T::zero());

        let total_weight = total_weight(problem);
        let mut sample = Sample::new(c);
        let mut score_direction = vec![T::zero(); c];
        for i in 0..n {
            if sample.is_ignored(problem, i) {
                continue;
            }
            sample.score(problem, i);
            sample.loss(problem, i);
            for (j, change) in score_direction.iter_mut().enumerate() {
                *change = (0..d).map(|k| features[[i, k]] * direction[[k, j]]).sum();
            }
            let change = sample.score_gradient_change(problem, i, &score_direction, total_weight);
            for k in 0..d {
                for j in 0..c {
                    product[[k, j]] += change[j] * features[[i, k]];
                }
            }
        }
        if l2 != T::zero() {
            product.zip_mut_with(&direction, |h, &v| *h += l2 * v);
        }
        Ok(())
    }
}

/// Ω.
fn total_weight<T: Element>(problem: &Problem<'_, T>) -> f64 {
    if problem.objective().reduction == Reduction::Sum {
        return 1.0;
    }
    let mut total = 0.0;
    for i in 0..problem.n_samples() {
        let sample_weight = problem.sample_weights().map_or(1.0, |u| u[i].widen());
        match problem.targets() {
            Targets::Labels(labels) if problem.is_ignored(labels[i]) => {}
            Targets::Labels(labels) => {
                total += sample_weight * problem.class_weights().map_or(1.0, |w| w[labels[i]].widen());
            }
            Targets::Soft(_) => total += sample_weight,
        }
    }
    total
}
