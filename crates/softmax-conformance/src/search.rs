//! Problems without end, each from a seed: what no list of cases thinks of.

use crate::combination::{Combination, Factor, counts, least_work, place};
use crate::generator::{CHOICES, Generator};
use crate::test::{Outcome, caught};
use softmax_core::{Element, Error, Result, SoftmaxBackend};
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

/// What a problem costs the oracle, at most: see [`least_work`].
const LARGEST: usize = 3_000_000;

/// A random problem and what is asked of it: of any size, with options, numbers of all magnitudes and none, storage and
/// layouts, and a choice of outputs in layouts. The same one for the same seed on every machine.
///
/// ```
/// use softmax_conformance::RandomProblem;
/// use softmax_naive::Naive;
///
/// // One instance lives through all of them, as it would in a program.
/// let mut backend = Naive::new();
/// for seed in 0..20 {
///     let problem = RandomProblem::new(seed);
///     let faults = problem.judge::<f32>(&mut backend)?;
///     assert!(faults.is_empty(), "problem {seed}, {problem}: {}", faults[0]);
/// }
/// # Ok::<(), softmax_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RandomProblem(Combination);

impl RandomProblem {
    /// The problem of a seed.
    pub fn new(seed: u64) -> Self {
        // Another stream than that of the problem's numbers.
        let mut g = Generator::new(!seed);
        loop {
            let mut combination = counts().map(|count| g.below(count));
            // Half of the options, and of what is rarely otherwise, are left as they are.
            for (k, choice) in combination.iter_mut().enumerate() {
                if is_often_plain(k) && g.below(2) == 0 {
                    *choice = 0;
                }
            }
            if least_work(&combination) <= LARGEST {
                return RandomProblem(Combination::new(&combination, seed));
            }
        }
    }

    pub(crate) fn into_combination(self) -> Combination {
        self.0
    }

    /// What is wrong with a backend's answer: nothing, if it is right. A panic is a fault.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the backend does not do this, and [`Error::Gone`].
    pub fn judge<T: Element>(&self, backend: &mut dyn SoftmaxBackend<T>) -> Result<Vec<String>> {
        match caught(|| self.0.run(backend, &OnceLock::new()).unwrap_or_else(Outcome::from)) {
            Outcome::Passed(_) | Outcome::NotApplicable(_) => Ok(Vec::new()),
            Outcome::Failed(faults) => Ok(faults.into_iter().map(|fault| fault.message).collect()),
            Outcome::Gone(error) => Err(error),
            Outcome::Unsupported(feature) => {
                Err(Error::Unsupported { backend: backend.descriptor().name.into_owned(), feature })
            }
        }
    }
}

/// The size, the options, the numbers, the storage, the layouts and the outputs, in words.
impl fmt::Display for RandomProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.describe())
    }
}

fn is_often_plain(k: usize) -> bool {
    let sizes = [Factor::Samples, Factor::Features, Factor::Classes];
    k < CHOICES.len() || !sizes.iter().any(|&size| place(size) == k)
}

/// What is wrong with the answers of one instance that computes in f32 and in f64 in turns, on the first of some seeds'
/// problems where anything is. What it does not support is left out.
pub fn judge_in_turns<B>(backend: &mut B, seeds: Range<u64>) -> Vec<String>
where
    B: SoftmaxBackend<f32> + SoftmaxBackend<f64>,
{
    let faults_of = |seed| -> Vec<String> {
        let problem = RandomProblem::new(seed);
        let turns = [
            ("f32", judge_f32(&problem, backend)),
            ("f64", judge_f64(&problem, backend)),
            ("f32 again", judge_f32(&problem, backend)),
        ];
        let faults = turns.into_iter().flat_map(|(turn, judged)| {
            judged.unwrap_or_default().into_iter().map(move |fault| (turn, fault))
        });
        faults.map(|(turn, fault)| format!("problem {seed}, {problem}, {turn}: {fault}")).collect()
    };
    seeds.map(faults_of).find(|faults| !faults.is_empty()).unwrap_or_default()
}

// Not generic, so that they are compiled here and not with every backend's tests.
fn judge_f32(problem: &RandomProblem, backend: &mut dyn SoftmaxBackend<f32>) -> Result<Vec<String>> {
    problem.judge(backend)
}

fn judge_f64(problem: &RandomProblem, backend: &mut dyn SoftmaxBackend<f64>) -> Result<Vec<String>> {
    problem.judge(backend)
}
