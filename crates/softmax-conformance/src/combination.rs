//! A combination of choices: size, options, kind of numbers, storage types, layouts and outputs. The crossed cases and
//! the random search draw such combinations.

use crate::case::Case;
use crate::fault::Fault;
use crate::generator::{CHOICES, Choices, Generator};
use crate::layout::{LAYOUTS, STEPS};
use crate::oracle::{Expected, Reference, reference};
use crate::placed_outputs::{OutputLayouts, PlacedOutputs};
use crate::storage::{FeatureStorage, InputLayouts, LabelStorage, Storage, StoredProblem, WeightStorage};
use crate::test::{Outcome, given, given_or_refused, judge_against};
use crate::values::{VALUES, Values};
use softmax_core::ndarray::Zip;
use softmax_core::{
    Element, Error, Feature, OutputKind, OutputSet, OwnedProblem, OwnedTargets, SoftmaxBackend,
};
use std::sync::OnceLock;

/// Sizes at which implementations change code paths: near vectors, tiles, panels, blocks and their multiples. A
/// combination chooses a list, and a size is drawn from it.
const SAMPLES: [&[usize]; 11] = [
    &[1],
    &[2, 3, 5],
    &[4, 8, 16, 32],
    &[7, 9, 17, 31, 33],
    &[11, 12, 13, 24, 36],
    &[59, 60, 61],
    &[63, 64, 65],
    &[96, 128, 192, 256],
    &[127, 129, 255, 257],
    &[383, 384, 385, 512],
    &[700, 1000, 1025],
];
const FEATURES: [&[usize]; 9] = [
    &[1],
    &[2, 3, 5, 6],
    &[4, 8, 16],
    &[7, 9, 17, 31, 33],
    &[32, 64, 96, 128],
    &[63, 65, 127, 129],
    &[256, 384, 512],
    &[447, 448, 449],
    &[896, 1000, 1025],
];
const CLASSES: [&[usize]; 13] = [
    &[1],
    &[2],
    &[3, 5, 6, 7],
    &[4, 8, 16],
    &[9, 10, 15, 17],
    &[32, 48],
    &[31, 33, 63],
    &[64],
    &[65, 66, 100],
    &[96, 128, 256],
    &[127, 129, 255, 257, 300],
    &[512, 513, 1000, 1024],
    &[1031, 2048, 4096, 4097],
];

/// Number of sets of outputs: all, none, those of `gradients`, each of the 11 alone, and 15 pairs without row facts.
const OUTPUTS: usize = 3 + 11 + 15;

/// Contents of dW and db before accumulation.
pub(crate) const BEFORE: f64 = 0.5;

/// Cost of the oracle's work after each score, in multiply-adds.
const SCORE: usize = 20;

/// A choice of a combination other than its options. The order is that of [`FACTORS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factor {
    Samples,
    Features,
    Classes,
    Values,
    Outputs,
    FeaturesLayout,
    WeightsLayout,
    TargetsLayout,
    VectorsStep,
    WeightsGradientLayout,
    FeaturesGradientLayout,
    OutputVectorsStep,
    FeatureStorage,
    WeightStorage,
    LabelStorage,
    Accumulation,
}

/// Each factor, and its number of choices.
const FACTORS: [(Factor, usize); 16] = [
    (Factor::Samples, SAMPLES.len()),
    (Factor::Features, FEATURES.len()),
    (Factor::Classes, CLASSES.len()),
    (Factor::Values, VALUES.len()),
    (Factor::Outputs, OUTPUTS),
    (Factor::FeaturesLayout, LAYOUTS.len()),
    (Factor::WeightsLayout, LAYOUTS.len()),
    (Factor::TargetsLayout, LAYOUTS.len()),
    (Factor::VectorsStep, STEPS.len()),
    (Factor::WeightsGradientLayout, LAYOUTS.len()),
    (Factor::FeaturesGradientLayout, LAYOUTS.len()),
    (Factor::OutputVectorsStep, STEPS.len()),
    (Factor::FeatureStorage, 4),
    (Factor::WeightStorage, 3),
    (Factor::LabelStorage, 5),
    (Factor::Accumulation, 2),
];

/// Number of choices in a combination: one for each option and each factor.
pub(crate) const LENGTH: usize = CHOICES.len() + FACTORS.len();

/// Number of alternatives of each choice in a combination.
pub(crate) fn counts() -> [usize; LENGTH] {
    std::array::from_fn(|k| match k.checked_sub(CHOICES.len()) {
        None => CHOICES[k].1,
        Some(k) => FACTORS[k].1,
    })
}

/// Index of a factor's choice in a combination.
pub(crate) fn place(factor: Factor) -> usize {
    CHOICES.len() + factor as usize
}

