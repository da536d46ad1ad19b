//! Pairwise covering arrays of sizes, options, kinds of numbers, layouts of inputs and outputs, and sets of outputs.
//! Many faults need two choices together, such as label smoothing with more classes than the tile of a kernel.

use crate::combination::{Combination, Factor, counts, least_work, place};
use crate::covering::pairwise;
use crate::generator::{CHOICES, Generator};
use crate::search::RandomProblem;
use crate::test::{Outcome, Subject, Test};
use crate::values::MAGNITUDES;
use softmax_core::Element;
use std::sync::OnceLock;

/// Upper limits of a case's [`least_work`]. The second is used only for pairs that are impossible under the first.
const LARGEST: [usize; 2] = [100_000, 1_000_000];

/// Number of further passes of the thorough suite over the pairs, and its upper limits of [`least_work`].
const THOROUGH_PASSES: u64 = 6;
const THOROUGH_LARGEST: [usize; 2] = [1_000_000, 10_000_000];

/// A covering array of the pairs of factors that `wanted` selects.
struct Array {
    name: &'static str,
    /// For each place of the combination, the number of choices that take part, counted from the first. 1: only the
    /// plain choice.
    limit: fn(usize) -> usize,
    wanted: fn(usize, usize) -> bool,
}

/// No limit: all choices of a place take part.
const FREE: usize = usize::MAX;

/// The limit of place `k`. Places that are not in `factors` are limited to all outputs, numbers of ordinary magnitudes
/// and plain storage. Otherwise a fault might go unseen because its output is not requested, or is NaN.
fn plain_but_for(factors: &[Factor], k: usize) -> usize {
    if factors.iter().any(|&factor| place(factor) == k) {
        FREE
    } else if k == place(Factor::Outputs) || is_stored(k) {
        1
    } else if k == place(Factor::Values) {
        MAGNITUDES
    } else {
        FREE
    }
}

/// Factors that not every backend supports.
const STORED: [Factor; 4] =
    [Factor::FeatureStorage, Factor::WeightStorage, Factor::LabelStorage, Factor::Accumulation];

fn is_option(k: usize) -> bool {
    k < CHOICES.len()
}

fn is_stored(k: usize) -> bool {
    STORED.iter().any(|&factor| place(factor) == k)
}

fn any(a: usize, b: usize, factor: Factor) -> bool {
    a == place(factor) || b == place(factor)
}

const ARRAYS: [Array; 5] = [
    Array { name: "crossed", limit: |k| plain_but_for(&[], k), wanted: |_, _| true },
    // For backends with few options.
    Array {
        name: "crossed-plain",
        limit: |k| if is_option(k) || k == place(Factor::TargetsLayout) { 1 } else { plain_but_for(&[], k) },
        wanted: |_, _| true,
    },
    Array {
        name: "crossed-outputs",
        limit: |k| plain_but_for(&[Factor::Outputs], k),
        wanted: |a, b| any(a, b, Factor::Outputs),
    },
    Array {
        name: "crossed-values",
        limit: |k| plain_but_for(&[Factor::Values], k),
        wanted: |a, b| any(a, b, Factor::Values),
    },
    Array {
        name: "crossed-storage",
        limit: |k| if is_stored(k) || k == place(Factor::Outputs) { FREE } else { plain_but_for(&[], k) },
        wanted: |a, b| is_stored(a) || is_stored(b),
    },
];

/// The combinations of an array. Each `pass` draws others.
fn combinations(array: &Array, pass: u64, largest: [usize; 2]) -> Vec<Combination> {
    let mut counts = counts();
    counts.iter_mut().enumerate().for_each(|(k, count)| *count = (*count).min((array.limit)(k)));
    let rules = largest.map(|largest| move |combination: &[usize]| least_work(combination) <= largest);
    let covering = pairwise(&mut Generator::new(21 + pass), &counts, array.wanted, &rules);
    let seeds = (pass << 32)..;
    covering.into_iter().zip(seeds).map(|(combination, seed)| Combination::new(&combination, seed)).collect()
}

/// The combinations of all arrays, with their names.
fn named(pass: u64, largest: [usize; 2]) -> Vec<(String, Combination)> {
    let of = |array: &Array| {
        let name = array.name;
        let named = move |(k, combination): (usize, Combination)| {
            let words = combination.describe();
            let name = if pass == 0 {
                format!("{name}/{k:03}-{words}")
            } else {
                format!("{name}/{pass}-{k:03}-{words}")
            };
            (name, combination)
        };
        combinations(array, pass, largest).into_iter().enumerate().map(named).collect::<Vec<_>>()
    };
    ARRAYS.iter().flat_map(of).collect()
}

fn test<T: Element>((name, combination): (String, Combination)) -> Test<T> {
    // All backends that run the suite are compared with the same reference.
    let expected = OnceLock::new();
    Test::new(name, move |subject: &Subject<'_, T>| {
        combination.run(subject.make().as_mut(), &expected).unwrap_or_else(Outcome::from)
    })
}

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    static ALL: OnceLock<Vec<(String, Combination)>> = OnceLock::new();
    ALL.get_or_init(|| named(0, LARGEST)).iter().cloned().map(test).collect()
}

/// Seeds of [`RandomProblem`]s that once revealed a fault:
///
/// * a loss of 0 for a single class whose score is NaN, without target mass;
/// * dW rounded once for each run of samples between two ignored samples that hold NaN;
/// * db in f32 as a plain sum over 1024 samples;
/// * two answers that the contract leaves open but the oracle did not: a sample whose largest score is infinite and
///   that has no target mass.
const FOUND: [u64; 5] = [3_000_200, 4_005_258, 5_006_615, 21_335, 26_899];

pub(super) fn found_tests<T: Element>() -> Vec<Test<T>> {
    let problems = FOUND.into_iter().map(|seed| {
        let problem = RandomProblem::new(seed);
        (format!("found/{seed}-{problem}"), problem.into_combination())
    });
    problems.map(test).collect()
}

/// Further passes, with larger problems.
pub(super) fn thorough_tests<T: Element>() -> Vec<Test<T>> {
    (1..=THOROUGH_PASSES).flat_map(|pass| named(pass, THOROUGH_LARGEST)).map(test).collect()
}
