//! Checks both routes of the derivation (`docs/DERIVATION.md`) numerically, step by step: each derivative against
//! finite differences, and the two routes against each other:
//! `cargo run --release -p softmax-examples --example derivation`.

use softmax_core::ndarray::{Array1, Array2, Axis, array};
use softmax_core::{Problem, SoftmaxBackend};
use softmax_naive::Naive;

/// The tolerance. Central differences of f64 numbers near 1 are accurate to about 10 digits.
const CLOSE: f64 = 1e-8;

/// The derivative of `function` along each entry of `at`, by central differences.
fn differences(function: impl Fn(&Array1<f64>) -> f64, at: &Array1<f64>) -> Array1<f64> {
    const STEP: f64 = 1e-5;
    let moved = |j: usize, step: f64| {
        let mut moved = at.clone();
        moved[j] += step;
        function(&moved)
    };
    (0..at.len()).map(|j| (moved(j, STEP) - moved(j, -STEP)) / (2.0 * STEP)).collect()
}

fn softmax(scores: &Array1<f64>) -> Array1<f64> {
    let exps = scores.mapv(f64::exp);
    &exps / exps.sum()
}

fn log_sum_exp(scores: &Array1<f64>) -> f64 {
    scores.mapv(f64::exp).sum().ln()
}

fn largest_difference<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The statement of each step, and the difference between its two sides.
fn steps() -> Result<Vec<(&'static str, f64)>, softmax_core::Error> {
    let features = array![[0.8, -1.2, 0.3], [0.1, 0.4, -2.0], [1.5, 0.0, 0.7]];
    let weights = array![[0.5, -0.5, 0.0, 1.0], [0.1, 0.2, 0.3, -0.4], [-0.7, 0.9, 0.2, 0.6]];
    let labels = array![1, 0, 3];
    let (n, c) = (features.nrows(), weights.ncols());
    let mut steps = Vec::new();

    // One sample.
    let (x, y) = (features.row(0).to_owned(), labels[0]);
    let s = x.dot(&weights);
    let p = softmax(&s);
    let one_hot = Array1::from_shape_fn(c, |j| f64::from(u8::from(j == y)));

    let max = s.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let shifted = softmax(&s.mapv(|s| s - max));
    steps.push(("p of s − m is p of s", largest_difference(&shifted, &p)));
    let rest: f64 = s.iter().filter(|&&s| s != max).map(|s| (s - max).exp()).sum();
    let loss = (max - s[y]) + rest.ln_1p();
    steps.push(("−log p_y is (m − s_y) + log(1 + R)", (-p[y].ln() - loss).abs()));

    // First route: the quotient rule.
    let slopes = Array1::from_shape_fn(c, |j| if j == y { p[y] * (1.0 - p[y]) } else { -p[y] * p[j] });
    let measured = differences(|s| softmax(s)[y], &s);
    steps.push(("∂p_y/∂s_j is p_y(1 − p_y), or −p_y·p_j", largest_difference(&slopes, &measured)));
    let first = slopes.mapv(|slope| -slope / p[y]);
    let measured = differences(|s| -softmax(s)[y].ln(), &s);
    steps.push(("∂ℓ/∂s_j is −(1/p_y)·∂p_y/∂s_j", largest_difference(&first, &measured)));

    // Second route: the logarithm of the sum.
    let measured = differences(log_sum_exp, &s);
    steps.push(("∂lse/∂s_j is p_j", largest_difference(&p, &measured)));
    let second = &p - &one_hot;
    let measured = differences(|s| log_sum_exp(s) - s[y], &s);
    steps.push(("∂ℓ/∂s_j is p_j − [j = y]", largest_difference(&second, &measured)));
    steps.push(("both routes end at the same place", largest_difference(&first, &second)));
    let others: f64 = (0..c).filter(|&j| j != y).map(|j| p[j]).sum();
    steps.push(("p_y − 1 is −Σ of the other p", (second[y] + others).abs()));

    // From scores to weights and features.
    let outer = Array2::from_shape_fn(weights.dim(), |(d, j)| x[d] * second[j]);
    let loss_of = |w: &Array1<f64>| {
        let w = w.clone().into_shape_with_order(weights.dim()).expect("as many entries");
        let s = x.dot(&w);
        log_sum_exp(&s) - s[y]
    };
    let measured = differences(loss_of, &weights.iter().copied().collect());
    steps.push(("∂ℓ/∂W_dj is (p_j − [j = y])·x_d", largest_difference(&outer, &measured)));
    let back = weights.dot(&second);
    let loss_of = |x: &Array1<f64>| {
        let s = x.dot(&weights);
        log_sum_exp(&s) - s[y]
    };
    let measured = differences(loss_of, &x);
    steps.push(("∂ℓ/∂x_d is Σ_j (p_j − [j = y])·W_dj", largest_difference(&back, &measured)));

    // All samples: matrices.
    let mut g = features.dot(&weights);
    for (mut row, &y) in g.axis_iter_mut(Axis(0)).zip(&labels) {
        let p = softmax(&row.to_owned());
        row.assign(&p);
        row[y] -= 1.0;
    }
    g /= n as f64;
    let problem = Problem::builder(features.view(), weights.view(), labels.view()).build()?;
    let gradients = Naive::new().gradients(&problem)?;
    steps.push(("dW is Xᵀ·G", largest_difference(&features.t().dot(&g), &gradients.weights)));
    steps.push(("db is the sum of G's rows", largest_difference(&g.sum_axis(Axis(0)), &gradients.bias)));
    Ok(steps)
}

fn main() -> Result<(), softmax_core::Error> {
    for (step, difference) in steps()? {
        let verdict = if difference < CLOSE { "holds" } else { "FAILS" };
        println!("{verdict}  {step:38}  to {difference:.0e}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_routes_give_the_same_gradient() {
        for (step, difference) in super::steps().unwrap() {
            assert!(difference < super::CLOSE, "{step}: {difference}");
        }
    }
}
