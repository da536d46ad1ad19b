//! Parallel evaluation over the samples: each rank has some of them.

use crate::fingerprint::fingerprint;
use crate::flat::by_rows;
use crate::ranks::{Ranks, Wire};
use ndarray::{Array, Array1, Array2, ArrayViewMut, Dimension, RemoveAxis};
use softmax_core::{
    Backend, Descriptor, Error, Evaluation, Feature, Outputs, Problem, Reduction, Result, SoftmaxBackend,
    Targets,
};

/// A backend for samples in shards: each rank evaluates its own samples, under the same W, b and options, with the
/// reduction over all samples. Every rank calls [`evaluate`](SoftmaxBackend::evaluate) at the same time.
///
/// On every rank, the loss, Ω, the number correct, dW and db are those of all samples. dX and the outputs of single
/// samples are those of the rank's own samples.
///
/// Sums are taken in rank order, so the same number of ranks with the same samples gives the same bits. Another
/// number of ranks does not, because dW is a running sum over samples.
///
/// The inner backend must support [a part of the samples](Problem::as_part). It may be a
/// [`ClassParallel`](crate::ClassParallel) over other ranks, see [`over_classes`](Self::over_classes).
#[derive(Clone)]
pub struct SampleParallel<B> {
    backend: B,
    ranks: Ranks,
    /// The ranks with the same samples and other classes, if classes are also divided.
    same_samples: Option<Ranks>,
}

impl<B> SampleParallel<B> {
    /// Each rank passes its own inner backend.
    pub fn new(backend: B, ranks: Ranks) -> Self {
        SampleParallel { backend, ranks, same_samples: None }
    }

    /// As [`new`](Self::new), for a grid of ranks: `ranks` have the same classes and other samples, and
    /// `same_samples` have the same samples and other classes. The inner backend is class-parallel over
    /// `same_samples`.
    pub fn over_classes(backend: B, ranks: Ranks, same_samples: Ranks) -> Self {
        SampleParallel { backend, ranks, same_samples: Some(same_samples) }
    }
}

impl<B: Backend> Backend for SampleParallel<B> {
    fn descriptor(&self) -> Descriptor {
        let inner = self.backend.descriptor();
        Descriptor { name: format!("{}, samples of {} ranks", inner.name, self.ranks.size()).into(), ..inner }
    }

    fn supports(&self, feature: Feature) -> bool {
        !matches!(feature, Feature::TwoPasses | Feature::PartOfSamples) && self.backend.supports(feature)
    }

    fn is_batch_invariant(&self) -> bool {
        self.backend.is_batch_invariant()
    }
}

impl<T: Wire, B: SoftmaxBackend<T>> SoftmaxBackend<T> for SampleParallel<B> {
    /// Does not check that all classes are present; the inner backend does.
    fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        outputs.check(problem)?;
        self.check_support(problem.needs().union(outputs.needs(problem)))?;
        match self.backend.supports(Feature::PartOfSamples) {
            true => Ok(()),
            false => Err(Error::Unsupported {
                backend: self.backend.descriptor().name.into_owned(),
                feature: Feature::PartOfSamples,
            }),
        }
    }

    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        let name = self.backend.descriptor().name.into_owned();
        let own_weight = self.own_total_weight(problem);
        let checked = self.check(problem, outputs);
        let words = [fingerprint(problem, outputs), problem.class_range().start as u64, own_weight.to_bits()];
        let all = self.ranks.agree(&name, checked.map(|()| words))?;
        if let Some(other) = all.iter().position(|other| other[..2] != all[0][..2]) {
            let message = format!(
                "expected one problem on all ranks, found other options, sizes or outputs on rank {other}"
            );
            return Err(Error::Backend { backend: name, message, source: None });
        }
        let sum = || all.iter().map(|words| f64::from_bits(words[2])).sum::<f64>();
        let total_weight = if is_shared(problem) { sum() } else { own_weight };

        let part = problem.clone().as_part(total_weight, self.ranks.rank() == 0);
        let accumulate = std::mem::take(&mut outputs.accumulate);
        let mut sums = Sums::new(accumulate, problem, outputs);
        let done = self.backend.evaluate(&part, &mut sums.in_place_of(outputs));
        outputs.accumulate = accumulate;
        let words = done.map(|done| [done.loss.to_bits(), done.correct.map_or(0, |correct| correct as u64)]);
        let all = self.ranks.agree(&name, words)?;
        sums.sum(outputs, &self.ranks);
        let correct = all.iter().map(|&[_, correct]| correct as usize).sum();
        Ok(Evaluation {
            loss: all.iter().map(|&[loss, _]| f64::from_bits(loss)).sum(),
            total_weight,
            correct: problem.has_labels().then_some(correct),
        })
    }
}

