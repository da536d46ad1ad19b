//! The judge: the formula evaluated in double-double, some 31 digits, with a bound on how far from it a
//! correct backend may be. It shares no code with any backend.

mod bounds;
mod differences;
mod inputs;
mod real;
mod row;

use bounds::RowBounds;
pub use differences::central_difference;
use inputs::{InputTargets, Inputs};
use ndarray::{Array1, Array2, ArrayD, ArrayView1};
use rayon::prelude::*;
use real::{DoubleDouble, Real};
use row::{Row, total_weight};
use softmax_core::{Dtype, Element, OutputKind, OutputSet, Problem, ndarray};

/// What the answer should be, entry by entry, and how far off each entry may be.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The loss.
    pub loss: Expected,
    /// Ω.
    pub total_weight: Expected,
    /// The fewest and the most samples that a correct backend may call correctly predicted: they differ where
    /// scores tie within their bounds. `None` for soft targets.
    pub correct: Option<(usize, usize)>,
    /// For each sample, the classes that may be called the predicted one. Empty where the scores hold a NaN:
    /// any class will do.
    pub predicted: Option<Vec<Vec<usize>>>,
    /// The other outputs that were asked for.
    pub outputs: Vec<(OutputKind, Expected)>,
    /// The arithmetic that gave these values.
    pub precision: Precision,
}

/// Values and the largest admissible errors, of the same shape.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The exact values, rounded to f64.
    pub values: ArrayD<f64>,
    /// The admissible absolute errors. Infinite: any value that is not finite will do, where the exact one is not.
    pub bounds: ArrayD<f64>,
    /// Where not the whole output is here: which slices of it along which axis, in order.
    pub sample: Option<(usize, Vec<usize>)>,
}

/// The arithmetic of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Double-double: some 31 digits.
    DoubleDouble,
    /// f64, for f32 problems too large for more.
    Double,
}

/// How many multiply-adds (N·D·C) the oracle does in double-double. Above, it uses f64 for f32 problems, and
/// above it also samples what it checks of dW and dX.
pub const DOUBLE_DOUBLE_LIMIT: u64 = 1_000_000_000;

/// How many columns of dW and rows of dX are checked above [`DOUBLE_DOUBLE_LIMIT`].
const SAMPLED_SLICES: usize = 32;

impl Expected {
    fn scalar(value: f64, bound: f64) -> Self {
        Expected {
            values: Array1::from_elem(1, value).into_dyn(),
            bounds: Array1::from_elem(1, bound).into_dyn(),
            sample: None,
        }
    }

    fn vector(entries: Vec<(f64, f64)>) -> Self {
        let (values, bounds): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        Expected {
            values: Array1::from(values).into_dyn(),
            bounds: Array1::from(bounds).into_dyn(),
            sample: None,
        }
    }

    /// Where a value is not finite, any that is not will do.
    fn admit_any_infinity(&mut self) {
        let bounds = self.bounds.iter_mut().zip(&self.values);
        bounds.filter(|(_, value)| !value.is_finite()).for_each(|(bound, _)| *bound = f64::INFINITY);
    }

    /// The value of a scalar, or the first entry.
    pub fn value(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }
}

/// Works out what `problem` should give for the outputs in `set`.
///
/// The time is that of N·D·C double-double multiply-adds, and as much again for dW and for dX, up to
/// [`DOUBLE_DOUBLE_LIMIT`].
pub fn reference<T: Element>(problem: &Problem<'_, T>, set: OutputSet) -> Reference {
    let inputs = Inputs::new(problem);
    let (n, d, c) = inputs.dim();
    let work = (n as u64).saturating_mul(d as u64).saturating_mul(c as u64);
    if work <= DOUBLE_DOUBLE_LIMIT {
        return Oracle::<DoubleDouble>::new(&inputs, T::DTYPE, false).evaluate(set);
    }
    match T::DTYPE {
        Dtype::F32 => Oracle::<f64>::new(&inputs, T::DTYPE, true).evaluate(set),
        Dtype::F64 => Oracle::<DoubleDouble>::new(&inputs, T::DTYPE, true).evaluate(set),
    }
}

