//! Sizes, options, layouts of inputs and outputs, and choices of outputs, all crossed: a covering array of their pairs. What
//! goes wrong often takes two of them, such as label smoothing with more classes than a kernel's tile.

use crate::case::Case;
use crate::covering::pairwise;
use crate::generator::{CHOICES, Choices, Generator};
use crate::layout::{LAYOUTS, Placed, PlacedVector, STEPS};
use crate::oracle::{Reference, reference};
use crate::test::{Outcome, Subject, Test, judge_against};
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{
    Element, Error, OutputKind, OutputSet, Outputs, OwnedOutputs, OwnedProblem, OwnedTargets, Problem,
};
use std::sync::OnceLock;

/// What a case costs the oracle, at most: its multiply-adds, and [`EXPONENTIAL`] of them for each score. More only for pairs
/// that need it.
const LARGEST: [usize; 2] = [100_000, 1_000_000];

/// Multiply-adds that take as long as an exponential.
const EXPONENTIAL: usize = 20;

/// Where implementations change: around vectors, tiles, panels, blocks, and multiples of them. One of each list is drawn.
const SAMPLES: [&[usize]; 10] = [
    &[1],
    &[2, 3, 5],
    &[4, 8, 16, 32],
    &[7, 9, 17, 31, 33],
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

/// What scores are multiplied by.
const MAGNITUDES: [f64; 3] = [1.0, 1e-3, 20.0];

/// The factors after the options.
#[derive(Clone, Copy)]
enum Factor {
    Samples,
    Features,
    Classes,
    FeaturesLayout,
    WeightsLayout,
    TargetsLayout,
    VectorsStep,
    WeightsGradientLayout,
    FeaturesGradientLayout,
    OutputVectorsStep,
    Outputs,
    Magnitude,
}

const FACTORS: [usize; 12] = [
    SAMPLES.len(),
    FEATURES.len(),
    CLASSES.len(),
    LAYOUTS.len(),
    LAYOUTS.len(),
    LAYOUTS.len(),
    STEPS.len(),
    LAYOUTS.len(),
    LAYOUTS.len(),
    STEPS.len(),
    OUTPUTS,
    MAGNITUDES.len(),
];

/// All, none, each alone, what `gradients` asks for, and each pair.
const OUTPUTS: usize = 3 + 6 + 15;

fn output_set(choice: usize) -> OutputSet {
    let gradients = OutputSet::NONE.with(OutputKind::WeightsGradient).with(OutputKind::BiasGradient);
    let mut sets = vec![OutputSet::ALL, OutputSet::NONE, gradients];
    let kinds = OutputKind::ALL;
    sets.extend(kinds.iter().map(|&kind| OutputSet::NONE.with(kind)));
    for (k, &first) in kinds.iter().enumerate() {
        sets.extend(kinds[..k].iter().map(|&second| OutputSet::NONE.with(first).with(second)));
    }
    sets[choice]
}

/// One choice for each option and factor.
#[derive(Clone, Debug)]
struct Combination {
    choices: Choices,
    factors: [usize; FACTORS.len()],
    dim: (usize, usize, usize),
    seed: u64,
}

impl Combination {
    fn of(&self, factor: Factor) -> usize {
        self.factors[factor as usize]
    }

    fn name(&self) -> String {
        let (n, d, c) = self.dim;
        let layout = |factor| LAYOUTS[self.of(factor)].name;
        let symbols: Vec<&str> =
            output_set(self.of(Factor::Outputs)).iter().map(OutputKind::symbol).collect();
        let outputs = match symbols.len() {
            0 => "nothing".to_owned(),
            6 => "all".to_owned(),
            _ => symbols.join("+").to_lowercase(),
        };
        format!(
            "crossed/{:03}-{n}x{d}x{c}{}-x-{}-w-{}-{outputs}",
            self.seed,
            self.choices.describe(),
            layout(Factor::FeaturesLayout),
            layout(Factor::WeightsLayout),
        )
    }

    fn problem<T: Element>(&self) -> OwnedProblem<T> {
        let (n, d, c) = self.dim;
        let mut problem = Generator::new(self.seed).problem_with(n, d, c, self.choices);
        problem.weights *= MAGNITUDES[self.of(Factor::Magnitude)];
        Case::new("", problem).narrowed()
    }
}

/// The combinations, which are worked out once.
fn combinations() -> &'static [Combination] {
    static COMBINATIONS: OnceLock<Vec<Combination>> = OnceLock::new();
    COMBINATIONS.get_or_init(|| {
        let counts: Vec<usize> = CHOICES.iter().map(|&(_, count)| count).chain(FACTORS).collect();
        let mut g = Generator::new(21);
        let smallest = |combination: &[usize]| -> usize {
            let factors = &combination[CHOICES.len()..];
            let scores =
                SAMPLES[factors[Factor::Samples as usize]][0] * CLASSES[factors[Factor::Classes as usize]][0];
            scores * (FEATURES[factors[Factor::Features as usize]][0] + EXPONENTIAL)
        };
        let covering = pairwise(
            &mut g,
            &counts,
            &LARGEST.map(|largest| move |combination: &[usize]| smallest(combination) <= largest),
        );
        let draw = |(seed, combination): (usize, Vec<usize>)| {
            let mut choices = [0; CHOICES.len()];
            choices.copy_from_slice(&combination[..CHOICES.len()]);
            let mut factors = [0; FACTORS.len()];
            factors.copy_from_slice(&combination[CHOICES.len()..]);
            let mut one_of = |sizes: &[usize]| sizes[g.below(sizes.len())];
            let n = one_of(SAMPLES[factors[Factor::Samples as usize]]);
            let d = one_of(FEATURES[factors[Factor::Features as usize]]);
            let c = one_of(CLASSES[factors[Factor::Classes as usize]]);
            Combination { choices: Choices(choices), factors, dim: (n, d, c), seed: seed as u64 }
        };
        covering.into_iter().enumerate().map(draw).collect()
    })
}

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let test = |combination: &'static Combination| {
        // Every backend that the suite is run on is held against the same answer.
        let expected = OnceLock::new();
        Test::new(combination.name(), move |subject: &Subject<'_, T>| {
            run(subject, combination, &expected).unwrap_or_else(Outcome::from)
        })
    };
    combinations().iter().map(test).collect()
}

