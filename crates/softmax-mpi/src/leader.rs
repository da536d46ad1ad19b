//! Evaluation on all ranks at the request of the first one: for programs in which one process decides what is
//! evaluated next, such as a solver.

use crate::delivery::Receivers;
use crate::grid::{Cut, part_of};
use crate::ranks::{Ranks, Wire};
use crate::whole::{Asked, Whole};
use ndarray::{Array1, Array2};
use softmax_core::{
    Backend, Descriptor, Evaluation, Feature, Features, OutputKind, Outputs, Problem, Result, SoftmaxBackend,
};

/// The words of a request: the action, the set of outputs, the number of most probable classes, and whether there is
/// a bias.
type Request = [u64; 4];

const END: u64 = 0;
const EVALUATE: u64 = 1;

/// A backend on the first rank that computes on all ranks. Its problems have the samples and options of one problem,
/// which every rank has. W and b may differ in each call; each rank receives those of its classes with the request.
///
/// A problem with other samples is evaluated by the first rank's inner backend alone. Dropping the leader ends
/// [`follow`] on the other ranks.
pub struct Leader<'p, T: Wire, B> {
    whole: Whole<B>,
    problem: Problem<'p, T>,
    cut: Cut,
}

impl<'p, T: Wire, B: SoftmaxBackend<T>> Leader<'p, T, B> {
    /// A leader for the samples and options of this problem. The other ranks call [`follow`] with it.
    ///
    /// # Errors
    /// As [`follow`], on all ranks.
    ///
    /// # Panics
    /// On a rank other than the first.
    pub fn new(mut whole: Whole<B>, problem: Problem<'p, T>) -> Result<Self> {
        assert_eq!(whole.ranks().rank(), 0, "the first rank leads");
        let cut = cut(&mut whole, &problem)?;
        Ok(Leader { whole, problem, cut })
    }
}

impl<T: Wire, B> Drop for Leader<'_, T, B> {
    fn drop(&mut self) {
        request(self.whole.ranks(), [END, 0, 0, 0]);
    }
}

impl<T: Wire, B: Backend> Backend for Leader<'_, T, B> {
    fn descriptor(&self) -> Descriptor {
        self.whole.descriptor()
    }

    fn supports(&self, feature: Feature) -> bool {
        self.whole.supports(feature)
    }

    fn is_batch_invariant(&self) -> bool {
        self.whole.is_batch_invariant()
    }
}

impl<T: Wire, B: SoftmaxBackend<T>> SoftmaxBackend<T> for Leader<'_, T, B> {
    fn evaluate(&mut self, problem: &Problem<'_, T>, outputs: &mut Outputs<'_, T>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        if !has_samples_of(problem, &self.problem) {
            return self.whole.backend().evaluate(problem, outputs);
        }
        let (asked, cut) = (Asked::of(outputs), self.cut.clone());
        let has_bias = u64::from(problem.bias().is_some());
        request(self.whole.ranks(), [EVALUATE, mask(asked), asked.top as u64, has_bias]);
        for classes in (0..cut.classes.len()).rev() {
            let shard = problem.shard(cut.classes[classes].clone());
            let (weights, bias) = (shard.weights().to_dense(), shard.bias());
            let weights = weights.as_standard_layout();
            let (mut weights, mut bias) = (
                weights.into_owned().into_raw_vec_and_offset().0,
                bias.map_or(Vec::new(), |bias| bias.to_vec()),
            );
            let to = self.whole.rank_of(0, classes);
            if to != 0 {
                self.whole.ranks().send(to, &weights);
                self.whole.ranks().send(to, &bias);
            } else if let Some(others) = self.whole.with_same_classes(&cut) {
                others.broadcast(0, &mut weights);
                others.broadcast(0, &mut bias);
            }
        }
        let part = part_of(problem, &cut, (0, 0));
        let (evaluation, own) = self.whole.compute(&cut, Some(&part), asked)?;
        let features = problem.n_features();
        self.whole.collect(&cut, features, asked, own.as_ref(), Some(outputs), Receivers::First);
        Ok(evaluation)
    }
}