struct Oracle<'a, R> {
    inputs: &'a Inputs,
    dtype: Dtype,
    total_weight: R,
    /// Which classes' columns of dW, and which samples' rows of dX.
    classes: Option<Vec<usize>>,
    samples: Option<Vec<usize>>,
    /// ‖W_:,c‖, for the magnitudes of large problems.
    column_norms: Option<Vec<f64>>,
}

/// One worked-out sample with its bounds.
type Judged<R> = (Row<R>, RowBounds);

impl<'a, R: Real> Oracle<'a, R> {
    fn new(inputs: &'a Inputs, dtype: Dtype, large: bool) -> Self {
        let (n, _, c) = inputs.dim();
        // Evenly spread, the last one among them: tails are where kernels go wrong.
        let spread = |length: usize| -> Vec<usize> {
            let count = SAMPLED_SLICES.min(length);
            (1..=count).map(|k| k * length / count - 1).collect()
        };
        let norms = || inputs.weights.columns().into_iter().map(norm).collect();
        Oracle {
            inputs,
            dtype,
            total_weight: total_weight(inputs),
            classes: large.then(|| spread(c)),
            samples: large.then(|| spread(n)),
            column_norms: large.then(norms),
        }
    }

    fn evaluate(&self, set: OutputSet) -> Reference {
        let (n, d, c) = self.inputs.dim();
        let u = self.dtype.unit_roundoff();
        let omega = self.total_weight.value();
        let wants = |kind| set.contains(kind);
        let classes: Vec<usize> = self.classes.clone().unwrap_or_else(|| (0..c).collect());
        let samples: Vec<usize> = self.samples.clone().unwrap_or_else(|| (0..n).collect());

        let mut loss = Sum::<R>::default();
        let (mut least, mut most) = (0, 0);
        let mut predicted = Vec::new();
        let (mut losses, mut lse) = (Vec::new(), Vec::new());
        let mut dw = wants(OutputKind::WeightsGradient).then(|| Products::<R>::new(d, classes.len()));
        let mut db = vec![Sum::<R>::default(); if wants(OutputKind::BiasGradient) { c } else { 0 }];
        let mut dx = Vec::new();

        for start in (0..n).step_by(self.block_rows()) {
            let end = (start + self.block_rows()).min(n);
            let block = self.judge(start..end);
            for (i, (row, bounds)) in (start..end).zip(&block) {
                loss.add(row.loss, bounds.loss);
                let candidates = contenders(row, bounds);
                if let Some(label) = self.inputs.label(i) {
                    least += usize::from(candidates == [label]);
                    most += usize::from(candidates.contains(&label) || candidates.is_empty());
                }
                if wants(OutputKind::Predicted) {
                    predicted.push(candidates);
                }
                losses.push((row.loss.value(), bounds.loss));
                lse.push((row.lse.value(), bounds.lse));
                // An ignored sample has no G.
                for (sum, (g, e)) in db.iter_mut().zip(row.gradient.iter().zip(&bounds.gradient)) {
                    sum.add(*g, e + (n as f64 + FEW_SUMS) * u * g.value().abs());
                }
            }
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
            let flat: Vec<(f64, f64)> = dx.into_iter().flatten().collect();
            let matrix = matrix(flat, samples.len(), d);
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

        let data = loss.value / self.total_weight;
        let l2 = self.l2_penalty();
        let f64_sums = n as f64 * f64::EPSILON;
        let bound = loss.bound / omega
            + (FEW_SUMS * u + f64_sums) * data.value().abs()
            + ((d as f64 + FEW_SUMS) * u + (d * c) as f64 * f64::EPSILON) * l2.value();
        let hard = matches!(self.inputs.targets, InputTargets::Labels(_));
        let mut loss = Expected::scalar((data + l2).value(), bound);
        if omega == 0.0 && (0..n).any(|i| !self.inputs.is_ignored(i)) {
            // x/0 and 0/0: formulas that are equal elsewhere differ in which of the two they come to.
            let divided =
                [OutputKind::WeightsGradient, OutputKind::FeaturesGradient, OutputKind::BiasGradient];
            let gradients = outputs.iter_mut().filter(|(kind, _)| divided.contains(kind));
            gradients.map(|(_, expected)| expected).chain([&mut loss]).for_each(Expected::admit_any_infinity);
        }
        Reference {
            loss,
            total_weight: Expected::scalar(omega, (FEW_SUMS * u + f64_sums) * omega),
            correct: hard.then_some((least, most)),
            predicted: wants(OutputKind::Predicted).then_some(predicted),
            outputs,
            precision: R::PRECISION,
        }
    }

    fn loss(&self) -> R {
        let (n, _, _) = self.inputs.dim();
        let rows = (0..n)
            .into_par_iter()
            .map(|i| Row::new(self.inputs, i, &self.raw_scores(i), self.total_weight).loss);
        let sum = rows.collect::<Vec<R>>().into_iter().fold(R::zero(), |sum, loss| sum + loss);
        sum / self.total_weight + self.l2_penalty()
    }

    /// Rows per block, so that what is known of a block's rows stays below some 256 MiB.
    fn block_rows(&self) -> usize {
        (1 << 21) / self.inputs.dim().2.max(1) + 1
    }

    fn judge(&self, samples: std::ops::Range<usize>) -> Vec<Judged<R>> {
        let omega = self.total_weight.value();
        let judged = samples.into_par_iter().map(|i| {
            let row = Row::new(self.inputs, i, &self.raw_scores(i), self.total_weight);
            let bounds = RowBounds::new(self.inputs, i, &row, &self.magnitudes(i), omega, self.dtype);
            (row, bounds)
        });
        judged.collect()
    }

    /// X_i·W + b.
    fn raw_scores(&self, i: usize) -> Vec<R> {
        let mut scores: Vec<R> = self.inputs.bias.iter().map(|&b| R::from(b)).collect();
        let features = self.inputs.features.row(i);
        for (&x, w) in features.iter().zip(self.inputs.weights.rows()) {
            R::add_scaled(&mut scores, x, w.as_slice().expect("rows are contiguous"));
        }
        for (c, score) in scores.iter_mut().enumerate().filter(|(_, s)| !s.value().is_finite()) {
            let products = features.iter().zip(self.inputs.weights.column(c)).map(|(x, w)| x * w);
            *score = R::from(products.sum::<f64>() + self.inputs.bias[c]);
        }
        scores
    }

    /// Σ_d |x_id·w_dc| + |b_c|, or for large problems ‖x_i‖·‖w_c‖ + |b_c|, which is no less. A masked class
    /// has no rounding error, so none of its own.
    fn magnitudes(&self, i: usize) -> Vec<f64> {
        let finite = |b: f64| if b == f64::NEG_INFINITY { 0.0 } else { b.abs() };
        let mut sums: Vec<f64> = self.inputs.bias.iter().map(|&b| finite(b)).collect();
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
        let lambda = self.inputs.objective.l2;
        if lambda == 0.0 {
            return R::zero();
        }
        let squares = self.inputs.weights.iter().fold(R::zero(), |sum, &w| sum + R::from(w) * R::from(w));
        R::from(lambda) * squares / R::from(2.0)
    }

    fn weights_gradient(&self, dw: Products<R>, classes: &[usize], u: f64) -> Expected {
        let (n, d, _) = self.inputs.dim();
        let lambda = self.inputs.objective.l2;
        let entries = (0..d).flat_map(|k| (0..classes.len()).map(move |c| (k, c))).map(|(k, c)| {
            let penalty = R::from(lambda) * R::from(self.inputs.weights[[k, classes[c]]]);
            let data = dw.values[k * classes.len() + c];
            let value = if lambda == 0.0 { data } else { data + penalty };
            let rounding = FEW_SUMS * u * penalty.value().abs() + n as f64 * self.dtype.min_positive();
            (value.value(), dw.bounds[[k, c]] + rounding)
        });
        let matrix = matrix(entries.collect(), d, classes.len());
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

/// Roundings beyond those of a sum's terms.
const FEW_SUMS: f64 = 8.0;

/// A sum and the sum of its terms' bounds.
#[derive(Clone, Copy)]
struct Sum<R> {
    value: R,
    bound: f64,
}

impl<R: Real> Default for Sum<R> {
    fn default() -> Self {
        Sum { value: R::zero(), bound: 0.0 }
    }
}

impl<R: Real> Sum<R> {
    fn add(&mut self, value: R, bound: f64) {
        self.value = self.value + value;
        self.bound += bound;
    }
}

/// Xᵀ·G for chosen classes, with bounds.
struct Products<R> {
    /// D × the number of classes, by rows.
    values: Vec<R>,
    bounds: Array2<f64>,
}

impl<R: Real> Products<R> {
    fn new(features: usize, classes: usize) -> Self {
        Products { values: vec![R::zero(); features * classes], bounds: Array2::zeros((features, classes)) }
    }

    fn accumulate(&mut self, inputs: &Inputs, start: usize, block: &[Judged<R>], classes: &[usize], u: f64) {
        let (n, _, _) = inputs.dim();
        let chosen: Vec<(usize, Vec<R>, Vec<f64>)> = block
            .iter()
            .enumerate()
            .filter(|(_, (row, _))| !row.gradient.is_empty())
            .map(|(k, (row, bounds))| {
                let gradient: Vec<R> = classes.iter().map(|&c| row.gradient[c]).collect();
                let rounding = |g: &R| (n as f64 + FEW_SUMS) * u * g.value().abs();
                let bounds = classes.iter().zip(&gradient).map(|(&c, g)| bounds.gradient[c] + rounding(g));
                let bounds = bounds.collect();
                (start + k, gradient, bounds)
            })
            .collect();
        let features = self.values.par_chunks_mut(classes.len().max(1));
        let bounds =
            self.bounds.as_slice_mut().expect("made contiguous").par_chunks_mut(classes.len().max(1));
        features.zip(bounds).enumerate().for_each(|(d, (sums, sum_bounds))| {
            for (i, gradient, bounds) in &chosen {
                let x = inputs.features[[*i, d]];
                R::add_scaled_reals(sums, x, gradient);
                f64::add_scaled(sum_bounds, x.abs(), bounds);
            }
        });
    }
}

fn matrix(entries: Vec<(f64, f64)>, rows: usize, columns: usize) -> Expected {
    let (values, bounds): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let shaped =
        |flat| Array2::from_shape_vec((rows, columns), flat).expect("one entry per place").into_dyn();
    Expected { values: shaped(values), bounds: shaped(bounds), sample: None }
}

/// The classes whose scores may be the largest, given their errors. None if there is a NaN.
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

/// Not by `dot`, which is BLAS's in a build that has one, and then needs one to link with.
fn norm(vector: ArrayView1<'_, f64>) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::golden_problems;

    /// |value − golden| over |golden|, where the golden value is a sum of two f64.
    fn relative(value: DoubleDouble, (high, low): (f64, f64)) -> f64 {
        let difference = value - DoubleDouble::from(high) - DoubleDouble::from(low);
        if high == 0.0 { difference.value().abs() } else { (difference.value() / high).abs() }
    }

    #[test]
    fn the_loss_has_thirty_digits() {
        let mut problems = 0;
        for golden in golden_problems() {
            let owned = golden.problem();
            let problem = owned.problem().unwrap();
            let inputs = Inputs::new(&problem);
            let loss = Oracle::<DoubleDouble>::new(&inputs, Dtype::F64, false).loss();
            let error = relative(loss, golden.expected.loss);
            assert!(error < 1e-29, "off by {error:e} of the loss of {owned:?}");
            problems += 1;
        }
        assert!(problems > 40);
    }

    #[test]
    fn every_output_is_the_nearest_double_or_its_neighbour() {
        for golden in golden_problems() {
            let owned = golden.problem();
            let reference = reference(&owned.problem().unwrap(), OutputSet::ALL);
            let answers = &golden.expected;
            for (kind, expected) in &reference.outputs {
                let exact = match kind {
                    OutputKind::WeightsGradient => &answers.weights_gradient,
                    OutputKind::FeaturesGradient => &answers.features_gradient,
                    OutputKind::BiasGradient => &answers.bias_gradient,
                    OutputKind::SampleLosses => &answers.sample_losses,
                    OutputKind::LogSumExp => &answers.log_sum_exp,
                    OutputKind::Predicted => continue,
                };
                assert_eq!(exact.len(), expected.values.len());
                let largest = exact.iter().map(|(high, _)| high.abs()).fold(0.0, f64::max);
                for (&(exact, _), &value) in exact.iter().zip(&expected.values) {
                    // A sum of terms that cancel has 31 digits of its terms.
                    let admissible = 2.3e-16 * exact.abs() + 1e-28 * largest;
                    assert!((value - exact).abs() <= admissible, "{kind}: {value:e} for {exact:e}");
                }
            }
        }
    }

    /// Of two classes both gradients are as uncertain as each other, however small they are.
    #[test]
    fn a_confident_label_has_the_bound_of_the_other_class() {
        let features = ndarray::array![[1.0, 1.0]];
        let weights = ndarray::array![[100.0, 60.0], [-50.0, -60.0]];
        let (labels, bias) = (ndarray::array![0], ndarray::array![0.0, 0.0]);
        let problem = Problem::builder(features.view(), weights.view(), labels.view()).bias(bias.view());
        let reference = reference(&problem.build().unwrap(), OutputSet::ALL);
        let (_, db) = reference.outputs.iter().find(|(kind, _)| *kind == OutputKind::BiasGradient).unwrap();
        assert!(db.values[0] < 0.0 && db.values[0] == -db.values[1]);
        assert!(db.bounds[0] >= db.bounds[1], "{:e} and {:e}", db.bounds[0], db.bounds[1]);
    }

    /// Features and weights that no one has scaled.
    #[test]
    fn differences_are_as_good_where_numbers_are_large() {
        let features = ndarray::array![[1e5, -3e4], [2e5, 1.5e5]];
        let weights = ndarray::array![[1e-6, -2e-6, 0.0], [3e-6, 0.0, 1e-6]];
        let labels = ndarray::array![0, 2];
        let turned = Problem::builder(features.t(), weights.view(), labels.view()).build().unwrap();
        for (k, c) in [(0, 0), (1, 2)] {
            let reference = reference(&turned, OutputSet::NONE.with(OutputKind::WeightsGradient));
            let value = reference.outputs[0].1.values[[k, c]];
            let difference = central_difference(&turned, OutputKind::WeightsGradient, &[k, c]).unwrap();
            assert!((difference - value).abs() < 1e-11 * value.abs(), "{difference:e} and {value:e}");
        }
    }

    #[test]
    fn its_gradients_are_its_differences() {
        let mut entries = 0;
        for golden in golden_problems() {
            let owned = golden.problem();
            let problem = owned.problem().unwrap();
            for (kind, expected) in reference(&problem, OutputSet::ALL).outputs {
                let largest = expected.values.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
                for (index, &value) in expected.values.indexed_iter() {
                    let index = ndarray::Dimension::slice(&index).to_vec();
                    let Some(difference) = central_difference(&problem, kind, &index) else { break };
                    let error = (difference - value).abs() / largest;
                    assert!(error < 1e-12, "{kind} at {index:?}: {difference:e} and {value:e}");
                    entries += 1;
                }
            }
        }
        assert!(entries > 1000, "{entries}");
    }
}