fn run<T: Element>(
    subject: &Subject<'_, T>,
    combination: &Combination,
    expected: &OnceLock<Reference>,
) -> Result<Outcome, Error> {
    let owned = combination.problem::<T>();
    let nan = T::nan();
    let layout = |factor| LAYOUTS[combination.of(factor)];
    let step = STEPS[combination.of(Factor::VectorsStep)];
    let x = Placed::new(&owned.features, layout(Factor::FeaturesLayout), nan);
    let w = Placed::new(&owned.weights, layout(Factor::WeightsLayout), nan);
    let (mut labels, mut soft) = (None, None);
    match &owned.targets {
        // A label between the labels is of no class.
        OwnedTargets::Labels(y) => labels = Some(PlacedVector::new(y, step, i64::MAX)),
        OwnedTargets::Soft(y) => soft = Some(Placed::new(y, layout(Factor::TargetsLayout), nan)),
        OwnedTargets::None => {}
    }
    let vector = |array: &Array1<T>| PlacedVector::new(array, step, nan);
    let vectors = [&owned.bias, &owned.class_weights, &owned.sample_weights].map(|v| v.as_ref().map(vector));
    let [bias, class_weights, sample_weights] = &vectors;
    let mut builder = owned.builder().features(x.view()).weights(w.view());
    builder = if let Some(labels) = &labels { builder.targets(labels.view()) } else { builder };
    builder = if let Some(soft) = &soft { builder.targets(soft.view()) } else { builder };
    let problem = builder
        .bias(bias.as_ref().map(PlacedVector::view))
        .class_weights(class_weights.as_ref().map(PlacedVector::view))
        .sample_weights(sample_weights.as_ref().map(PlacedVector::view))
        .build()?;

    let set = output_set(combination.of(Factor::Outputs));
    let mut backend = subject.make();
    let mut outputs = PlacedOutputs::new(&problem, set, combination);
    let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
    let mut messages = outputs.spilt();
    let expected = expected.get_or_init(|| reference(&problem, set));
    match judge_against(expected, &evaluation, &outputs.to_owned()) {
        Outcome::Passed(errors) if messages.is_empty() => Ok(Outcome::Passed(errors)),
        Outcome::Failed(faults) => {
            messages.extend(faults);
            Ok(Outcome::Failed(messages))
        }
        _ => Ok(Outcome::Failed(messages)),
    }
}

