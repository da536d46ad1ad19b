//! All options crossed, over odd shapes: enough random combinations that every pair of choices is met.

use crate::case::{Case, Generator};
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Reduction};

/// How many combinations.
pub(crate) const COMBINATIONS: usize = 400;

/// For each option, how many choices it has, in the order of [`Choices`].
const CHOICES: [(&str, usize); 11] = [
    ("bias", 2),
    ("soft", 2),
    ("smoothing", 4),
    ("class-weights", 3),
    ("sample-weights", 3),
    ("ignore", 3),
    ("sum", 2),
    ("l2", 2),
    ("z-loss", 2),
    ("softcap", 3),
    ("temperature", 3),
];

/// One choice per option.
type Choices = [usize; CHOICES.len()];

const DIMENSIONS: [usize; 10] = [1, 2, 3, 5, 7, 8, 9, 13, 17, 33];

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(3);
    (0..COMBINATIONS).map(|k| case(k, choose(&mut g), &mut g)).collect()
}

fn choose(g: &mut Generator) -> Choices {
    CHOICES.map(|(_, count)| g.below(count))
}

fn case(k: usize, choices: Choices, g: &mut Generator) -> Case {
    let [bias, soft, smoothing, class_weights, sample_weights, ignore, sum, l2, z_loss, softcap, temperature] =
        choices;
    let mut size = || DIMENSIONS[g.below(DIMENSIONS.len())];
    let (n, d, c) = (size(), size(), size());
    let mut problem: OwnedProblem<f64> = g.problem(n, d, c);
    problem.bias = (bias == 1).then(|| g.vector(c, -1.0, 1.0));
    if soft == 1 {
        problem.targets = OwnedTargets::Soft(g.soft_targets(n, c));
    }
    problem.class_weights = match class_weights {
        0 => None,
        1 => Some(g.vector(c, 0.1, 3.0)),
        _ => {
            let mut weights = g.vector(c, 0.1, 3.0);
            weights[g.below(c)] = 0.0;
            Some(weights)
        }
    };
    problem.sample_weights = match sample_weights {
        0 => None,
        1 => Some(g.vector(n, 0.1, 2.0)),
        _ => Some(g.vector(n, 0.0, 1.0).mapv(|u| if u < 0.4 { 0.0 } else { u })),
    };
    let ignore_index = match ignore {
        0 => None,
        1 => Some(g.below(c)),
        _ => {
            if let OwnedTargets::Labels(labels) = &mut problem.targets {
                labels.iter_mut().filter(|_| g.below(3) == 0).for_each(|y| *y = usize::MAX - 99);
            }
            Some(usize::MAX - 99)
        }
    };
    // A total weight of zero over samples that count is 0/0, and what follows is no one's promise.
    if let OwnedTargets::Labels(labels) = &problem.targets {
        let weight = |i: usize, y: usize| {
            let class_weight = problem.class_weights.as_ref().map_or(1.0, |w| w[y]);
            class_weight * problem.sample_weights.as_ref().map_or(1.0, |u| u[i])
        };
        let counted = || labels.iter().enumerate().filter(|&(_, &y)| Some(y) != ignore_index);
        if counted().next().is_some() && counted().all(|(i, &y)| weight(i, y) == 0.0) {
            (problem.class_weights, problem.sample_weights) = (None, None);
        }
    } else if problem.sample_weights.as_ref().is_some_and(|u| u.sum() == 0.0) {
        problem.sample_weights = None;
    }
    problem.objective = Objective {
        reduction: if sum == 1 { Reduction::Sum } else { Reduction::Mean },
        label_smoothing: [0.0, 0.1, 0.7, 1.0][smoothing],
        ignore_index,
        l2: [0.0, 0.05][l2],
        z_loss: [0.0, 0.01][z_loss],
        softcap: [None, Some(2.0), Some(30.0)][softcap],
        temperature: [1.0, 0.5, 3.0][temperature],
    };
    Case::new(format!("options/{k:03}-{n}x{d}x{c}{}", describe(&choices)), problem)
}

fn describe(choices: &Choices) -> String {
    let taken = CHOICES.iter().zip(choices).filter(|&(_, &choice)| choice > 0);
    let words = taken.map(|((name, count), choice)| match count {
        2 => format!("-{name}"),
        _ => format!("-{name}{choice}"),
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_pair_of_choices_is_met() {
        let mut g = Generator::new(3);
        let mut met = HashSet::new();
        for k in 0..COMBINATIONS {
            let choices = choose(&mut g);
            case(k, choices, &mut g);
            for a in 0..CHOICES.len() {
                met.extend((a + 1..CHOICES.len()).map(|b| (a, choices[a], b, choices[b])));
            }
        }
        for a in 0..CHOICES.len() {
            for b in a + 1..CHOICES.len() {
                for (x, y) in (0..CHOICES[a].1).flat_map(|x| (0..CHOICES[b].1).map(move |y| (x, y))) {
                    assert!(met.contains(&(a, x, b, y)), "{}={x} with {}={y}", CHOICES[a].0, CHOICES[b].0);
                }
            }
        }
    }
}
