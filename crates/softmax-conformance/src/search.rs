//! An unlimited supply of random problems, one per seed, for faults that no fixed list of cases finds.

use crate::combination::{Combination, Factor, counts, least_work, place};
use crate::generator::{CHOICES, Generator};
use crate::test::{Outcome, caught};
use softmax_core::{Element, Error, Result, SoftmaxBackend};
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

/// Upper limit of a problem's [`least_work`].
const LARGEST: usize = 3_000_000;

/// A random problem and the outputs to request.
///
/// The seed determines the size, the options, the kind of numbers, the storage types, the memory layouts and the
/// outputs. A seed gives the same problem on every machine.
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
        // A different stream from that of the problem's numbers.
        let mut g = Generator::new(!seed);
        loop {
            let mut combination = counts().map(|count| g.below(count));
            // Each option and factor, except for the sizes, takes its plain choice at least half of the time.
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

    /// The faults of a backend's answer; empty if it is right. A panic is a fault.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the backend does not support the problem, and [`Error::Gone`].
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

/// Writes the size, the options, the kind of numbers, the storage types, the layouts of X and W, and the outputs.
impl fmt::Display for RandomProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.describe())
    }
}

fn is_often_plain(k: usize) -> bool {
    let sizes = [Factor::Samples, Factor::Features, Factor::Classes];
    k < CHOICES.len() || !sizes.iter().any(|&size| place(size) == k)
}

/// Evaluates random problems with one instance in f32, f64 and f32 again, and returns the faults of the first seed that
/// has any. Skips problems that the backend does not support.
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

// Not generic: compiled once, here, and not with every backend's tests.
fn judge_f32(problem: &RandomProblem, backend: &mut dyn SoftmaxBackend<f32>) -> Result<Vec<String>> {
    problem.judge(backend)
}

fn judge_f64(problem: &RandomProblem, backend: &mut dyn SoftmaxBackend<f64>) -> Result<Vec<String>> {
    problem.judge(backend)
}
