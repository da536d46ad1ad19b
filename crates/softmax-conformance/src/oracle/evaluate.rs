//! Evaluates the formula on a problem, with a bound for each entry of each output.

use super::bounds::{RowBounds, TotalWeight};
use super::expected::{Expected, Reference, TopRow};
use super::facts::RowFacts;
use super::inputs::{InputTargets, Inputs};
use super::real::{DoubleDouble, Real};
use super::row::{Row, total_weight};
use super::sums::{FEW_SUMS, Judged, Products, Sum, sum_over_samples};
use super::upstream::Coefficients;
use ndarray::ArrayView1;
use rayon::prelude::*;
use softmax_core::{Dtype, Element, OutputKind, OutputSet, OwnedOutputs, Problem, Targets, ndarray};

/// Limit of the size of a problem, in multiply-adds: N·D·C, plus 100 for each score. Up to this limit the oracle
/// computes everything in double-double. Above it, the oracle uses f64 for f32 problems, and computes only a sample of
/// dW and dX.
pub const DOUBLE_DOUBLE_LIMIT: u64 = 1_000_000_000;

/// Cost of the work after each score (exponential, probability, bounds), in multiply-adds.
const SCORE: u64 = 100;

/// Number of columns of dW and rows of dX that are computed above [`DOUBLE_DOUBLE_LIMIT`].
const SAMPLED_SLICES: usize = 32;

/// Number of best classes that are computed.
const TOP: usize = OwnedOutputs::<f64>::TOP;

/// Computes the expected values of `problem`, and their bounds, for the outputs in `set`.
///
/// Up to [`DOUBLE_DOUBLE_LIMIT`], this takes the time of N·(D + 100)·C double-double multiply-adds, and of N·D·C more
/// for each of dW and dX.
pub fn reference<T: Element>(problem: &Problem<'_, T>, set: OutputSet) -> Reference {
    upstream_reference(problem, &Coefficients::default(), set)
}

/// [`reference()`], with the gradients of formula (11).
pub(crate) fn upstream_reference<T: Element>(
    problem: &Problem<'_, T>,
    coefficients: &Coefficients,
    set: OutputSet,
) -> Reference {
    let inputs = Inputs::new(problem);
    let (n, d, c) = inputs.dim();
    let is_large = is_large(n, d, c);
    match T::DTYPE {
        Dtype::F32 if is_large => Oracle::<f64>::new(&inputs, coefficients, T::DTYPE, true).evaluate(set),
        _ => Oracle::<DoubleDouble>::new(&inputs, coefficients, T::DTYPE, is_large).evaluate(set),
    }
}

/// Estimates the memory that [`reference()`] takes, in bytes: the inputs in f64, the intermediate results of a block of
/// rows, and values and bounds of each output.
pub fn reference_bytes<T: Element>(problem: &Problem<'_, T>, set: OutputSet) -> f64 {
    /// Bytes of each score: five numbers of 16 bytes, and four bounds.
    const OF_A_SCORE: f64 = 112.0;
    /// Bytes of each entry of an output: a number of 16 bytes and a bound, and both again in f64.
    const OF_AN_ENTRY: f64 = 40.0;
    let (n, d, c) = (problem.n_samples(), problem.n_features(), problem.n_classes());
    let product = |a: usize, b: usize| a as f64 * b as f64;
    let is_large = is_large(n, d, c);
    let slices = |count: usize| if is_large { count.min(SAMPLED_SLICES) } else { count };
    let soft = if matches!(problem.targets(), Targets::Soft(_)) { product(n, c) } else { 0.0 };
    let inputs = 8.0 * (product(n, d) + product(d, c) + soft);
    let entries = set.iter().map(|kind| match kind {
        OutputKind::WeightsGradient => product(d, slices(c)),
        OutputKind::FeaturesGradient => product(slices(n), d),
        OutputKind::BiasGradient => c as f64,
        OutputKind::SampleLosses
        | OutputKind::LogSumExp
        | OutputKind::Predicted
        | OutputKind::Entropy
        | OutputKind::LabelLogProb
        | OutputKind::LabelRank => n as f64,
        OutputKind::TopClasses | OutputKind::TopLogProb => product(n, TOP.min(c)),
    });
    let scores = product(block_rows(c).min(n), c);
    // A tenth more, for the gaps between allocations.
    1.1 * (inputs + OF_A_SCORE * scores + OF_AN_ENTRY * entries.sum::<f64>())
}

