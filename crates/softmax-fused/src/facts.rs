//! Row facts beyond loss, log-sum-exp and predicted class: entropy, log-probability and rank of the label, the best
//! classes.

use crate::columns::Columns;
use crate::kernel::level::FusedElement;
use softmax_core::Outputs;
use softmax_core::ndarray::{ArrayViewMut1, ArrayViewMut2, Axis};

/// Which facts are requested, and the number of best classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) entropy: bool,
    /// Whether any requested fact is about the label.
    pub(crate) label: bool,
    pub(crate) rank: bool,
    pub(crate) top: usize,
}

impl Wanted {
    pub(crate) fn new<T: FusedElement>(outputs: &Outputs<'_, T>) -> Self {
        Wanted {
            entropy: outputs.entropy.is_some(),
            label: outputs.label_log_prob.is_some() || outputs.label_rank.is_some(),
            rank: outputs.label_rank.is_some(),
            top: outputs.top().unwrap_or(0),
        }
    }
}

/// Output slices for some rows.
pub(crate) struct FactViews<'o, T> {
    pub(crate) entropy: Option<ArrayViewMut1<'o, T>>,
    pub(crate) label_log_prob: Option<ArrayViewMut1<'o, T>>,
    pub(crate) label_rank: Option<ArrayViewMut1<'o, usize>>,
    pub(crate) top_classes: Option<ArrayViewMut2<'o, usize>>,
    pub(crate) top_log_prob: Option<ArrayViewMut2<'o, T>>,
}

impl<'o, T> FactViews<'o, T> {
    /// The outputs of all rows.
    pub(crate) fn of(outputs: &'o mut Outputs<'_, T>) -> Self {
        FactViews {
            entropy: outputs.entropy.as_mut().map(|view| view.view_mut()),
            label_log_prob: outputs.label_log_prob.as_mut().map(|view| view.view_mut()),
            label_rank: outputs.label_rank.as_mut().map(|view| view.view_mut()),
            top_classes: outputs.top_classes.as_mut().map(|view| view.view_mut()),
            top_log_prob: outputs.top_log_prob.as_mut().map(|view| view.view_mut()),
        }
    }

    /// Splits off the first `rows` rows.
    pub(crate) fn split_at(self, rows: usize) -> (Self, Self) {
        let (entropy, entropy_rest) = unzip(self.entropy.map(|view| view.split_at(Axis(0), rows)));
        let (log_prob, log_prob_rest) = unzip(self.label_log_prob.map(|view| view.split_at(Axis(0), rows)));
        let (rank, rank_rest) = unzip(self.label_rank.map(|view| view.split_at(Axis(0), rows)));
        let (classes, classes_rest) = unzip(self.top_classes.map(|view| view.split_at(Axis(0), rows)));
        let (top, top_rest) = unzip(self.top_log_prob.map(|view| view.split_at(Axis(0), rows)));
        (
            FactViews {
                entropy,
                label_log_prob: log_prob,
                label_rank: rank,
                top_classes: classes,
                top_log_prob: top,
            },
            FactViews {
                entropy: entropy_rest,
                label_log_prob: log_prob_rest,
                label_rank: rank_rest,
                top_classes: classes_rest,
                top_log_prob: top_rest,
            },
        )
    }
}

impl<T: FusedElement> FactViews<'_, T> {
    /// Writes the facts of row `i`, which is row `k` of `columns`. `classes` is the number of classes in all.
    pub(crate) fn write(
        &mut self,
        i: usize,
        k: usize,
        classes: usize,
        columns: &Columns<T>,
        best: Option<&Best<T>>,
    ) {
        if let Some(entropy) = &mut self.entropy {
            entropy[i] = columns.entropy(k);
        }
        if let Some(log_prob) = &mut self.label_log_prob {
            log_prob[i] = columns.log_prob(k, columns.label_score[k]);
        }
        if let Some(rank) = &mut self.label_rank {
            rank[i] = columns.label_rank(k, classes);
        }
        for (j, (class, score)) in best.into_iter().flat_map(Best::filled).enumerate() {
            if let Some(classes) = &mut self.top_classes {
                classes[[i, j]] = class;
            }
            if let Some(log_prob) = &mut self.top_log_prob {
                log_prob[[i, j]] = columns.log_prob(k, score);
            }
        }
    }
}

fn unzip<A, B>(pair: Option<(A, B)>) -> (Option<A>, Option<B>) {
    pair.map_or((None, None), |(a, b)| (Some(a), Some(b)))
}

/// Collects the `k` best classes: largest score first, lowest index first on ties. A NaN is never one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Best<T> {
    k: usize,
    pub(crate) classes: Vec<(usize, T)>,
}

impl<T: FusedElement> Best<T> {
    pub(crate) fn new(k: usize) -> Self {
        Best { k, classes: Vec::with_capacity(k.min(64)) }
    }

    /// Empties the collection and sets its size to `k`.
    pub(crate) fn begin(&mut self, k: usize) {
        self.k = k;
        self.classes.clear();
    }

    /// The smallest score in the collection, once it is full: another class has to exceed it.
    pub(crate) fn least(&self) -> Option<T> {
        self.classes.get(self.k.wrapping_sub(1)).map(|&(_, score)| score)
    }

    #[inline(always)]
    pub(crate) fn offer(&mut self, class: usize, score: T) {
        if self.least().is_none_or(|least| score >= least) {
            self.insert(class, score);
        }
    }

    fn insert(&mut self, class: usize, score: T) {
        if score.is_nan() {
            return;
        }
        let is_before = |&(other, its): &(usize, T)| its > score || (its == score && other < class);
        self.classes.insert(self.classes.partition_point(is_before), (class, score));
        self.classes.truncate(self.k);
    }

    /// The best classes. If NaNs leave the collection short, arbitrary other classes fill it.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (usize, T)> {
        let others = (0..self.k - self.classes.len()).map(|class| (class, T::nan()));
        self.classes.iter().copied().chain(others)
    }
}
