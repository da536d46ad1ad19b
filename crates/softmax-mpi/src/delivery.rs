//! Sends the parts of an output from the ranks that have them to the whole output.

use crate::ranks::{Ranks, Wire};
use bytemuck::Pod;
use ndarray::{Array1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, Slice};
use softmax_core::{OutputKind, Outputs, OwnedOutputs};
use std::ops::Range;

/// The ranks that receive the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receivers {
    All,
    First,
}

/// The transfer of one part of an output.
pub(crate) struct Delivery<'r> {
    pub(crate) ranks: &'r Ranks,
    /// The rank that has the part.
    pub(crate) root: usize,
    /// The number of entries of the part.
    pub(crate) count: usize,
    pub(crate) receivers: Receivers,
}

impl Delivery<'_> {
    /// Sends the numbers. Returns them on a receiving rank, otherwise `None`.
    fn of_numbers<A: Pod>(&self, own: Option<&[A]>) -> Option<Vec<A>> {
        let is_first = self.ranks.rank() == 0;
        let mut numbers = own.map_or_else(|| vec![A::zeroed(); self.count], <[A]>::to_vec);
        match self.receivers {
            Receivers::All => self.ranks.broadcast(self.root, &mut numbers),
            Receivers::First if is_first && self.root != 0 => self.ranks.receive(self.root, &mut numbers),
            Receivers::First => {
                if let (Some(own), false) = (own, is_first) {
                    self.ranks.send(0, own);
                }
                return is_first.then_some(numbers);
            }
        }
        Some(numbers)
    }

    /// Sends a part of an output, and writes it to its range of the whole output on a receiving rank.
    pub(crate) fn of_output<T: Wire>(
        &self,
        kind: OutputKind,
        own: Option<&OwnedOutputs<T>>,
        range: Range<usize>,
        outputs: Option<&mut Outputs<'_, T>>,
    ) {
        let mut none = Outputs::default();
        let Outputs {
            weights_gradient: dw,
            features_gradient: dx,
            bias_gradient: db,
            sample_losses,
            log_sum_exp,
            predicted,
            entropy,
            label_log_prob,
            label_rank,
            top_classes,
            top_log_prob,
            accumulate,
        } = match outputs {
            Some(outputs) => outputs.reborrow(),
            None => none.reborrow(),
        };
        match kind {
            OutputKind::WeightsGradient => {
                let own = own.and_then(|own| own.weights_gradient.as_ref()).and_then(|a| a.as_slice());
                if let (Some(numbers), Some(dw)) = (self.of_numbers(own), dw) {
                    let mut dw = dw.slice_axis_move(Axis(1), Slice::from(range));
                    // `numbers` has one number for each entry.
                    if let Ok(part) = ArrayView2::from_shape(dw.dim(), &numbers) {
                        if accumulate { dw += &part } else { dw.assign(&part) }
                    }
                }
            }
            OutputKind::BiasGradient => {
                let own = own.and_then(|own| own.bias_gradient.as_ref());
                if let (Some(numbers), Some(db)) = (self.of_numbers(own.and_then(|own| own.as_slice())), db) {
                    let mut db = db.slice_axis_move(Axis(0), Slice::from(range));
                    let part = Array1::from_vec(numbers);
                    if accumulate { db += &part } else { db.assign(&part) }
                }
            }
            OutputKind::FeaturesGradient => {
                self.of_matrix(
                    own.and_then(|own| own.features_gradient.as_ref()).map(|a| a.view()),
                    range,
                    dx,
                );
            }
            OutputKind::SampleLosses => {
                self.of_vector(own.and_then(|own| own.sample_losses.as_ref()), range, sample_losses);
            }
            OutputKind::LogSumExp => {
                self.of_vector(own.and_then(|own| own.log_sum_exp.as_ref()), range, log_sum_exp);
            }
            OutputKind::Predicted => {
                self.of_vector(own.and_then(|own| own.predicted.as_ref()), range, predicted);
            }
            OutputKind::Entropy => self.of_vector(own.and_then(|own| own.entropy.as_ref()), range, entropy),
            OutputKind::LabelLogProb => {
                self.of_vector(own.and_then(|own| own.label_log_prob.as_ref()), range, label_log_prob);
            }
            OutputKind::LabelRank => {
                self.of_vector(own.and_then(|own| own.label_rank.as_ref()), range, label_rank);
            }
            OutputKind::TopClasses => {
                self.of_matrix(
                    own.and_then(|own| own.top_classes.as_ref()).map(|a| a.view()),
                    range,
                    top_classes,
                );
            }
            OutputKind::TopLogProb => {
                self.of_matrix(
                    own.and_then(|own| own.top_log_prob.as_ref()).map(|a| a.view()),
                    range,
                    top_log_prob,
                );
            }
        }
    }

    /// Sends rows of a vector, and writes them to their range.
    fn of_vector<A: Pod>(
        &self,
        own: Option<&Array1<A>>,
        range: Range<usize>,
        out: Option<ArrayViewMut1<'_, A>>,
    ) {
        if let (Some(numbers), Some(out)) = (self.of_numbers(own.and_then(|own| own.as_slice())), out) {
            out.slice_axis_move(Axis(0), Slice::from(range)).assign(&Array1::from_vec(numbers));
        }
    }

    /// Sends rows of a matrix, and writes them to their range.
    fn of_matrix<A: Pod>(
        &self,
        own: Option<ArrayView2<'_, A>>,
        range: Range<usize>,
        out: Option<ArrayViewMut2<'_, A>>,
    ) {
        let own = own.as_ref().and_then(|own| own.as_slice());
        if let (Some(numbers), Some(out)) = (self.of_numbers(own), out) {
            let mut out = out.slice_axis_move(Axis(0), Slice::from(range));
            if let Ok(part) = ArrayView2::from_shape(out.dim(), &numbers) {
                out.assign(&part);
            }
        }
    }
}
