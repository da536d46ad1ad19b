//! Random problems of a given shape, with any options. A seed always gives the same problems. The suite, the soak test
//! and the fuzz targets draw their problems here.

use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Feature, Objective, OwnedProblem, OwnedTargets, Reduction};

/// Name and number of choices of each option, in the order of [`Choices`]. Choice 0 leaves the option out.
pub(crate) const CHOICES: [(&str, usize); OPTIONS.len()] = [
    ("bias", 2),
    ("soft", 2),
    ("smoothing", 4),
    ("class-weights", 4),
    ("sample-weights", 4),
    ("ignore", 3),
    ("sum", 2),
    ("l2", 2),
    ("z-loss", 2),
    ("softcap", 3),
    ("temperature", 3),
];

/// The feature that a backend must support for each option.
const OPTIONS: [Feature; 11] = [
    Feature::Bias,
    Feature::SoftTargets,
    Feature::LabelSmoothing,
    Feature::ClassWeights,
    Feature::SampleWeights,
    Feature::IgnoreIndex,
    Feature::SumReduction,
    Feature::L2,
    Feature::ZLoss,
    Feature::Softcap,
    Feature::Temperature,
];

/// Two choices of class or sample weights: positive, and of both signs.
const POSITIVE: usize = 1;
const SIGNED: usize = 3;

/// PyTorch's default of `ignore_index`.
const IGNORED: i64 = -100;

/// One choice for each option of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices(pub(crate) [usize; CHOICES.len()]);

impl Choices {
    /// No options.
    pub const PLAIN: Choices = Choices([0; CHOICES.len()]);

    /// Leaves out the options that a backend does not support. Weights of both signs become positive if only negative
    /// weights are unsupported.
    pub(crate) fn within(self, supports: impl Fn(Feature) -> bool) -> Self {
        let mut choices = self;
        for (choice, option) in choices.0.iter_mut().zip(OPTIONS) {
            let are_weights = matches!(option, Feature::ClassWeights | Feature::SampleWeights);
            if !supports(option) {
                *choice = 0;
            } else if are_weights && *choice == SIGNED && !supports(Feature::NegativeWeights) {
                *choice = POSITIVE;
            }
        }
        choices
    }

    /// The options in words, such as `-bias-smoothing2`. Empty without options.
    pub fn describe(&self) -> String {
        let taken = CHOICES.iter().zip(self.0).filter(|&(_, choice)| choice > 0);
        let words = taken.map(|((name, count), choice)| match count {
            2 => format!("-{name}"),
            _ => format!("-{name}{choice}"),
        });
        words.collect()
    }
}

/// A source of random problems. A seed gives the same problems on every machine.
#[derive(Clone, Debug)]
pub struct Generator(XorShiftRng);