/// A lower bound of the oracle's cost of a combination, in multiply-adds: D + [`SCORE`] for each score, at the smallest
/// sizes of its lists.
pub(crate) fn least_work(combination: &[usize]) -> usize {
    let smallest = |factor, lists: &[&[usize]]| lists[combination[place(factor)]][0];
    let scores = smallest(Factor::Samples, &SAMPLES) * smallest(Factor::Classes, &CLASSES);
    scores * (smallest(Factor::Features, &FEATURES) + SCORE)
}

/// One choice for each option and factor, and the drawn sizes.
#[derive(Clone, Debug)]
pub(crate) struct Combination {
    choices: Choices,
    factors: [usize; FACTORS.len()],
    dim: (usize, usize, usize),
    seed: u64,
}

impl Combination {
    /// From the choices of a covering array, or random ones. `seed` determines the sizes and the numbers.
    pub(crate) fn new(combination: &[usize], seed: u64) -> Self {
        let mut g = Generator::new(seed);
        let (choices, factors) = combination.split_at(CHOICES.len());
        let mut size = |factor, lists: &[&[usize]]| {
            let sizes = lists[combination[place(factor)]];
            sizes[g.below(sizes.len())]
        };
        let dim = (
            size(Factor::Samples, &SAMPLES),
            size(Factor::Features, &FEATURES),
            size(Factor::Classes, &CLASSES),
        );
        Combination {
            choices: Choices(std::array::from_fn(|k| choices[k])),
            factors: std::array::from_fn(|k| factors[k]),
            dim,
            seed,
        }
    }

    fn of(&self, factor: Factor) -> usize {
        self.factors[factor as usize]
    }

    fn values(&self) -> Values {
        VALUES[self.of(Factor::Values)]
    }

    fn accumulates(&self) -> bool {
        self.of(Factor::Accumulation) == 1
    }

