//! Plain problems around the sizes of SIMD vectors and tiles, and a few larger ones.

use crate::case::Case;
use crate::generator::Generator;
use softmax_core::ndarray::Array1;
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Reduction};

const AROUND_LANES: [usize; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 65, 127, 129, 257];

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(2);
    let mut shapes: Vec<(usize, usize, usize)> = Vec::new();
    for size in AROUND_LANES {
        shapes.extend([(5, size, 10), (7, 12, size), (size, 9, 4)]);
        shapes.push((3, size, AROUND_LANES[g.below(AROUND_LANES.len())]));
    }
    // Narrow and long, wide and flat, and enough rows to reveal a sum in f32.
    shapes.extend([
        (1000, 70, 10),
        (64, 300, 10),
        (40, 33, 1031),
        (3, 17, 4099),
        (20_000, 1, 2),
        (515, 130, 37),
    ]);
    let mut cases = Vec::new();
    for (k, (n, d, c)) in shapes.into_iter().enumerate() {
        let mut problem: OwnedProblem<f64> = g.problem(n, d, c);
        problem.bias = (k % 3 == 0).then(|| g.vector(c, -1.0, 1.0));
        let reduction = if k % 4 == 1 { Reduction::Sum } else { Reduction::Mean };
        problem.objective = Objective { reduction, ..Objective::default() };
        let with = if problem.bias.is_some() { "-bias" } else { "" };
        cases
            .push(Case::new(format!("sizes/{k:03}-{n}x{d}x{c}{with}-{reduction:?}").to_lowercase(), problem));
    }
    // Equal gradients of one sign: a plain f32 sum is wrong in its fourth digit.
    for (n, d, c) in [(70_000, 2, 3), (66_000, 1, 66)] {
        let mut problem = g.problem(n, d, c);
        let first = problem.features.row(0).to_owned();
        problem.features.rows_mut().into_iter().for_each(|mut row| row.assign(&first));
        problem.targets = OwnedTargets::Labels(Array1::from_elem(n, 1));
        cases.push(Case::new(format!("sizes/alike-{n}x{d}x{c}"), problem));
    }
    cases
}
