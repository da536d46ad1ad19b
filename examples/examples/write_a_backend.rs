//! A backend in four steps, checked by the conformance suite:
//! `cargo run --release -p softmax-examples --example write_a_backend`.
//!
//! This one supports labels without options, with the mean or the sum, and refuses everything else as unsupported.

use softmax_conformance::{Report, Runner, Suite};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Backend, Descriptor, Element, Evaluation, Feature, Outputs, Problem, Reduction, Result, SoftmaxBackend,
};

/// Step 1: a type that owns its scratch memory.
#[derive(Default)]
struct Mine {
    scores: Vec<f64>,
}

/// Step 2: its description, and the features that it supports.
impl Backend for Mine {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "mine".into(),
            device: "cpu".into(),
            simd: "compiler".into(),
            threads: 1,
            deterministic: true,
        }
    }

    fn supports(&self, feature: Feature) -> bool {
        use Feature::{
            BiasGradient, F32, F64, FeaturesGradient, LogSumExp, Predicted, SampleLosses, SumReduction,
        };
        matches!(
            feature,
            F32 | F64 | SumReduction | FeaturesGradient | BiasGradient | SampleLosses | LogSumExp | Predicted
        )
    }
}

/// Step 3: the computation. Check the request, compute, write the requested outputs.
impl<T: Element> SoftmaxBackend<T> for Mine {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        // Refuses every feature that `supports` does not list, so only labels without options remain.
        self.check(problem, outputs)?;
        let (x, w) = (problem.features().dense("mine")?, problem.weights().dense("mine")?);
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let total_weight = if problem.objective().reduction == Reduction::Sum { 1.0 } else { n as f64 };
        let (mut loss, mut correct) = (0.0, 0);
        // Only requested gradients are computed.
        let mut dw = outputs.weights_gradient.is_some().then(|| Array2::<f64>::zeros((d, c)));
        let mut dx = outputs.features_gradient.is_some().then(|| Array2::<f64>::zeros((n, d)));
        let mut db = outputs.bias_gradient.is_some().then(|| Array1::<f64>::zeros(c));
        for i in 0..n {
            let Some(label) = problem.label(i) else { continue };
            self.scores.clear();
            self.scores
                .extend((0..c).map(|j| (0..d).map(|k| x[[i, k]].widen() * w[[k, j]].widen()).sum::<f64>()));
            let mut best = 0;
            for j in 0..c {
                best = if self.scores[j] > self.scores[best] { j } else { best };
            }
            let max = self.scores[best];
            // Sums leave out the largest term, which is 1, so that confident predictions keep their accuracy.
            let others = |left_out: usize, s: &[f64]| -> f64 {
                (0..c).filter(|&j| j != left_out).map(|j| (s[j] - max).exp()).sum()
            };
            // `0.0 * max` adds 0, or NaN if the largest score is not finite.
            let rest = others(best, &self.scores) + 0.0 * max;
            let sample_loss = rest.ln_1p() + (max - self.scores[label]);
            loss += sample_loss;
            correct += usize::from(best == label);
            for j in (0..c).filter(|_| outputs.wants_gradient()) {
                let g = if j == label {
                    -(others(j, &self.scores) / (1.0 + rest))
                } else {
                    (self.scores[j] - max).exp() / (1.0 + rest)
                };
                let g = g / total_weight;
                if let Some(db) = &mut db {
                    db[j] += g;
                }
                for k in 0..d {
                    if let Some(dw) = &mut dw {
                        dw[[k, j]] += g * x[[i, k]].widen();
                    }
                    if let Some(dx) = &mut dx {
                        dx[[i, k]] += g * w[[k, j]].widen();
                    }
                }
            }
            if let Some(out) = &mut outputs.sample_losses {
                out[i] = T::narrow(sample_loss);
            }
            if let Some(out) = &mut outputs.log_sum_exp {
                out[i] = T::narrow(max + rest.ln_1p());
            }
            if let Some(out) = &mut outputs.predicted {
                out[i] = best;
            }
        }
        if let (Some(out), Some(dw)) = (&mut outputs.weights_gradient, dw) {
            out.assign(&dw.mapv(T::narrow));
        }
        if let (Some(out), Some(dx)) = (&mut outputs.features_gradient, dx) {
            out.assign(&dx.mapv(T::narrow));
        }
        if let (Some(out), Some(db)) = (&mut outputs.bias_gradient, db) {
            out.assign(&db.mapv(T::narrow));
        }
        Ok(Evaluation { loss: loss / total_weight, total_weight, correct: Some(correct) })
    }
}

/// Step 4: runs the suite.
fn report() -> Report {
    Runner::new().run(&Suite::<f64>::full(), || Box::<Mine>::default())
}

fn main() {
    println!("{}", report());
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_backend_passes_the_suite() {
        let report = super::report();
        assert!(report.is_success() && report.passed > 80, "{report}");
    }
}