impl Generator {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Generator(XorShiftRng::seed_from_u64(seed))
    }

    /// A uniform number between `low` and `high`.
    pub(crate) fn number(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// A uniform integer in `0..limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    pub(crate) fn vector(&mut self, length: usize, low: f64, high: f64) -> Array1<f64> {
        Array1::from_shape_simple_fn(length, || self.number(low, high))
    }

    pub(crate) fn matrix(&mut self, rows: usize, columns: usize, low: f64, high: f64) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || self.number(low, high))
    }

    pub(crate) fn labels(&mut self, samples: usize, classes: usize) -> Array1<i64> {
        Array1::from_shape_simple_fn(samples, || self.below(classes) as i64)
    }

    /// Rows that sum to one, with some zeros.
    pub(crate) fn soft_targets(&mut self, samples: usize, classes: usize) -> Array2<f64> {
        let mut soft = self.matrix(samples, classes, -0.2, 1.0).mapv(|mass| mass.max(0.0));
        for mut row in soft.rows_mut() {
            let sum = row.sum();
            if sum > 0.0 {
                row /= sum;
            } else {
                row[0] = 1.0;
            }
        }
        soft
    }

    /// A problem with hard labels and without options. Scores are a few units at any shape.
    pub fn problem(&mut self, n: usize, d: usize, c: usize) -> OwnedProblem<f64> {
        let spread = 3.0 / (d.max(1) as f64).sqrt();
        let features = self.matrix(n, d, -1.0, 1.0);
        let weights = self.matrix(d, c, -spread, spread);
        let labels = self.labels(n, c);
        OwnedProblem::new(features, weights, OwnedTargets::Labels(labels))
    }

    /// A uniformly random choice for each option.
    pub fn choices(&mut self) -> Choices {
        Choices(CHOICES.map(|(_, count)| self.below(count)))
    }

    /// A problem of `n` samples, `d` features and `c` classes with the chosen options.
    pub fn problem_with(&mut self, n: usize, d: usize, c: usize, choices: Choices) -> OwnedProblem<f64> {
        let [
            bias,
            soft,
            smoothing,
            class_weights,
            sample_weights,
            ignore,
            sum,
            l2,
            z_loss,
            softcap,
            temperature,
        ] = choices.0;
        let mut problem = self.problem(n, d, c);
        problem.bias = (bias == 1).then(|| self.vector(c, -1.0, 1.0));
        if soft == 1 {
            problem.targets = OwnedTargets::Soft(self.soft_targets(n, c));
        }
        problem.class_weights = self.weights(c, class_weights);
        problem.sample_weights = self.weights(n, sample_weights);
        let ignore_index = match ignore {
            0 => None,
            1 => Some(self.below(c) as i64),
            _ => {
                if let OwnedTargets::Labels(labels) = &mut problem.targets {
                    labels.iter_mut().filter(|_| self.below(3) == 0).for_each(|y| *y = IGNORED);
                }
                Some(IGNORED)
            }
        };
        problem.objective = Objective {
            reduction: if sum == 1 { Reduction::Sum } else { Reduction::Mean },
            label_smoothing: [0.0, 0.1, 0.7, 1.0][smoothing],
            ignore_index,
            l2: [0.0, 0.05][l2],
            z_loss: [0.0, 0.01][z_loss],
            softcap: [None, Some(2.0), Some(30.0)][softcap],
            temperature: [1.0, 0.5, 3.0][temperature],
        };
        if has_vanishing_weight(&problem) {
            (problem.class_weights, problem.sample_weights) = (None, None);
        }
        problem
    }

    /// Weights by choice: 0 none, 1 positive, 2 positive with some zeros, 3 of both signs.
    fn weights(&mut self, length: usize, choice: usize) -> Option<Array1<f64>> {
        match choice {
            0 => None,
            POSITIVE => Some(self.vector(length, 0.1, 3.0)),
            2 => Some(self.vector(length, 0.0, 3.0).mapv(|w| if w < 0.9 { 0.0 } else { w })),
            _ => Some(self.vector(length, -1.0, 3.0)),
        }
    }
}

/// Whether samples count but their total weight is 0 or nearly 0: the contract does not specify 0/0.
fn has_vanishing_weight(problem: &OwnedProblem<f64>) -> bool {
    let sample_weight = |i: usize| problem.sample_weights.as_ref().map_or(1.0, |u| u[i]);
    let class_weight = |y: usize| problem.class_weights.as_ref().map_or(1.0, |w| w[y]);
    let ignored = problem.objective.ignore_index;
    let weights: Vec<f64> = match &problem.targets {
        OwnedTargets::Labels(labels) => {
            let counted = labels.iter().enumerate().filter(|&(_, &y)| Some(y) != ignored);
            counted.map(|(i, &y)| sample_weight(i) * class_weight(y as usize)).collect()
        }
        OwnedTargets::Soft(_) => (0..problem.features.nrows()).map(sample_weight).collect(),
        OwnedTargets::None => Vec::new(),
    };
    let size: f64 = weights.iter().map(|w| w.abs()).sum();
    !weights.is_empty() && weights.iter().sum::<f64>().abs() < 0.1 * size.max(f64::MIN_POSITIVE)
}