/// Whether a problem is above [`DOUBLE_DOUBLE_LIMIT`].
fn is_large(n: usize, d: usize, c: usize) -> bool {
    (n as u64).saturating_mul(c as u64).saturating_mul(d as u64 + SCORE) > DOUBLE_DOUBLE_LIMIT
}

/// Rows per block, so that the intermediate results of a block stay below about 256 MiB.
fn block_rows(classes: usize) -> usize {
    (1 << 21) / classes.max(1) + 1
}

/// The formula on one problem, in the arithmetic `R`.
pub(super) struct Oracle<'a, R> {
    inputs: &'a Inputs,
    coefficients: &'a Coefficients,
    dtype: Dtype,
    /// Ω, and the sum of the absolute values of its terms.
    total_weight: R,
    weight_size: f64,
    /// The classes whose columns of dW are computed, and the samples whose rows of dX are computed. `None`: all.
    classes: Option<Vec<usize>>,
    samples: Option<Vec<usize>>,
    /// ‖W_:,c‖, for the magnitudes of large problems.
    column_norms: Option<Vec<f64>>,
}

impl<'a, R: Real> Oracle<'a, R> {
    pub(super) fn new(inputs: &'a Inputs, coefficients: &'a Coefficients, dtype: Dtype, large: bool) -> Self {
        let (n, _, c) = inputs.dim();
        // Evenly spread, and including the last: kernels often fail at tails.
        let spread = |length: usize| -> Vec<usize> {
            let count = SAMPLED_SLICES.min(length);
            (1..=count).map(|k| k * length / count - 1).collect()
        };
        let (total_weight, weight_size) = total_weight(inputs);
        let norms = || inputs.weights.columns().into_iter().map(norm).collect();
        Oracle {
            inputs,
            coefficients,
            dtype,
            total_weight,
            weight_size,
            classes: large.then(|| spread(c)),
            samples: large.then(|| spread(n)),
            column_norms: large.then(norms),
        }
    }

