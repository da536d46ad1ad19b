//! Parallel evaluation over the classes: each rank has some of them.

use crate::fingerprint::{fingerprint, fingerprint_of};
use crate::flat::by_rows;
use crate::message::{Message, Received};
use crate::ranks::{Ranks, Wire};
use ndarray::{Array1, Array2};
use softmax_core::{
    Backend, ClassFacts, Descriptor, Error, Evaluation, Feature, Outputs, Problem, Result, RowStatistics,
    SoftmaxBackend, TwoPass, Upstream,
};
use std::ops::Range;

/// Bytes of statistics that all ranks together exchange at a time.
const EXCHANGED: usize = 4 << 20;
/// The fewest rows of dX that a rank sends to the next at a time.
const FEWEST_ROWS: usize = 64;
/// The most bytes of these rows, unless the fewest rows have more.
const BYTES_OF_ROWS: usize = 4 << 20;

/// A backend for classes in shards: each rank evaluates [its own classes](Problem::shard) of the same samples, by the
/// backend's two passes. Every rank calls [`evaluate`](SoftmaxBackend::evaluate) at the same time. The shards are
/// consecutive, in rank order, and together have all classes; each rank has at least one class.
///
/// The formula is over all classes and supports every option. The loss, Ω, the number correct, dX and the outputs of
/// single samples are the same on every rank. dW and db are those of the rank's own classes.
///
/// ```text
/// for each block of rows
///     statistics of the rank's groups of classes                             TwoPass::forward
///     exchange; merge in the order of the classes; keep one group            all gather
/// loss, and the outputs of single samples                                    TwoPass::summarize
/// dW and db of the rank's classes                                            TwoPass::backward
/// for each block of rows
///     dX of the classes before, from the rank before                         receive
///     add the rank's classes                                                 TwoPass::backward
///     to the next rank                                                       send
/// dX from the last rank to all                                               broadcast
/// ```
///
/// Sums are taken in the same order as in a single process. Shards that begin at multiples of
/// [`TwoPass::shard_multiple`] therefore give the bits of a single process at any number of ranks, if the backend has
/// such a multiple. Beside its shard, a rank holds the statistics of a block of rows and about 50 bytes of merged
/// statistics for each row.
#[derive(Clone)]
pub struct ClassParallel<B> {
    backend: B,
    ranks: Ranks,
}

impl<B> ClassParallel<B> {
    /// Each rank passes its own inner backend.
    pub fn new(backend: B, ranks: Ranks) -> Self {
        ClassParallel { backend, ranks }
    }
}

impl<B: Backend> Backend for ClassParallel<B> {
    fn descriptor(&self) -> Descriptor {
        let inner = self.backend.descriptor();
        Descriptor { name: format!("{}, classes of {} ranks", inner.name, self.ranks.size()).into(), ..inner }
    }

    fn supports(&self, feature: Feature) -> bool {
        feature != Feature::TwoPasses && self.backend.supports(feature)
    }

    fn is_batch_invariant(&self) -> bool {
        self.backend.is_batch_invariant()
    }
}

impl<T: Wire, B: SoftmaxBackend<T>> SoftmaxBackend<T> for ClassParallel<B> {
    /// Does not check that all classes are present; `evaluate` checks that over all ranks.
    fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        outputs.check(problem)?;
        self.check_support(problem.needs().union(outputs.needs(problem)))
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        let name = self.backend.descriptor().name.into_owned();
        let checked = self.check(problem, outputs);
        let ranks = &self.ranks;
        let Some(passes) = self.backend.two_pass() else {
            return Err(Error::Unsupported { backend: name, feature: Feature::TwoPasses });
        };
        agree_on_problem(ranks, &name, checked, problem, outputs)?;
        let multiple = passes.shard_multiple().unwrap_or(problem.total_classes().div_ceil(ranks.size()));
        let mut team = Team { passes, ranks, name: &name };

