//! Problems whose answers can be worked out by hand, and edge cases of the formula.

use crate::case::{Case, problem_of_scores, with_objective};
use crate::generator::Generator;
use softmax_core::ndarray::{Array1, Array2, array};
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Reduction};

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(1);
    let plain = |name: &str, problem| Case::new(format!("closed/{name}"), problem);
    let sum = Objective { reduction: Reduction::Sum, ..Objective::default() };
    let mut cases = vec![
        plain("zero-weights", zero_weights(&mut g)),
        plain("two-equal-classes", problem_of_scores(array![[2.0, 2.0], [-3.0, -3.0]], &[0, 1])),
        plain("one-class", problem_of_scores(array![[0.5], [-70.0]], &[0, 0])),
        plain("one-sample", problem_of_scores(array![[0.25, -1.5, 3.0]], &[2])),
        plain("one-sample-sum", with_objective(problem_of_scores(array![[0.25, -1.5, 3.0]], &[1]), sum)),
        plain(
            "ties",
            problem_of_scores(array![[1.0, 1.0, 0.0], [0.0, 4.0, 4.0], [7.0, 7.0, 7.0]], &[1, 2, 0]),
        ),
        plain("large-scores", problem_of_scores(array![[1e4, 0.0, -1e4], [-1e4, 1e4, 0.0]], &[1, 1])),
        plain("huge-scores", problem_of_scores(array![[1e30, -1e30, 0.0], [-1e30, 0.0, 1e30]], &[0, 1])),
        plain(
            "rows-far-apart",
            problem_of_scores(array![[1e4, 9999.0], [-1e4, -9999.0], [0.5, 0.0]], &[1, 0, 0]),
        ),
        plain("no-samples", OwnedProblem::new(Array2::zeros((0, 3)), g.matrix(3, 4, -1.0, 1.0), labels(&[]))),
        plain("no-features", OwnedProblem { bias: Some(array![0.5, -1.0]), ..no_features() }),
        plain("no-features-no-bias", no_features()),
        plain("no-features-many-classes", OwnedProblem { weights: Array2::zeros((0, 300)), ..no_features() }),
    ];
    for margin in [10.0, 20.0, 40.0, 80.0] {
        cases.push(plain(&format!("margin-{margin}"), problem_of_scores(confident(margin), &[0, 1, 2])));
    }
    let masked = |bias, labels: &[i64]| OwnedProblem {
        bias: Some(bias),
        ..problem_of_scores(array![[1.0, 2.0, 3.0], [0.5, -0.5, 0.0]], labels)
    };
    let infinite = f64::NEG_INFINITY;
    cases.push(plain("masked-class", masked(array![0.0, 0.5, infinite], &[0, 1])));
    cases.push(plain("masked-target", masked(array![infinite, 0.5, 0.0], &[0, 1])));
    cases.push(plain("one-class-left", masked(array![infinite, 0.5, infinite], &[1, 1])));
    let everything = Objective { ignore_index: Some(-100), ..Objective::default() };
    let all_ignored = OwnedProblem {
        targets: labels(&[-100, -100]),
        ..problem_of_scores(array![[1.0, 2.0], [3.0, 4.0]], &[0, 0])
    };
    let infinite_weights =
        OwnedProblem::new(array![[1.0], [2.0]], array![[f64::NEG_INFINITY, 2.0]], labels(&[-100, -100]));
    cases.push(plain("all-ignored-infinite-weights", with_objective(infinite_weights, everything)));
    cases.push(plain("all-ignored", with_objective(all_ignored.clone(), everything)));
    cases.push(plain("all-ignored-l2", with_objective(all_ignored, Objective { l2: 0.5, ..everything })));
    let options = Objective { label_smoothing: 0.1, softcap: Some(0.5), z_loss: 0.1, ..everything };
    let all_ignored = OwnedProblem { targets: labels(&[-100; 3]), ..g.problem(3, 2, 70) };
    cases.push(plain("all-ignored-options", with_objective(all_ignored, options)));
    let weightless = OwnedProblem {
        targets: labels(&[1, 0]),
        class_weights: Some(array![0.0, 0.0, 2.0]),
        ..problem_of_scores(array![[1.0, 2.0, -1.0], [3.0, 4.0, 0.0]], &[0, 0])
    };
    cases.push(plain(
        "weightless",
        with_objective(weightless, Objective { z_loss: 0.5, ..Objective::default() }),
    ));
    let mut nan = g.problem(3, 2, 4);
    nan.features[[1, 0]] = f64::NAN;
    cases.push(plain("nan-feature", nan));
    cases
}

fn labels(labels: &[i64]) -> OwnedTargets<f64> {
    OwnedTargets::Labels(Array1::from(labels.to_vec()))
}

fn zero_weights(g: &mut Generator) -> OwnedProblem<f64> {
    OwnedProblem { weights: Array2::zeros((3, 7)), ..g.problem(5, 3, 7) }
}

fn no_features() -> OwnedProblem<f64> {
    OwnedProblem::new(Array2::zeros((3, 0)), Array2::zeros((0, 2)), labels(&[0, 1, 0]))
}

/// Scores in which class i leads by `margin` in row i.
fn confident(margin: f64) -> Array2<f64> {
    Array2::from_diag_elem(3, margin)
}