    pub(super) fn evaluate(&self, set: OutputSet) -> Reference {
        let (n, d, c) = self.inputs.dim();
        let u = self.dtype.unit_roundoff();
        let omega = self.total_weight.value();
        let wants = |kind| set.contains(kind);
        let classes: Vec<usize> = self.classes.clone().unwrap_or_else(|| (0..c).collect());
        let samples: Vec<usize> = self.samples.clone().unwrap_or_else(|| (0..n).collect());

        let mut loss = Sum::<R>::default();
        let (mut least, mut most) = (0, 0);
        let mut predicted = Vec::new();
        let (mut any_infinite_maximum, mut any_open) = (false, false);
        let (mut losses, mut lse) = (Vec::new(), Vec::new());
        let mut dw = wants(OutputKind::WeightsGradient).then(|| Products::<R>::new(d, classes.len()));
        let mut db = vec![Sum::<R>::default(); if wants(OutputKind::BiasGradient) { c } else { 0 }];
        let mut dx = Vec::new();
        let mut facts = Facts::default();

        for start in (0..n).step_by(block_rows(c)) {
            let end = (start + block_rows(c)).min(n);
            let block = self.judge(start..end);
            for (i, (row, bounds)) in (start..end).zip(&block) {
                loss.add(row.loss, bounds.loss);
                let has_infinite_maximum = row.scores[row.best].value().is_infinite();
                any_infinite_maximum |= has_infinite_maximum;
                // Without target mass the loss is 0, or the product of 0 and a number that is not finite: both are
                // admissible.
                let is_open = has_infinite_maximum && self.inputs.counts(i) && row.loss.value().is_finite();
                any_open |= is_open;
                let candidates = contenders(row, bounds);
                if let Some(label) = self.inputs.label(i) {
                    least += usize::from(candidates == [label]);
                    most += usize::from(candidates.contains(&label) || candidates.is_empty());
                }
                if wants(OutputKind::Predicted) {
                    predicted.push(candidates);
                }
                losses.push((row.loss.value(), if is_open { Expected::ANYTHING } else { bounds.loss }));
                lse.push((row.lse.value(), bounds.lse));
                // The gradient of an ignored sample is empty.
                for (sum, (g, e)) in db.iter_mut().zip(row.gradient.iter().zip(&bounds.gradient)) {
                    sum.add(*g, e + sum_over_samples(n) * u * g.value().abs());
                }
            }
            facts.extend(self, start, &block, set);
            if let Some(dw) = &mut dw {
                dw.accumulate(self.inputs, start, &block, &classes, u);
            }
            if wants(OutputKind::FeaturesGradient) {
                let chosen = samples.iter().filter(|&&i| (start..end).contains(&i));
                dx.par_extend(chosen.collect::<Vec<_>>().into_par_iter().map(|&i| {
                    let (row, bounds) = &block[i - start];
                    self.features_gradient(row, bounds, u)
                }));
            }
        }

        let mut outputs = Vec::new();
        if let Some(dw) = dw {
            outputs.push((OutputKind::WeightsGradient, self.weights_gradient(dw, &classes, u)));
        }
        if wants(OutputKind::FeaturesGradient) {
            let matrix = Expected::matrix(dx.into_iter().flatten(), samples.len(), d);
            outputs.push((
                OutputKind::FeaturesGradient,
                Expected { sample: self.samples.clone().map(|s| (0, s)), ..matrix },
            ));
        }
        if wants(OutputKind::BiasGradient) {
            let db = db
                .into_iter()
                .map(|sum| (sum.value.value(), sum.bound + n as f64 * self.dtype.min_positive()));
            outputs.push((OutputKind::BiasGradient, Expected::vector(db.collect())));
        }
        if wants(OutputKind::SampleLosses) {
            outputs.push((OutputKind::SampleLosses, Expected::vector(losses)));
        }
        if wants(OutputKind::LogSumExp) {
            outputs.push((OutputKind::LogSumExp, Expected::vector(lse)));
        }
        if wants(OutputKind::Entropy) {
            outputs.push((OutputKind::Entropy, Expected::vector(facts.entropy)));
        }
        if wants(OutputKind::LabelLogProb) {
            outputs.push((OutputKind::LabelLogProb, Expected::vector(facts.label_log_prob)));
        }

        let has_targets = !matches!(self.inputs.targets, InputTargets::None);
        let data = if has_targets { loss.value / self.total_weight } else { R::zero() };
        let l2 = self.l2_penalty();
        let divisor = self.divisor();
        let bound = (loss.bound + n as f64 * f64::EPSILON * loss.size) / divisor.size
            + (FEW_SUMS * u + divisor.relative_error) * data.value().abs()
            + ((d as f64 + FEW_SUMS) * u + (d * c) as f64 * f64::EPSILON) * l2.value();
        let hard = matches!(self.inputs.targets, InputTargets::Labels(_));
        let mut loss = Expected::scalar((data + l2).value(), if has_targets { bound } else { 0.0 });
        // Equivalent formulas may differ in giving ∞ or NaN if Ω is 0, or if the largest score of a row is infinite.
        let divides_by_zero = omega == 0.0 && (0..n).any(|i| self.inputs.counts(i));
        let admits = |kind: OutputKind| any_infinite_maximum || (divides_by_zero && kind.is_gradient());
        outputs.iter_mut().filter(|(kind, _)| admits(*kind)).for_each(|(_, e)| e.admit_any_infinity());
        if divides_by_zero || any_infinite_maximum {
            loss.admit_any_infinity();
        }
        if any_open && loss.value().is_finite() {
            loss.bounds.fill(Expected::ANYTHING);
        }
        Reference {
            loss,
            total_weight: Expected::scalar(omega, FEW_SUMS * u * omega.abs() + self.weight_error()),
            classes: c,
            correct: hard.then_some((least, most)),
            predicted: wants(OutputKind::Predicted).then_some(predicted),
            label_rank: wants(OutputKind::LabelRank).then_some(facts.label_rank),
            top: wants_top(set).then_some(facts.top),
            outputs,
            precision: R::PRECISION,
        }
    }

    /// The admissible error of Ω as a sum in f64.
    fn weight_error(&self) -> f64 {
        self.inputs.dim().0 as f64 * f64::EPSILON * self.weight_size
    }

