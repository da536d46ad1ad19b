//! Evaluation of a problem that every rank, or only the first one, holds entirely.

use crate::classes::ClassParallel;
use crate::delivery::{Delivery, Receivers};
use crate::grid::{Cut, Grid, part_of};
use crate::ranks::{Ranks, Wire};
use crate::samples::SampleParallel;
use softmax_core::{
    Backend, Descriptor, Error, Evaluation, Feature, OutputKind, OutputSet, Outputs, OwnedOutputs, Problem,
    Result, SoftmaxBackend,
};
use std::collections::BTreeMap;
use std::ops::Range;

/// A backend for problems that every rank holds entirely: each rank computes its part of the samples and of the
/// classes, and receives all outputs. Every rank calls [`evaluate`](SoftmaxBackend::evaluate) at the same time, with
/// the same problem.
///
/// Classes are divided at multiples of [`TwoPass::shard_multiple`](softmax_core::TwoPass::shard_multiple), so some
/// ranks may have none. If all classes are in one part, ranks evaluate them in one pass.
pub struct Whole<B> {
    backend: B,
    ranks: Ranks,
    grid: Grid,
    /// Classes are divided at multiples of this number. `None`: at those of the backend.
    multiple: Option<usize>,
    /// Communicators, by the number of parts of the classes.
    neighbours: BTreeMap<usize, Neighbours>,
}

/// The ranks that compute together with this one. `None` if this rank has no classes.
struct Neighbours {
    /// The ranks with the same classes and other samples.
    samples: Option<Ranks>,
    /// The ranks with the same samples and other classes.
    classes: Option<Ranks>,
}

/// The requested outputs, and the number of most probable classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) set: OutputSet,
    pub(crate) top: usize,
}

impl Asked {
    pub(crate) fn of<T: Wire>(outputs: &Outputs<'_, T>) -> Self {
        let set = OutputKind::ALL.iter().copied().filter(|&kind| outputs.wants(kind)).collect();
        Asked { set, top: outputs.top().unwrap_or(0) }
    }
}

impl<B> Whole<B> {
    /// Each rank passes its own inner backend. Every rank calls this.
    ///
    /// # Panics
    /// If the grid's number of ranks differs from that of `ranks`.
    pub fn new(backend: B, ranks: Ranks, grid: Grid) -> Self {
        assert_eq!(grid.samples * grid.classes, ranks.size(), "a grid of all ranks");
        Whole { backend, ranks, grid, multiple: None, neighbours: BTreeMap::new() }
    }

    /// Divides classes at multiples of `multiple`, instead of the backend's multiple. Parts then have about the same
    /// size even with few classes, but the results no longer have the bits of a single process.
    #[must_use]
    pub fn cut_at(self, multiple: usize) -> Self {
        Whole { multiple: Some(multiple.max(1)), ..self }
    }

    /// All ranks.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// As [`evaluate`](SoftmaxBackend::evaluate), with the evaluation and outputs on the first rank only; the other
    /// ranks get `None`. `top` is the number of most probable classes. Every rank calls this.
    ///
    /// # Errors
    /// As [`evaluate`](SoftmaxBackend::evaluate).
    pub fn evaluate_for_first<T: Wire>(
        &mut self,
        problem: &Problem<'_, T>,
        set: OutputSet,
        top: usize,
    ) -> Result<Option<(Evaluation, OwnedOutputs<T>)>>
    where
        B: SoftmaxBackend<T>,
    {
        let mut whole = (self.ranks.rank() == 0).then(|| OwnedOutputs::zeros_with_top(problem, set, top));
        let mut outputs = whole.as_mut().map(OwnedOutputs::as_outputs);
        let (asked, cut) = (Asked { set, top }, self.cut(problem)?);
        let part = self.own(&cut).map(|own| part_of(problem, &cut, own));
        let (evaluation, own) = self.compute(&cut, part.as_ref(), asked)?;
        let (features, own) = (problem.n_features(), own.as_ref());
        self.collect(&cut, features, asked, own, outputs.as_mut(), Receivers::First);
        Ok(whole.map(|whole| (evaluation, whole)))
    }

    /// This rank's inner backend.
    pub(crate) fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// The rank with these parts of the samples and of the classes.
    pub(crate) fn rank_of(&self, samples: usize, classes: usize) -> usize {
        samples * self.grid.classes + classes
    }

    /// The parts of the samples and of the classes of this rank; `None` if it has no classes.
    pub(crate) fn own(&self, cut: &Cut) -> Option<(usize, usize)> {
        let (samples, classes) =
            (self.ranks.rank() / self.grid.classes, self.ranks.rank() % self.grid.classes);
        (classes < cut.classes.len()).then_some((samples, classes))
    }

    /// The ranks with the same classes as this one and other samples; `None` if this rank has no classes.
    pub(crate) fn with_same_classes(&mut self, cut: &Cut) -> Option<Ranks> {
        self.neighbours(cut.classes.len()).samples.clone()
    }

    fn neighbours(&mut self, of_classes: usize) -> &Neighbours {
        let (rank, width) = (self.ranks.rank(), self.grid.classes);
        self.neighbours.entry(of_classes).or_insert_with(|| {
            let (samples, classes) = (rank / width, rank % width);
            let computes = classes < of_classes;
            Neighbours {
                samples: self.ranks.part(computes.then_some(classes)),
                classes: self.ranks.part(computes.then_some(samples)),
            }
        })
    }

