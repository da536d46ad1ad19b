//! All options crossed, at odd shapes: enough random combinations to contain every pair of choices.

use crate::case::Case;
use crate::generator::Generator;

/// Number of combinations.
const COMBINATIONS: usize = 400;

const DIMENSIONS: [usize; 10] = [1, 2, 3, 5, 7, 8, 9, 13, 17, 33];

pub(super) fn cases() -> Vec<Case> {
    let mut g = Generator::new(3);
    (0..COMBINATIONS)
        .map(|k| {
            let choices = g.choices();
            let mut size = || DIMENSIONS[g.below(DIMENSIONS.len())];
            let (n, d, c) = (size(), size(), size());
            let name = format!("options/{k:03}-{n}x{d}x{c}{}", choices.describe());
            Case::new(name, g.problem_with(n, d, c, choices))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::CHOICES;
    use std::collections::HashSet;

    #[test]
    fn every_pair_of_choices_is_met() {
        let names: HashSet<String> = cases().into_iter().map(|case| case.name + "-").collect();
        assert_eq!(names.len(), COMBINATIONS);
        // A name lists the choices of a case, except for choices of 0.
        let words = |option: usize, choice: usize| match CHOICES[option] {
            (name, 2) => format!("-{name}-"),
            (name, _) => format!("-{name}{choice}-"),
        };
        let has = |name: &str, option: usize, choice: usize| match choice {
            0 => (1..CHOICES[option].1).all(|other| !name.contains(&words(option, other))),
            _ => name.contains(&words(option, choice)),
        };
        for a in 0..CHOICES.len() {
            for b in a + 1..CHOICES.len() {
                for (x, y) in (0..CHOICES[a].1).flat_map(|x| (0..CHOICES[b].1).map(move |y| (x, y))) {
                    let is_met = names.iter().any(|name| has(name, a, x) && has(name, b, y));
                    assert!(is_met, "{}={x} with {}={y}", CHOICES[a].0, CHOICES[b].0);
                }
            }
        }
    }
}