/// On the other ranks, serves the requests of the first rank's [`Leader`] until it is dropped. The problem is the
/// leader's, except that its W and b are not read.
///
/// # Errors
/// If the backend does not support the division of the problem. Errors of an evaluation are returned by the leader.
pub fn follow<T: Wire, B: SoftmaxBackend<T>>(mut whole: Whole<B>, problem: &Problem<'_, T>) -> Result<()> {
    let cut = cut(&mut whole, problem)?;
    let own = whole.own(&cut);
    loop {
        let [what, outputs, top, has_bias] = request(whole.ranks(), [END, 0, 0, 0]);
        if what == END {
            return Ok(());
        }
        let asked = Asked { set: set(outputs), top: top as usize };
        let parameters = parameters(&mut whole, &cut, problem.n_features(), has_bias != 0);
        let part = match (own, &parameters) {
            (Some(own), Some((weights, bias))) => {
                let bias = bias.as_ref().map(|bias| bias.view());
                Some(part_of(problem, &cut, own).with_parameters(weights.view(), bias)?)
            }
            _ => None,
        };
        // An error occurs on all ranks at once, so all of them skip this.
        if let Ok((_, own)) = whole.compute(&cut, part.as_ref(), asked) {
            whole.collect(&cut, problem.n_features(), asked, own.as_ref(), None, Receivers::First);
        }
    }
}

/// Divides the problem. Also creates the communicators of the neighbours, for which all ranks must call at the same
/// time: later, a rank may already send while another one does not yet receive.
fn cut<T: Wire, B: SoftmaxBackend<T>>(whole: &mut Whole<B>, problem: &Problem<'_, T>) -> Result<Cut> {
    let cut = whole.cut(problem)?;
    let _ = whole.with_same_classes(&cut);
    Ok(cut)
}

/// Receives W and b of the rank's classes; `None` if it has no classes.
fn parameters<T: Wire, B>(
    whole: &mut Whole<B>,
    cut: &Cut,
    features: usize,
    has_bias: bool,
) -> Option<(Array2<T>, Option<Array1<T>>)> {
    let others = whole.with_same_classes(cut);
    let (samples, classes) = whole.own(cut)?;
    let count = cut.classes[classes].len();
    let mut weights = Array2::<T>::zeros((features, count));
    let mut bias = has_bias.then(|| Array1::<T>::zeros(count));
    let mut of_bias = bias.as_mut().map_or(Vec::new(), |bias| bias.to_vec());
    let numbers = weights.as_slice_mut().expect("an array in standard order");
    if samples == 0 {
        whole.ranks().receive(0, numbers);
        whole.ranks().receive(0, &mut of_bias);
    }
    if let Some(others) = others {
        others.broadcast(0, numbers);
        others.broadcast(0, &mut of_bias);
    }
    if let Some(bias) = &mut bias {
        *bias = Array1::from_vec(of_bias);
    }
    Some((weights, bias))
}

/// Broadcasts the first rank's request; returns it on all ranks.
fn request(ranks: &Ranks, mut words: Request) -> Request {
    ranks.broadcast(0, &mut words);
    words
}

fn mask(asked: Asked) -> u64 {
    let bits = OutputKind::ALL.iter().enumerate();
    bits.filter(|&(_, &kind)| asked.set.contains(kind)).map(|(bit, _)| 1 << bit).sum()
}

fn set(mask: u64) -> softmax_core::OutputSet {
    let bits = OutputKind::ALL.iter().enumerate();
    bits.filter(|&(bit, _)| mask & (1 << bit) != 0).map(|(_, &kind)| kind).collect()
}

/// Whether two problems have the same samples: the same array of features in memory, with the same shape.
fn has_samples_of<T: Wire>(a: &Problem<'_, T>, b: &Problem<'_, T>) -> bool {
    let place = |problem: &Problem<'_, T>| match problem.features() {
        Features::Dense(x) => x.as_ptr().addr(),
        Features::F16(x) => x.as_ptr().addr(),
        Features::Bf16(x) => x.as_ptr().addr(),
        Features::Csr(x) if x.n_rows() > 0 => x.row(0).1.as_ptr().addr(),
        Features::Csr(_) => 0,
    };
    a.features().dim() == b.features().dim() && place(a) == place(b)
}