        let n = problem.n_samples();
        let groups = problem.total_classes().div_ceil(multiple);
        let rows = rows_of_exchange::<T>(groups, ranks.size(), outputs.top().unwrap_or(0));
        let mut merged: Option<RowStatistics<T>> = None;
        for block in blocks(n, rows) {
            let part = problem.rows(block.clone());
            let statistics = team.statistics(&part)?;
            let mut of_block = outputs.of_rows(block);
            if of_block.wants_class_facts() {
                team.class_facts(&part, &statistics, &mut of_block)?;
            }
            merged = Some(match merged {
                None => statistics,
                Some(merged) => merged.followed_by(&statistics)?,
            });
        }
        let Some(statistics) = merged else { return Err(Error::NoClasses) };
        // The facts of single classes have been written already.
        let mut of_rows = Outputs {
            features_gradient: None,
            label_log_prob: None,
            label_rank: None,
            top_classes: None,
            top_log_prob: None,
            ..outputs.of_rows(0..n)
        };
        let done = team.passes.summarize(problem, &statistics, &mut of_rows);
        let evaluation = team.all_did(done)?;

        let mut of_classes = Outputs {
            weights_gradient: outputs.weights_gradient.as_mut().map(|dw| dw.view_mut()),
            bias_gradient: outputs.bias_gradient.as_mut().map(|db| db.view_mut()),
            accumulate: outputs.accumulate,
            ..Outputs::default()
        };
        if of_classes.wants_gradient() {
            let done = team.passes.backward(problem, &statistics, &Upstream::default(), &mut of_classes);
            team.all_did(done)?;
        }
        if outputs.features_gradient.is_some() {
            let whole = problem.clone().as_part(evaluation.total_weight, true);
            team.features_gradient(&whole, &statistics, outputs)?;
        }
        Ok(evaluation)
    }
}

/// Checks that all ranks have the same options, outputs, number of samples and sample weights, and that their classes
/// are consecutive and complete.
fn agree_on_problem<T: Wire>(
    ranks: &Ranks,
    name: &str,
    checked: Result<()>,
    problem: &Problem<'_, T>,
    outputs: &Outputs<'_, T>,
) -> Result<()> {
    let classes = problem.class_range();
    let sample_weights = problem.sample_weights().map_or(0, fingerprint_of);
    let words = [
        fingerprint(problem, outputs),
        problem.n_samples() as u64,
        sample_weights,
        problem.given_total_weight().map_or(0, f64::to_bits),
        classes.start as u64,
        classes.end as u64,
    ];
    let all = ranks.agree(name, checked.map(|()| words))?;
    let refuse = |message: String| Err(Error::Backend { backend: name.to_owned(), message, source: None });
    if let Some(other) = all.iter().position(|words| words[..4] != all[0][..4]) {
        return refuse(format!(
            "expected one problem on all ranks, found other options, samples or outputs on rank {other}"
        ));
    }
    let mut end = 0;
    for (rank, words) in all.iter().enumerate() {
        let found = words[4] as usize..words[5] as usize;
        if found.start != end {
            return refuse(format!(
                "rank {rank}: expected classes from {end} on, found {} up to {}",
                found.start, found.end
            ));
        }
        end = found.end;
    }
    if end != problem.total_classes() {
        return refuse(format!("expected {} classes on all ranks, found {end}", problem.total_classes()));
    }
    Ok(())
}

/// The number of rows whose statistics are exchanged at a time. For a row, the ranks send statistics of `groups`
/// groups, at least one from each rank, and a label's weight each; or facts with `top` most probable classes each.
fn rows_of_exchange<T>(groups: usize, ranks: usize, top: usize) -> usize {
    let of_statistics = groups.max(ranks) * (3 * size_of::<T>() + 24) + 8 * ranks;
    let of_facts = ranks * (8 + top * (8 + size_of::<T>()));
    (EXCHANGED / of_statistics.max(of_facts)).max(1)
}

/// Ranges of at most `rows` rows. Without rows, a single empty range.
fn blocks(n: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n.max(1)).step_by(rows).map(move |first| first..n.min(first + rows))
}

/// A rank's backend, with the ranks that it works with.
struct Team<'t, T: Wire> {
    passes: &'t mut dyn TwoPass<T>,
    ranks: &'t Ranks,
    name: &'t str,
}