impl<B> SampleParallel<B> {
    /// Ω of the rank's samples over all classes.
    fn own_total_weight<T: Wire>(&self, problem: &Problem<'_, T>) -> f64 {
        let own = problem.total_weight();
        let Some(ranks) = &self.same_samples else { return own };
        // Gather even if the result is not needed: the ranks have not yet agreed on one problem, and all must call
        // this.
        let all = ranks.gather_words([own.to_bits()]);
        // A label's class weight is known only to the rank that has the class.
        let is_of_parts = is_shared(problem) && problem.has_labels();
        if is_of_parts { all.into_iter().map(|[own]| f64::from_bits(own)).sum() } else { own }
    }
}

/// Whether Ω is a sum over samples, and so over ranks.
fn is_shared<T: Wire>(problem: &Problem<'_, T>) -> bool {
    problem.objective().reduction == Reduction::Mean && !matches!(problem.targets(), Targets::None)
}

/// The sums of dW and db over the ranks. If outputs accumulate, they are summed in separate arrays first and then
/// added to the outputs.
struct Sums<T> {
    accumulated: bool,
    weights: Option<Array2<T>>,
    bias: Option<Array1<T>>,
}

impl<T: Wire> Sums<T> {
    fn new(accumulated: bool, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Self {
        let (d, c) = (problem.n_features(), problem.n_classes());
        Sums {
            accumulated,
            weights: outputs.weights_gradient.as_ref().filter(|_| accumulated).map(|_| Array2::zeros((d, c))),
            bias: outputs.bias_gradient.as_ref().filter(|_| accumulated).map(|_| Array1::zeros(c)),
        }
    }

    /// The outputs, with the separate arrays in place of dW and db if outputs accumulate.
    fn in_place_of<'o>(&'o mut self, outputs: &'o mut Outputs<'_, T>) -> Outputs<'o, T> {
        let mut all = outputs.reborrow();
        if self.accumulated {
            all.weights_gradient = self.weights.as_mut().map(|sums| sums.view_mut());
            all.bias_gradient = self.bias.as_mut().map(|sums| sums.view_mut());
        }
        all
    }

    fn sum(mut self, outputs: &mut Outputs<'_, T>, ranks: &Ranks) {
        if let Some(dw) = &mut outputs.weights_gradient {
            sum_to(dw, self.weights.as_mut(), ranks);
        }
        if let Some(db) = &mut outputs.bias_gradient {
            sum_to(db, self.bias.as_mut(), ranks);
        }
    }
}

/// Sums an output over the ranks in place. If there is a separate array, sums that one and adds it to the output.
fn sum_to<T: Wire, D: Dimension + RemoveAxis>(
    out: &mut ArrayViewMut<'_, T, D>,
    of_its_own: Option<&mut Array<T, D>>,
    ranks: &Ranks,
) {
    match of_its_own {
        Some(sums) => {
            by_rows(&mut sums.view_mut(), |numbers| ranks.sum(numbers));
            *out += &*sums;
        }
        None => by_rows(out, |numbers| ranks.sum(numbers)),
    }
}