    fn divisor(&self) -> TotalWeight {
        let size = self.total_weight.value().abs();
        TotalWeight { size, relative_error: if size > 0.0 { self.weight_error() / size } else { 0.0 } }
    }

    /// The function whose gradient is (11). Without coefficients, it is the loss.
    #[cfg(test)]
    pub(super) fn objective(&self) -> R {
        let (n, _, _) = self.inputs.dim();
        let rows = (0..n).into_par_iter().filter(|&i| !self.inputs.is_ignored(i)).map(|i| {
            let row = Row::new(self.inputs, i, &self.raw_scores(i), self.total_weight, self.coefficients);
            let of = self.coefficients.of(self.inputs, i, self.total_weight);
            let entropy = row.rest.ln_1p() + row.mean_distance;
            of.loss * row.unweighted_loss + of.entropy * entropy + of.log_sum_exp * row.lse
        });
        let sum = rows.collect::<Vec<R>>().into_iter().fold(R::zero(), |sum, loss| sum + loss);
        sum + self.l2_penalty()
    }

    /// The loss alone.
    pub(super) fn loss(&self) -> R {
        let (n, _, _) = self.inputs.dim();
        let rows = (0..n).into_par_iter().map(|i| {
            Row::new(self.inputs, i, &self.raw_scores(i), self.total_weight, self.coefficients).loss
        });
        let sum = rows.collect::<Vec<R>>().into_iter().fold(R::zero(), |sum, loss| sum + loss);
        if matches!(self.inputs.targets, InputTargets::None) {
            return R::zero();
        }
        sum / self.total_weight + self.l2_penalty()
    }

    fn judge(&self, samples: std::ops::Range<usize>) -> Vec<Judged<R>> {
        let divisor = self.divisor();
        let judged = samples.into_par_iter().map(|i| {
            let row = Row::new(self.inputs, i, &self.raw_scores(i), self.total_weight, self.coefficients);
            let magnitudes = self.magnitudes(i);
            let bounds =
                RowBounds::new(self.inputs, i, &row, &magnitudes, divisor, self.coefficients, self.dtype);
            (row, bounds)
        });
        judged.collect()
    }

    /// X_i·W + b.
    fn raw_scores(&self, i: usize) -> Vec<R> {
        let mut scores: Vec<R> = self.inputs.bias.iter().map(|&b| R::from(b)).collect();
        let weights = &self.inputs.weights;
        for (k, x) in self.inputs.entries(i) {
            R::add_scaled(&mut scores, x, weights.row(k).to_slice().expect("rows are contiguous"));
        }
        for (c, score) in scores.iter_mut().enumerate().filter(|(_, s)| !s.value().is_finite()) {
            let products = self.inputs.entries(i).map(|(k, x)| x * weights[[k, c]]);
            *score = R::from(products.sum::<f64>() + self.inputs.bias[c]);
        }
        scores
    }

    /// Σ_d |x_id·w_dc| + |b_c|, or for large problems the upper bound ‖x_i‖·‖w_c‖ + |b_c|. 0 if it is not finite: an
    /// infinite score, such as that of a masked class, has no rounding error.
    fn magnitudes(&self, i: usize) -> Vec<f64> {
        let sums = self.sums_of_sizes(i);
        sums.into_iter().map(|sum| if sum.is_finite() { sum } else { 0.0 }).collect()
    }

