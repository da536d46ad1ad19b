//! Random plain problems of many shapes.

use crate::case::{Case, Generator};
use softmax_core::{Objective, OwnedProblem, Reduction};

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(2);
    let mut cases = Vec::new();
    for (n, d, c) in [(1, 1, 1), (1, 1, 2), (2, 3, 1), (5, 4, 3), (17, 9, 10), (33, 65, 7), (64, 31, 129)] {
        for bias in [false, true] {
            for reduction in [Reduction::Mean, Reduction::Sum] {
                let mut problem: OwnedProblem<f64> = g.problem(n, d, c);
                problem.bias = bias.then(|| g.vector(c, -1.0, 1.0));
                problem.objective = Objective { reduction, ..Objective::default() };
                let with = if bias { "-bias" } else { "" };
                let name = format!("shapes/{n}x{d}x{c}{with}-{reduction:?}").to_lowercase();
                cases.push(Case::new(name, problem));
            }
        }
    }
    cases
}