    /// Divides a problem into parts.
    pub(crate) fn cut<T: Wire>(&mut self, problem: &Problem<'_, T>) -> Result<Cut>
    where
        B: SoftmaxBackend<T>,
    {
        let (n, c) = (problem.n_samples(), problem.n_classes());
        let even = |count: usize, parts: usize, part: usize| part * count / parts..(part + 1) * count / parts;
        let samples = (0..self.grid.samples).map(|part| even(n, self.grid.samples, part)).collect();
        if self.grid.classes == 1 {
            return Ok(Cut { samples, classes: std::iter::once(0..c).collect() });
        }
        let name = self.backend.descriptor().name.into_owned();
        let Some(passes) = self.backend.two_pass() else {
            return Err(Error::Unsupported { backend: name, feature: Feature::TwoPasses });
        };
        let multiple = self.multiple.or(passes.shard_multiple()).unwrap_or(1);
        let groups = c.div_ceil(multiple);
        let parts = self.grid.classes.min(groups);
        let classes = |part| {
            let Range { start, end } = even(groups, parts, part);
            start * multiple..c.min(end * multiple)
        };
        Ok(Cut { samples, classes: (0..parts).map(classes).collect() })
    }

    /// Evaluates this rank's part into outputs of its own, if it has a part. The returned [`Evaluation`] is that of
    /// the whole problem, on every rank.
    pub(crate) fn compute<T: Wire>(
        &mut self,
        cut: &Cut,
        part: Option<&Problem<'_, T>>,
        asked: Asked,
    ) -> Result<(Evaluation, Option<OwnedOutputs<T>>)>
    where
        B: SoftmaxBackend<T>,
    {
        let (by_samples, by_classes) = (self.grid.samples > 1, cut.classes.len() > 1);
        let Neighbours { samples, classes } = self.neighbours(cut.classes.len());
        let neighbours = samples.clone().zip(classes.clone());
        let backend = &mut self.backend;
        let mut outputs = None;
        let done = match (part, neighbours) {
            (Some(part), Some((samples, classes))) => {
                let outputs = outputs.insert(OwnedOutputs::zeros_with_top(part, asked.set, asked.top));
                let mut outputs = outputs.as_outputs();
                let done = match (by_samples, by_classes) {
                    (false, false) => backend.evaluate(part, &mut outputs),
                    (false, true) => ClassParallel::new(backend, classes).evaluate(part, &mut outputs),
                    (true, false) => SampleParallel::new(backend, samples).evaluate(part, &mut outputs),
                    (true, true) => {
                        let of_classes = ClassParallel::new(backend, classes.clone());
                        let mut both = SampleParallel::over_classes(of_classes, samples, classes);
                        both.evaluate(part, &mut outputs)
                    }
                };
                done.map(Some)
            }
            _ => Ok(None),
        };
        let correct = |evaluation: &Evaluation| evaluation.correct.map_or(0, |correct| correct as u64 + 1);
        let words = done.map(|done| {
            done.map_or([0; 3], |done| [done.loss.to_bits(), done.total_weight.to_bits(), correct(&done)])
        });
        let name = self.backend.descriptor().name.into_owned();
        // The first rank always has a part, and its evaluation is that of the whole problem.
        let [loss, total_weight, correct] = self.ranks.agree(&name, words)?[0];
        let evaluation = Evaluation {
            loss: f64::from_bits(loss),
            total_weight: f64::from_bits(total_weight),
            correct: correct.checked_sub(1).map(|correct| correct as usize),
        };
        Ok((evaluation, outputs))
    }

    /// Assembles the outputs of all parts on the receiving ranks.
    pub(crate) fn collect<T: Wire>(
        &self,
        cut: &Cut,
        features: usize,
        asked: Asked,
        own: Option<&OwnedOutputs<T>>,
        mut outputs: Option<&mut Outputs<'_, T>>,
        receivers: Receivers,
    ) {
        let of_classes = [OutputKind::WeightsGradient, OutputKind::BiasGradient];
        for kind in asked.set.iter() {
            let is_of_classes = of_classes.contains(&kind);
            let parts = if is_of_classes { &cut.classes } else { &cut.samples };
            for (part, range) in parts.iter().enumerate() {
                let root = if is_of_classes { self.rank_of(0, part) } else { self.rank_of(part, 0) };
                let columns = match kind {
                    OutputKind::WeightsGradient | OutputKind::FeaturesGradient => features,
                    OutputKind::TopClasses | OutputKind::TopLogProb => asked.top,
                    _ => 1,
                };
                let delivery = Delivery { ranks: &self.ranks, root, count: range.len() * columns, receivers };
                let own = own.filter(|_| self.ranks.rank() == root);
                delivery.of_output(kind, own, range.clone(), outputs.as_deref_mut());
            }
        }
    }
}

impl<B: Backend> Backend for Whole<B> {
    fn descriptor(&self) -> Descriptor {
        let inner = self.backend.descriptor();
        let Grid { samples, classes } = self.grid;
        Descriptor { name: format!("{}, {samples}x{classes} ranks", inner.name).into(), ..inner }
    }

    fn supports(&self, feature: Feature) -> bool {
        !matches!(feature, Feature::TwoPasses | Feature::PartOfSamples) && self.backend.supports(feature)
    }

    fn is_batch_invariant(&self) -> bool {
        self.backend.is_batch_invariant()
    }
}

impl<T: Wire, B: SoftmaxBackend<T>> SoftmaxBackend<T> for Whole<B> {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        // The result is the same on every rank, because the problem is.
        self.check(problem, outputs)?;
        let (asked, cut) = (Asked::of(outputs), self.cut(problem)?);
        let part = self.own(&cut).map(|own| part_of(problem, &cut, own));
        let (evaluation, own) = self.compute(&cut, part.as_ref(), asked)?;
        self.collect(&cut, problem.n_features(), asked, own.as_ref(), Some(outputs), Receivers::All);
        Ok(evaluation)
    }
}