impl<T: Wire> Team<'_, T> {
    /// The result of this rank's backend if no rank failed, otherwise an error on all ranks.
    fn all_did<R>(&self, done: Result<R>) -> Result<R> {
        let (value, agreed) = match done {
            Ok(value) => (Some(value), Ok([0])),
            Err(error) => (None, Err(error)),
        };
        self.ranks.agree(self.name, agreed)?;
        value.ok_or(Error::NoClasses)
    }

    /// The statistics of some rows over all classes, in one group if the backend can condense them.
    fn statistics(&mut self, problem: &Problem<'_, T>) -> Result<RowStatistics<T>> {
        let own = self.passes.forward(problem);
        let own = self.all_did(own)?;
        let mut message = Message::default();
        message.put_statistics(&own);
        let mut merged: Option<RowStatistics<T>> = None;
        for bytes in self.ranks.gather_bytes(message.bytes()).iter() {
            let next = Received(bytes).take_statistics();
            merged = Some(match merged {
                None => next,
                Some(merged) => merged.merge(next)?,
            });
        }
        self.passes.condense(problem, merged.ok_or(Error::NoClasses)?)
    }

    /// Writes the label's log p and rank and the most probable classes of some rows.
    fn class_facts(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()> {
        let own = self.passes.label_scores(problem);
        let mut message = Message::default();
        message.put_numbers(&self.all_did(own)?);
        let mut label_scores = Array1::from_elem(problem.n_samples(), T::nan());
        for bytes in self.ranks.gather_bytes(message.bytes()).iter() {
            let of_rank = Received(bytes).take_numbers::<T>();
            label_scores.zip_mut_with(&of_rank, |all, &one| *all = if one.is_nan() { *all } else { one });
        }
        let top = outputs.top().unwrap_or(0);
        let own = self.passes.class_facts(problem, label_scores.view(), top);
        let mut message = Message::default();
        message.put_facts(&self.all_did(own)?);
        let mut merged: Option<ClassFacts<T>> = None;
        for bytes in self.ranks.gather_bytes(message.bytes()).iter() {
            let next = Received(bytes).take_facts(&label_scores);
            merged = Some(match merged {
                None => next,
                Some(merged) => merged.merge(&next, top)?,
            });
        }
        let facts = merged.ok_or(Error::NoClasses)?;
        let mut of_classes = Outputs {
            label_log_prob: outputs.label_log_prob.as_mut().map(|a| a.view_mut()),
            label_rank: outputs.label_rank.as_mut().map(|a| a.view_mut()),
            top_classes: outputs.top_classes.as_mut().map(|a| a.view_mut()),
            top_log_prob: outputs.top_log_prob.as_mut().map(|a| a.view_mut()),
            ..Outputs::default()
        };
        self.passes.summarize_classes(problem, statistics, &facts, &mut of_classes)
    }

    /// Computes dX as a pipeline through the ranks, in the order of the classes. While a rank adds its classes to a
    /// block of rows, the rank before it is at the next block.
    fn features_gradient(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()> {
        let (n, d, rank, last) =
            (problem.n_samples(), problem.n_features(), self.ranks.rank(), self.ranks.size() - 1);
        let most = BYTES_OF_ROWS / (d * size_of::<T>()).max(1);
        let rows = (n / (4 * self.ranks.size())).clamp(FEWEST_ROWS, most.max(FEWEST_ROWS));
        let mut failure = None;
        for block in blocks(n, rows) {
            let mut dx = Array2::<T>::zeros((block.len(), d));
            let numbers = dx.as_slice_mut().expect("an array in standard order");
            if rank > 0 {
                self.ranks.receive(rank - 1, numbers);
            }
            let mut of_block = Outputs { features_gradient: Some(dx.view_mut()), ..Outputs::default() };
            let done = self.passes.backward(
                &problem.rows(block.clone()),
                &statistics.rows(block.clone()),
                &Upstream::default(),
                &mut of_block,
            );
            failure = failure.or(done.err());
            if rank < last {
                self.ranks.send(rank + 1, dx.as_slice().expect("an array in standard order"));
            } else if let Some(mut out) = outputs.of_rows(block).features_gradient {
                out.assign(&dx);
            }
        }
        self.all_did(failure.map_or(Ok(()), Err))?;
        for block in blocks(n, rows) {
            let Some(mut out) = outputs.of_rows(block).features_gradient else { break };
            by_rows(&mut out, |numbers| self.ranks.broadcast(last, numbers));
        }
        Ok(())
    }
}
