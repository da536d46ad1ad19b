//! Numbers at the limits of the range of f32, and margins at which exponentials underflow in f32 and f64.

use crate::case::{Case, problem_of_scores, with_objective};
use crate::generator::Generator;
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Reduction};

const CLASSES: [usize; 2] = [5, 70];
const SAMPLES: usize = 65;

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(43);
    let mut cases = Vec::new();
    for c in CLASSES {
        let mut push = |name: &str, problem| cases.push(Case::new(format!("extremes/{name}-{c}"), problem));
        for margin in [85.0, 90.0, 100.0, 104.0, 300.0, 700.0, 740.0, 750.0, 2000.0] {
            push(&format!("margin-{margin}"), confident(c, margin));
            push(&format!("wrong-by-{margin}"), wrong(c, margin));
        }
        for (name, x, w) in [
            ("tiny-features", 1e-37, 1e37),
            ("subnormal-features", 1e-40, 1.0),
            ("subnormal-weights", 1.0, 1e-40),
            ("subnormal-both", 1e-30, 1e-30),
            ("large-features", 1e30, 1e-30),
            ("large-weights", 1e-30, 1e30),
        ] {
            let mut problem = g.problem(7, 4, c);
            problem.features *= x;
            problem.weights *= w;
            push(name, problem);
        }
        for (name, problem) in scaled(&mut g, c) {
            push(name, problem);
        }
    }
    cases
}

/// In each of three samples, the class of the label leads by `margin`.
fn confident(c: usize, margin: f64) -> OwnedProblem<f64> {
    let scores = Array2::from_shape_fn((3, c), |(i, class)| if class == i { margin } else { 0.0 });
    problem_of_scores(scores, &[0, 1, 2])
}

/// In each of three samples, the last class leads by `margin`, and the label is another class.
fn wrong(c: usize, margin: f64) -> OwnedProblem<f64> {
    let scores = Array2::from_shape_fn((3, c), |(_, class)| if class + 1 == c { margin } else { 0.0 });
    problem_of_scores(scores, &[0, 1, 2])
}

/// Extreme class weights, sample weights, targets, temperatures and totals. In most problems they cancel to an ordinary
/// scale.
fn scaled(g: &mut Generator, c: usize) -> Vec<(&'static str, OwnedProblem<f64>)> {
    let mut problem = || g.problem(SAMPLES, 4, c);
    let sum = Objective { reduction: Reduction::Sum, ..Objective::default() };
    let classes = |weight: f64| Some(Array1::from_shape_fn(c, |class| weight * (1.0 + (class % 3) as f64)));
    let samples = |weight: f64| Some(Array1::from_shape_fn(SAMPLES, |i| weight * (1.0 + (i % 2) as f64)));
    let objective = |temperature| Objective { temperature, ..Objective::default() };

    let mut hot = with_objective(problem(), objective(1e20));
    hot.class_weights = classes(1e30);
    hot.weights *= 1e20;
    let mut large_samples = problem();
    // Their sum overflows f32.
    large_samples.sample_weights = samples(1e37);
    let mut small_samples = problem();
    small_samples.sample_weights = samples(1e-37);
    let mut small_classes = problem();
    small_classes.class_weights = classes(1e-37);
    // 1/Ω overflows f32.
    let mut few = with_objective(g.problem(2, 4, c), Objective { z_loss: 1e-40, ..Objective::default() });
    few.class_weights = classes(2f64.powi(-130));
    let few_sum = with_objective(few.clone(), Objective { z_loss: 0.1, ..sum });
    let mut problem = || g.problem(SAMPLES, 4, c);
    let mut subnormal_classes = problem();
    subnormal_classes.class_weights = classes(2f64.powi(-130));
    let mut subnormal_soft = problem();
    subnormal_soft.targets = OwnedTargets::Soft(Array2::from_elem((SAMPLES, c), 2f64.powi(-130)));
    let mut opposite = problem();
    opposite.class_weights = classes(1e30);
    opposite.sample_weights = samples(1e-30);
    let mut opposite_sum = with_objective(opposite.clone(), sum);
    opposite_sum.bias = Some(Array1::zeros(c));
    let mut cold = with_objective(problem(), objective(1e-20));
    cold.weights *= 1e-20;
    let mut smoothed = with_objective(problem(), Objective { label_smoothing: 0.1, ..objective(1e20) });
    smoothed.class_weights = classes(1e30);
    smoothed.weights *= 1e20;
    let mut capped = with_objective(problem(), Objective { softcap: Some(1.0), ..Objective::default() });
    capped.weights *= 1e4;
    vec![
        ("class-weights-1e30-temperature-1e20", hot),
        ("class-weights-1e30-temperature-1e20-smoothing", smoothed),
        ("sample-weights-1e37", large_samples),
        ("sample-weights-1e-37", small_samples),
        ("class-weights-1e-37", small_classes),
        ("class-weights-subnormal", subnormal_classes),
        ("class-weights-subnormal-two-samples", few),
        ("class-weights-subnormal-sum", few_sum),
        ("soft-targets-subnormal", subnormal_soft),
        ("class-weights-1e30-sample-weights-1e-30", opposite),
        ("class-weights-1e30-sample-weights-1e-30-sum", opposite_sum),
        ("temperature-1e-20", cold),
        ("softcap-saturated", capped),
    ]
}