    fn sums_of_sizes(&self, i: usize) -> Vec<f64> {
        let mut sums = self.inputs.bias.mapv(f64::abs).to_vec();
        let features = self.inputs.features.row(i);
        if let Some(norms) = &self.column_norms {
            f64::add_scaled(&mut sums, norm(features), norms);
            return sums;
        }
        for (&x, w) in features.iter().zip(self.inputs.weights.rows()) {
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum += (x * w).abs();
            }
        }
        sums
    }

    fn l2_penalty(&self) -> R {
        let lambda = self.inputs.l2();
        if lambda == 0.0 {
            return R::zero();
        }
        let squares = self.inputs.weights.iter().fold(R::zero(), |sum, &w| sum + R::from(w) * R::from(w));
        R::from(lambda) * squares / R::from(2.0)
    }

    fn weights_gradient(&self, dw: Products<R>, classes: &[usize], u: f64) -> Expected {
        let (n, d, _) = self.inputs.dim();
        let lambda = self.inputs.l2();
        let entries = (0..d).flat_map(|k| (0..classes.len()).map(move |c| (k, c))).map(|(k, c)| {
            let penalty = R::from(lambda) * R::from(self.inputs.weights[[k, classes[c]]]);
            let data = dw.values[k * classes.len() + c];
            let value = if lambda == 0.0 { data } else { data + penalty };
            let rounding = FEW_SUMS * u * penalty.value().abs() + n as f64 * self.dtype.min_positive();
            (value.value(), dw.bounds[[k, c]] + rounding)
        });
        let matrix = Expected::matrix(entries, d, classes.len());
        Expected { sample: self.classes.clone().map(|c| (1, c)), ..matrix }
    }

    fn features_gradient(&self, row: &Row<R>, bounds: &RowBounds, u: f64) -> Vec<(f64, f64)> {
        let (_, d, c) = self.inputs.dim();
        let terms = c as f64 + FEW_SUMS;
        (0..d)
            .map(|k| {
                let mut sum = Sum::<R>::default();
                for ((g, e), &w) in row.gradient.iter().zip(&bounds.gradient).zip(self.inputs.weights.row(k))
                {
                    sum.add(*g * R::from(w), w.abs() * (e + terms * u * g.value().abs()));
                }
                (sum.value.value(), sum.bound + terms * self.dtype.min_positive())
            })
            .collect()
    }
}

fn wants_top(set: OutputSet) -> bool {
    set.contains(OutputKind::TopClasses) || set.contains(OutputKind::TopLogProb)
}

/// The [`RowFacts`] of each sample.
#[derive(Default)]
struct Facts {
    entropy: Vec<(f64, f64)>,
    label_log_prob: Vec<(f64, f64)>,
    label_rank: Vec<Option<(usize, usize)>>,
    top: Vec<TopRow>,
}

impl Facts {
    fn extend<R: Real>(&mut self, oracle: &Oracle<'_, R>, start: usize, block: &[Judged<R>], set: OutputSet) {
        let (wants, c) = (|kind| set.contains(kind), oracle.inputs.dim().2);
        let is_wanted = [OutputKind::Entropy, OutputKind::LabelLogProb, OutputKind::LabelRank].map(wants);
        if is_wanted == [false; 3] && !wants_top(set) {
            return;
        }
        let of_row = |(i, (row, bounds)): (usize, &Judged<R>)| {
            let facts = RowFacts::new(row, bounds, oracle.dtype);
            let label = oracle.inputs.labelled_class(i);
            (
                facts.entropy(),
                label.map_or((f64::NAN, 0.0), |label| facts.log_prob(label)),
                label.map_or(Some((c, c)), |label| facts.rank(label)),
                if wants_top(set) { facts.top(TOP.min(c)) } else { TopRow::default() },
            )
        };
        let rows = block.par_iter().enumerate().map(|(k, judged)| of_row((start + k, judged)));
        for (entropy, log_prob, rank, top) in rows.collect::<Vec<_>>() {
            self.entropy.push(entropy);
            self.label_log_prob.push(log_prob);
            self.label_rank.push(rank);
            self.top.push(top);
        }
    }
}

/// The classes whose scores may be the largest, given their errors. Empty if a score is NaN.
fn contenders<R: Real>(row: &Row<R>, bounds: &RowBounds) -> Vec<usize> {
    let scores: Vec<f64> = row.scores.iter().map(|s| s.value()).collect();
    if scores.iter().any(|s| s.is_nan()) {
        return Vec::new();
    }
    let error = |c: usize| if scores[c].is_finite() { bounds.scores[c] } else { 0.0 };
    let floor = scores[row.best] - error(row.best);
    let within = |c: usize| c == row.best || (error(c) > 0.0 && scores[c] + error(c) >= floor);
    (0..scores.len()).filter(|&c| within(c)).collect()
}

/// The Euclidean norm. Not computed with `dot`, which calls BLAS in a build with that feature of ndarray, and then
/// needs a BLAS library to link with.
fn norm(vector: ArrayView1<'_, f64>) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
