//! Covering arrays: small sets of combinations that contain every possible pair of choices.

use crate::generator::Generator;
use std::collections::HashSet;

/// Number of random candidates from which each combination is chosen.
const CANDIDATES: usize = 30;

/// Number of consecutive rounds without a useful candidate after which a rule is exhausted.
const PATIENCE: usize = 20;

type Pair = (usize, usize, usize, usize);

/// Combinations that cover every pair of choices of two `wanted` factors. Factor `k` has choices below `counts[k]`.
///
/// Every combination satisfies one of `rules`: the first until it is exhausted, then the next. Pairs that no rule
/// admits are not covered. The search is greedy: each combination is the best of several random candidates.
pub(crate) fn pairwise(
    g: &mut Generator,
    counts: &[usize],
    wanted: impl Fn(usize, usize) -> bool,
    rules: &[impl Fn(&[usize]) -> bool],
) -> Vec<Vec<usize>> {
    let mut open: HashSet<Pair> = HashSet::new();
    for a in 0..counts.len() {
        for b in (a + 1..counts.len()).filter(|&b| wanted(a, b)) {
            open.extend((0..counts[a]).flat_map(|x| (0..counts[b]).map(move |y| (a, x, b, y))));
        }
    }
    // Sorted, because a hash set has no fixed order: the same generator must give the same combinations.
    let mut rest: Vec<Pair> = open.iter().copied().collect();
    rest.sort_unstable();
    let mut combinations = Vec::new();
    let (mut rules, mut idle) = (rules.iter(), 0);
    let Some(mut is_possible) = rules.next() else { return combinations };
    while !open.is_empty() {
        let mut best: (usize, Vec<usize>) = (0, Vec::new());
        for _ in 0..CANDIDATES {
            let mut candidate: Vec<usize> = counts.iter().map(|&count| g.below(count)).collect();
            // Each candidate contains a pair that is not yet covered.
            let (a, x, b, y) = rest[g.below(rest.len())];
            (candidate[a], candidate[b]) = (x, y);
            if is_possible(&candidate) {
                let covered = pairs(&candidate).filter(|pair| open.contains(pair)).count();
                if covered > best.0 {
                    best = (covered, candidate);
                }
            }
        }
        if best.0 == 0 {
            idle += 1;
            if idle == PATIENCE {
                let Some(next) = rules.next() else { break };
                (is_possible, idle) = (next, 0);
            }
            continue;
        }
        idle = 0;
        pairs(&best.1).for_each(|pair| {
            open.remove(&pair);
        });
        rest.retain(|pair| open.contains(pair));
        combinations.push(best.1);
    }
    combinations
}

fn pairs(combination: &[usize]) -> impl Iterator<Item = Pair> {
    (0..combination.len())
        .flat_map(move |a| (a + 1..combination.len()).map(move |b| (a, combination[a], b, combination[b])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_covered_but_the_impossible() {
        let counts = [3, 4, 2, 5];
        let is_possible = |c: &[usize]| c[0] != 2 || c[1] != 3;
        let combinations = pairwise(&mut Generator::new(1), &counts, |_, _| true, &[is_possible]);
        let covered: HashSet<Pair> = combinations.iter().flat_map(|combination| pairs(combination)).collect();
        let all: usize = (0..4).flat_map(|a| (a + 1..4).map(move |b| counts[a] * counts[b])).sum();
        assert_eq!(covered.len(), all - 1);
        assert!(combinations.iter().all(|combination| is_possible(combination)));
        assert!(combinations.len() < 40, "{}", combinations.len());
    }
}