/// Outputs in layouts, which hold NaN before a backend writes them.
struct PlacedOutputs<T> {
    matrices: [(OutputKind, Option<Placed<T>>); 2],
    vectors: [(OutputKind, Option<PlacedVector<T>>); 3],
    predicted: Option<PlacedVector<usize>>,
}

/// What lies between the entries of outputs.
const SENTINEL: f64 = -12345.0;
const NO_CLASS: usize = usize::MAX - 1;

impl<T: Element> PlacedOutputs<T> {
    fn new(problem: &Problem<'_, T>, set: OutputSet, combination: &Combination) -> Self {
        use OutputKind::{BiasGradient, FeaturesGradient, LogSumExp, SampleLosses, WeightsGradient};
        let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
        let sentinel = T::narrow(SENTINEL);
        let step = STEPS[combination.of(Factor::OutputVectorsStep)];
        let matrix = |kind, shape, factor| {
            let nan = Array2::from_elem(shape, T::nan());
            let layout = LAYOUTS[combination.of(factor)];
            (kind, set.contains(kind).then(|| Placed::new(&nan, layout, sentinel)))
        };
        let vector = |kind, length| {
            let nan = Array1::from_elem(length, T::nan());
            (kind, set.contains(kind).then(|| PlacedVector::new(&nan, step, sentinel)))
        };
        let predicted = Array1::from_elem(n, usize::MAX);
        PlacedOutputs {
            matrices: [
                matrix(WeightsGradient, (d, c), Factor::WeightsGradientLayout),
                matrix(FeaturesGradient, (n, d), Factor::FeaturesGradientLayout),
            ],
            vectors: [vector(BiasGradient, c), vector(SampleLosses, n), vector(LogSumExp, n)],
            predicted: set
                .contains(OutputKind::Predicted)
                .then(|| PlacedVector::new(&predicted, step, NO_CLASS)),
        }
    }

    fn as_outputs(&mut self) -> Outputs<'_, T> {
        let [dw, dx] = self.matrices.each_mut().map(|(_, matrix)| matrix.as_mut().map(Placed::view_mut));
        let [db, losses, lse] =
            self.vectors.each_mut().map(|(_, vector)| vector.as_mut().map(PlacedVector::view_mut));
        Outputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses: losses,
            log_sum_exp: lse,
            predicted: self.predicted.as_mut().map(PlacedVector::view_mut),
            accumulate: false,
        }
    }

    fn to_owned(&self) -> OwnedOutputs<T> {
        let [dw, dx] = self.matrices.each_ref().map(|(_, m)| m.as_ref().map(|m| m.view().to_owned()));
        let [db, losses, lse] = self.vectors.each_ref().map(|(_, v)| v.as_ref().map(|v| v.view().to_owned()));
        OwnedOutputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses: losses,
            log_sum_exp: lse,
            predicted: self.predicted.as_ref().map(|v| v.view().to_owned()),
        }
    }

    /// What was written beside the entries.
    fn spilt(&self) -> Vec<String> {
        let sentinel = T::narrow(SENTINEL);
        let matrices =
            self.matrices.iter().filter(|(_, m)| m.as_ref().is_some_and(|m| !m.is_intact(sentinel)));
        let vectors = self.vectors.iter().filter(|(_, v)| v.as_ref().is_some_and(|v| !v.is_intact(sentinel)));
        let mut kinds: Vec<OutputKind> = matrices.map(|&(kind, _)| kind).collect();
        kinds.extend(vectors.map(|&(kind, _)| kind));
        kinds.extend(self.predicted.iter().filter(|p| !p.is_intact(NO_CLASS)).map(|_| OutputKind::Predicted));
        kinds.iter().map(|kind| format!("something was written outside the view of {kind}")).collect()
    }
}
