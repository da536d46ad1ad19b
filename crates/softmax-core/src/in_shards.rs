//! A backend that evaluates another backend in two passes.

use crate::backend::{Backend, Descriptor, Evaluation, Setting, SoftmaxBackend, TwoPass, Variant};
use crate::class_facts::ClassFacts;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::outputs::Outputs;
use crate::problem::Problem;
use crate::statistics::{RowStatistics, Upstream};
use crate::support::Feature;
use ndarray::Array1;
use std::ops::Range;

/// A backend that evaluates another backend in [two passes](crate::TwoPass), over shards of the classes. If that
/// backend does not implement two passes, [`evaluate`](SoftmaxBackend::evaluate) returns [`Error::Unsupported`].
#[derive(Clone, Debug)]
pub struct InShards<B> {
    backend: B,
    shards: Shards,
}

#[derive(Clone, Copy, Debug)]
enum Shards {
    /// This number of shards, of about equal size.
    Count(usize),
    /// Shards of this number of classes; the last has the remainder.
    Size(usize),
}

impl<B> InShards<B> {
    /// Divides the classes into `shards` shards of about equal size, but at most one per class. 1 leaves the problem
    /// undivided.
    pub fn new(backend: B, shards: usize) -> Self {
        InShards { backend, shards: Shards::Count(shards.max(1)) }
    }

    /// Divides the classes into shards of `classes` classes; the last has the remainder.
    pub fn of_size(backend: B, classes: usize) -> Self {
        InShards { backend, shards: Shards::Size(classes.max(1)) }
    }

    /// The range of classes of each shard, for a problem with `classes` classes.
    pub fn ranges(&self, classes: usize) -> Vec<Range<usize>> {
        match self.shards {
            Shards::Count(count) => {
                let count = count.min(classes);
                (0..count).map(|k| k * classes / count..(k + 1) * classes / count).collect()
            }
            Shards::Size(size) => {
                (0..classes).step_by(size).map(|first| first..classes.min(first + size)).collect()
            }
        }
    }
}

impl<B: Backend> Backend for InShards<B> {
    fn descriptor(&self) -> Descriptor {
        let inner = self.backend.descriptor();
        Descriptor { name: format!("{}, two passes", inner.name).into(), ..inner }
    }

    fn supports(&self, feature: Feature) -> bool {
        feature != Feature::TwoPasses && self.backend.supports(feature)
    }

    fn is_batch_invariant(&self) -> bool {
        self.backend.is_batch_invariant()
    }
}

impl<T: Element, B: SoftmaxBackend<T>> SoftmaxBackend<T> for InShards<B> {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let ranges = self.ranges(problem.n_classes());
        let name = self.backend.descriptor().name.into_owned();
        let Some(passes) = self.backend.two_pass() else {
            return Err(Error::Unsupported { backend: name, feature: Feature::TwoPasses });
        };
        let mut merged: Option<RowStatistics<T>> = None;
        for classes in &ranges {
            let statistics = passes.forward(&problem.shard(classes.clone()))?;
            merged = Some(match merged {
                None => statistics,
                Some(merged) => merged.merge(statistics)?,
            });
        }
        let Some(statistics) = merged else { return Err(Error::NoClasses) };
        let statistics = passes.condense(problem, statistics)?;
        let evaluation = passes.summarize(problem, &statistics, outputs)?;
        if outputs.wants_class_facts() {
            let facts = class_facts(passes, problem, &ranges, outputs.top().unwrap_or(0))?;
            passes.summarize_classes(problem, &statistics, &facts, outputs)?;
        }
        if outputs.wants_gradient() {
            for classes in ranges {
                let mut of_shard = outputs.of_shard(classes.clone());
                let shard = problem.shard(classes);
                passes.backward(&shard, &statistics, &Upstream::default(), &mut of_shard)?;
            }
        }
        Ok(evaluation)
    }

    fn variants(&self, setting: Setting) -> Vec<Variant<T>> {
        let of = |variant: Variant<T>| {
            let backend = InShards { backend: variant.backend, shards: self.shards };
            Variant { name: variant.name, backend: Box::new(backend) as Box<_> }
        };
        self.backend.variants(setting).into_iter().map(of).collect()
    }
}

/// Merges the class facts of all shards.
fn class_facts<T: Element>(
    passes: &mut dyn TwoPass<T>,
    problem: &Problem<'_, T>,
    ranges: &[Range<usize>],
    top: usize,
) -> Result<ClassFacts<T>> {
    let mut label_scores = Array1::from_elem(problem.n_samples(), T::nan());
    for classes in ranges {
        let of_shard = passes.label_scores(&problem.shard(classes.clone()))?;
        label_scores.zip_mut_with(&of_shard, |all, &one| *all = if one.is_nan() { *all } else { one });
    }
    let mut merged: Option<ClassFacts<T>> = None;
    for classes in ranges {
        let facts = passes.class_facts(&problem.shard(classes.clone()), label_scores.view(), top)?;
        merged = Some(match merged {
            None => facts,
            Some(merged) => merged.merge(&facts, top)?,
        });
    }
    merged.ok_or(Error::NoClasses)
}
