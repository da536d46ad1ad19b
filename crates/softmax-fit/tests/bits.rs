//! The bits of a model do not depend on the number of threads.

use softmax::ndarray::{Array1, Array2};
use softmax::{Fused, Objective, OwnedCsr};
use softmax_data::{Dataset, FeatureStore, TargetStore};
use softmax_fit::{Fit, Model, Solver};
use std::ops::ControlFlow;

/// Deterministic numbers between −0.5 and 0.5 without an obvious pattern.
fn number(k: usize) -> f64 {
    (k as f64 * 0.618_033_988_749_895 + (k % 7919) as f64 * 0.414_213_562_373).fract() - 0.5
}

fn dense(n: usize, d: usize, c: usize) -> Dataset<f64> {
    let features = Array2::from_shape_fn((n, d), |(i, k)| number(i * d + k) * (k + 1) as f64);
    let labels =
        Array1::from_shape_fn(n, |i| ((features[[i, 0]] * 7.0).abs() as usize + i) as i64 % c as i64);
    Dataset::new("dense", features, TargetStore::Labels(labels))
}

fn sparse(n: usize, d: usize, c: usize) -> Dataset<f64> {
    let (mut pointers, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in 0..n {
        for k in (i % 13..d).step_by(29) {
            columns.push(k as u32);
            values.push(number(i * d + k));
        }
        pointers.push(columns.len());
    }
    let features = OwnedCsr::new((n, d), pointers, columns, values).unwrap();
    let labels = Array1::from_shape_fn(n, |i| (i * i % c) as i64);
    Dataset::new("sparse", FeatureStore::Csr(features), TargetStore::Labels(labels))
}

fn fit(dataset: &Dataset<f64>, solver: Solver, threads: usize) -> Model<f64> {
    // Enough iterations for L-BFGS to renew its preconditioner. A step of Newton's method takes many products.
    let iterations = if solver == Solver::Lbfgs { 24 } else { 2 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let fit =
        Fit::new(Objective { l2: 1e-4, ..Objective::default() }).solver(solver).max_iterations(iterations);
    let fitted =
        pool.install(|| fit.fit_with(dataset, None, &mut Fused::new(), &mut |_| ControlFlow::Continue(())));
    fitted.unwrap().model
}

#[test]
fn a_model_has_the_same_bits_for_any_number_of_threads() {
    // Large enough for several tiles, parts, blocks and chunks in every sum.
    for (dataset, solvers) in [
        (dense(3000, 300, 70), &[Solver::Lbfgs][..]),
        (dense(5000, 10, 3), &[Solver::Lbfgs, Solver::NewtonCg, Solver::NewtonCholesky]),
        (sparse(6000, 900, 20), &[Solver::Lbfgs]),
    ] {
        for &solver in solvers {
            let one = fit(&dataset, solver, 1);
            for threads in [2, 3, 5] {
                let model = fit(&dataset, solver, threads);
                let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
                let is_same = model.weights.iter().zip(&one.weights).all(|(&a, &b)| same(a, b));
                assert!(is_same, "{}, {solver}, {threads} threads", dataset.origin);
            }
        }
    }
}