    /// The requested outputs.
    pub(crate) fn outputs(&self) -> OutputSet {
        let gradients = OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::BiasGradient);
        let mut sets = vec![OutputSet::ALL, OutputSet::NONE, gradients];
        let kinds = OutputKind::ALL;
        sets.extend(kinds.iter().map(|&kind| OutputSet::NONE.with(kind)));
        let is_fact = |kind: &OutputKind| kind.feature().is_some_and(Feature::is_row_fact);
        for (k, &first) in kinds.iter().enumerate().filter(|(_, kind)| !is_fact(kind)) {
            sets.extend(kinds[..k].iter().map(|&second| OutputSet::NONE.with(first).with(second)));
        }
        sets[self.of(Factor::Outputs)]
    }

    /// The size, the options, the kind of numbers, the storage types, the layouts of X and W, and the outputs, in
    /// words.
    pub(crate) fn describe(&self) -> String {
        let (n, d, c) = self.dim;
        let storage = self.storage_of(None);
        let mut words = format!("{n}x{d}x{c}{}", self.choices.describe());
        let mut word = |text: String| {
            words.push('-');
            words.push_str(&text.to_lowercase());
        };
        if self.values() != Values::Ordinary {
            word(self.values().name());
        }
        if storage.features != FeatureStorage::Dense {
            word(format!("{:?}features", storage.features));
        }
        if storage.weights != WeightStorage::Dense {
            word(format!("{:?}weights", storage.weights));
        }
        if storage.labels != LabelStorage::I64 {
            word(format!("{:?}labels", storage.labels));
        }
        word(format!("x-{}", LAYOUTS[self.of(Factor::FeaturesLayout)].name));
        word(format!("w-{}", LAYOUTS[self.of(Factor::WeightsLayout)].name));
        let symbols: Vec<&str> = self.outputs().iter().map(OutputKind::symbol).collect();
        word(match symbols[..] {
            [] => "nothing".to_owned(),
            _ if self.outputs() == OutputSet::ALL => "all".to_owned(),
            _ => symbols.join("+"),
        });
        if self.accumulates() {
            word("accumulated".to_owned());
        }
        words
    }

    /// The storage types. Labels are `i64` if one of them does not fit the chosen type.
    fn storage_of(&self, targets: Option<&OwnedTargets<f64>>) -> Storage {
        use FeatureStorage::{Bf16, Csr, Dense, F16};
        let labels =
            [LabelStorage::I64, LabelStorage::I32, LabelStorage::U32, LabelStorage::U8, LabelStorage::Usize]
                [self.of(Factor::LabelStorage)];
        let holds = |y: i64| match labels {
            LabelStorage::I64 => true,
            LabelStorage::I32 => i32::try_from(y).is_ok(),
            LabelStorage::U32 => u32::try_from(y).is_ok(),
            LabelStorage::U8 => u8::try_from(y).is_ok(),
            LabelStorage::Usize => usize::try_from(y).is_ok(),
        };
        let are_held = match targets {
            Some(OwnedTargets::Labels(y)) => y.iter().all(|&y| holds(y)),
            _ => true,
        };
        Storage {
            features: [Dense, F16, Bf16, Csr][self.of(Factor::FeatureStorage)],
            weights: [WeightStorage::Dense, WeightStorage::F16, WeightStorage::Bf16]
                [self.of(Factor::WeightStorage)],
            labels: if are_held { labels } else { LabelStorage::I64 },
        }
    }

    fn problem(&self) -> OwnedProblem<f64> {
        let (n, d, c) = self.dim;
        let mut g = Generator::new(self.seed);
        let mut problem = g.problem_with(n, d, c, self.choices);
        if self.of(Factor::FeatureStorage) == 3 {
            problem.features.iter_mut().for_each(|x| *x = if g.below(4) > 0 { 0.0 } else { *x });
        }
        self.values().apply(&mut problem, &mut g);
        problem
    }

    /// Compares a backend's answer with that of the oracle, which is computed once and kept in `expected`. Options that
    /// the backend does not support are removed, so that the others are still crossed.
    pub(crate) fn run<T: Element>(
        &self,
        backend: &mut dyn SoftmaxBackend<T>,
        expected: &OnceLock<Reference>,
    ) -> Result<Outcome, Error> {
        let choices = self.choices.within(|option| backend.supports(option));
        if choices == self.choices {
            return self.judge(backend, expected);
        }
        let reduced = Combination { choices, ..self.clone() };
        let outcome = reduced.judge(backend, &OnceLock::new())?;
        Ok(outcome.map_faults(|fault| fault.after(format_args!("reduced to {}", reduced.describe()))))
    }

    fn judge<T: Element>(
        &self,
        backend: &mut dyn SoftmaxBackend<T>,
        expected: &OnceLock<Reference>,
    ) -> Result<Outcome, Error> {
        let problem = self.problem();
        let storage = self.storage_of(Some(&problem.targets));
        let layout = |factor| LAYOUTS[self.of(factor)];
        let inputs = InputLayouts {
            features: layout(Factor::FeaturesLayout),
            weights: layout(Factor::WeightsLayout),
            soft_targets: layout(Factor::TargetsLayout),
            vectors_step: STEPS[self.of(Factor::VectorsStep)],
        };
        let stored = StoredProblem::<T>::placed(&Case::new("", problem).narrowed(), storage, inputs);
        let problem = stored.problem()?;
        let layouts = OutputLayouts {
            weights_gradient: layout(Factor::WeightsGradientLayout),
            features_gradient: layout(Factor::FeaturesGradientLayout),
            vectors_step: STEPS[self.of(Factor::OutputVectorsStep)],
        };
        let before = self.accumulates().then_some(BEFORE);
        let asked = match self.outputs() {
            OutputSet::ALL => given(backend, OutputSet::ALL),
            chosen => given_or_refused(backend, chosen),
        };
        let mut outputs = PlacedOutputs::new(&problem, asked, layouts, before.map(T::narrow));
        let evaluation = match backend.evaluate(&problem, &mut outputs.as_outputs()) {
            Ok(evaluation) => evaluation,
            Err(error) => return Ok(Outcome::from(error).map_faults(|fault| fault.about(&problem))),
        };
        let mut spilt: Vec<Fault> = outputs.spilt().into_iter().map(Fault::from).collect();
        let expected = expected.get_or_init(|| {
            let mut expected = reference(&problem, self.outputs());
            if let Some(before) = before {
                accumulate(&mut expected, before, T::DTYPE.unit_roundoff());
            }
            expected
        });
        match judge_against(expected, &evaluation, &outputs.to_owned(), asked) {
            Outcome::Failed(faults) => spilt.extend(faults),
            outcome if spilt.is_empty() => return Ok(outcome),
            _ => {}
        }
        Ok(Outcome::Failed(spilt).map_faults(|fault| fault.about(&problem)))
    }
}

/// Adds the previous contents of dW and db to the expected values, and the rounding error of that addition to the
/// bounds.
pub(crate) fn accumulate(expected: &mut Reference, before: f64, u: f64) {
    let add = |Expected { values, bounds, .. }: &mut Expected| {
        Zip::from(values).and(bounds).for_each(|value, bound| {
            *value += before;
            *bound += 2.0 * u * (before + value.abs());
        });
    };
    let summed = [OutputKind::WeightsGradient, OutputKind::BiasGradient];
    expected.outputs.iter_mut().filter(|(kind, _)| summed.contains(kind)).for_each(|(_, e)| add(e));
}
