//! Formula (9): dW and db, summed over the samples, and a sample's row of dX.

use crate::sums::Sums;
use softmax_core::ndarray::{Array1, Ix1, Ix2};
use softmax_core::{Element, Outputs, Problem};

/// The sums for dW and db; `None` if not requested.
pub(crate) struct ParameterGradients<T> {
    dw: Option<Sums<T, Ix2>>,
    db: Option<Sums<T, Ix1>>,
}

impl<T: Element> ParameterGradients<T> {
    pub(crate) fn new(problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Self {
        ParameterGradients {
            dw: outputs.weights_gradient.is_some().then(|| Sums::zeros(problem.weights().dim())),
            db: outputs.bias_gradient.is_some().then(|| Sums::zeros(problem.n_classes())),
        }
    }

    /// Adds sample `i`; `gradient` is its row of G.
    pub(crate) fn add(&mut self, problem: &Problem<'_, T>, i: usize, gradient: &[T]) {
        // Column j of dW grows by G_ij·X_i.
        if let Some(dw) = &mut self.dw {
            dw.sample(|dw| {
                for (k, x) in problem.features().row(i) {
                    for (j, &g) in gradient.iter().enumerate() {
                        dw[[k, j]] += g * x;
                    }
                }
            });
        }
        if let Some(db) = &mut self.db {
            db.sample(|db| db.iter_mut().zip(gradient).for_each(|(db, &g)| *db += g));
        }
    }

    /// Adds the gradient of the L2 penalty to dW, and writes dW and db.
    pub(crate) fn write(self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) {
        let accumulate = outputs.accumulate;
        if let (Some(out), Some(mut dw)) = (&mut outputs.weights_gradient, self.dw) {
            let l2 = T::narrow(problem.objective().l2).widen();
            if l2 != 0.0 && problem.has_targets() {
                dw.add(&(problem.weights().to_dense().mapv(T::widen) * l2));
            }
            dw.write(out, accumulate);
        }
        if let (Some(out), Some(db)) = (&mut outputs.bias_gradient, self.db) {
            db.write(out, accumulate);
        }
    }
}

/// The row of dX of a sample whose row of G is `gradient`.
pub(crate) fn features_gradient<T: Element>(problem: &Problem<'_, T>, gradient: &[T]) -> Array1<T> {
    let weights = problem.weights();
    Array1::from_shape_fn(problem.n_features(), |k| {
        gradient.iter().enumerate().map(|(j, &g)| g * weights.at(k, j)).sum()
    })
}

/// ‖W‖².
pub(crate) fn squared_norm<T: Element>(problem: &Problem<'_, T>) -> f64 {
    problem.weights().to_dense().iter().map(|w| w.widen() * w.widen()).sum()
}
