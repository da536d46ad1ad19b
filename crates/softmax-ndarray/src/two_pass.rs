//! Two passes: statistics of each row, which merge over shards of the classes, and gradients by formula (11).

use crate::backend::{NdArray, write_gradients};
use crate::facts::{largest, spread};
use crate::forward::{Scores, Softmax};
use crate::rows::{column, put_along_rows, take_along_rows};
use crate::weights::{SampleWeights, TargetMass};
use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};
use softmax_core::{
    ArrayName, ClassFacts, Element, Evaluation, GroupStatistics, Outputs, Problem, Result, RowStatistics,
    TwoPass, Upstream,
};

impl<T: Element> TwoPass<T> for NdArray {
    fn forward(&mut self, problem: &Problem<'_, T>) -> Result<RowStatistics<T>> {
        let weights = problem.weights().to_dense();
        let unit = problem.mass_unit();
        let mass = TargetMass::new(problem, unit);
        let Scores { scores, .. } = Scores::new(problem, weights.view());
        let (softmax, cross) = Softmax::new(scores.clone(), |shifted| mass.row_products(shifted));
        let max = take_along_rows(scores.view(), &softmax.best);
        let spread = spread(&scores, &max, &softmax.exps);

        let counted = |i: usize, x: T| if problem.counts(i) { x.widen() * unit } else { 0.0 };
        // If all scores of a row are −∞, the differences s − m are NaN, and the statistics are 0 instead. A row with a
        // NaN score is not masked.
        let is_masked = scores.map_axis(Axis(1), |row| row.iter().all(|&s| s == T::neg_infinity()));
        let unmasked = |i: usize, x: T| if is_masked[i] { T::zero() } else { x };
        let first = problem.class_range().start;
        let total_mass = mass.total();
        let group = GroupStatistics {
            class_weight: problem
                .class_weights()
                .map_or(problem.n_classes() as f64, |weights| weights.mapv(T::widen).sum()),
            squared_norm: weights.iter().map(|w| w.widen() * w.widen()).sum(),
            best: softmax.best.mapv(|best| first + best),
            rest: indexed(&softmax.rest, unmasked),
            mass: indexed(&total_mass, counted),
            cross: indexed(&cross, |i, x| -counted(i, unmasked(i, x))),
            spread: indexed(&spread, unmasked),
            max,
        };
        Ok(RowStatistics::new(problem, vec![group]))
    }

    fn summarize(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation> {
        statistics.check(problem)?;
        outputs.check(problem)?;
        let unit = statistics.mass_unit(problem);
        let total_weight = statistics.total_weight(problem);
        let rows = Merged::new(statistics, unit);
        let objective = problem.objective();

        // (6) and (7)
        let mut losses = &rows.mass * &rows.log_rest + &rows.cross;
        if objective.z_loss != 0.0 {
            losses += &(&rows.lse * &rows.lse * T::narrow(objective.z_loss / unit));
        }
        SampleWeights::new(problem, unit).apply(&mut losses);
        let mut loss = 0.0;
        if problem.has_targets() {
            let squared_norm: f64 = statistics.groups().iter().map(|group| group.squared_norm).sum();
            loss = losses.iter().map(|l| l.widen()).sum::<f64>() / total_weight;
            if objective.l2 != 0.0 {
                loss += objective.l2 / 2.0 * squared_norm;
            }
        }
        let is_correct = |(i, &best): (usize, &usize)| problem.label_of_all(i) == Some(best);
        let correct = rows.best.iter().enumerate().filter(|&best| is_correct(best)).count();

        if let Some(out) = &mut outputs.sample_losses {
            out.assign(&losses);
        }
        if let Some(out) = &mut outputs.log_sum_exp {
            out.assign(&rows.lse);
        }
        if let Some(out) = &mut outputs.predicted {
            out.assign(&rows.best);
        }
        if let Some(out) = &mut outputs.entropy {
            out.assign(&(&rows.mean_distance + &rows.log_rest));
        }
        Ok(Evaluation { loss, total_weight, correct: problem.has_labels().then_some(correct) })
    }

    fn label_scores(&mut self, problem: &Problem<'_, T>) -> Result<Array1<T>> {
        let Scores { scores, .. } = Scores::new(problem, problem.weights().to_dense().view());
        let of_label = |i: usize| problem.labelled_class(i).map_or(T::nan(), |label| scores[[i, label]]);
        Ok(Array1::from_shape_fn(problem.n_samples(), of_label))
    }

    fn class_facts(
        &mut self,
        problem: &Problem<'_, T>,
        label_scores: ArrayView1<'_, T>,
        top: usize,
    ) -> Result<ClassFacts<T>> {
        problem.check_samples(ArrayName::RowStatistics, label_scores.len())?;
        let Scores { scores, .. } = Scores::new(problem, problem.weights().to_dense().view());
        let top = top.min(scores.ncols());
        let best: Array2<usize> = {
            let rows = scores.rows().into_iter().flat_map(|row| largest(row, top)).collect();
            Array2::from_shape_vec((scores.nrows(), top), rows).expect("as many of each row")
        };
        let above = |(i, &least): (usize, &T)| scores.row(i).iter().filter(|&&score| score > least).count();
        Ok(ClassFacts {
            above: label_scores.iter().enumerate().map(above).collect(),
            label_scores: label_scores.to_owned(),
            top_scores: Array2::from_shape_fn(best.dim(), |(i, place)| scores[[i, best[[i, place]]]]),
            top_classes: best + problem.class_range().start,
        })
    }

    fn summarize_classes(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        facts: &ClassFacts<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()> {
        statistics.check(problem)?;
        facts.check(problem, outputs)?;
        let rows = Merged::new(statistics, statistics.mass_unit(problem));
        if let Some(out) = &mut outputs.label_log_prob {
            out.assign(&-(&rows.max - &facts.label_scores + &rows.log_rest));
        }
        if let Some(out) = &mut outputs.label_rank {
            let classes = problem.total_classes();
            let rank = |i: usize| if facts.label_scores[i].is_nan() { classes } else { facts.above[i] };
            out.assign(&Array1::from_shape_fn(facts.above.len(), rank));
        }
        if let Some(out) = &mut outputs.top_classes {
            out.assign(&facts.top_classes);
        }
        if let Some(out) = &mut outputs.top_log_prob {
            out.assign(&-(&column(&rows.max) - &facts.top_scores + column(&rows.log_rest)));
        }
        Ok(())
    }

    fn backward(
        &mut self,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        upstream: &Upstream<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()> {
        self.check_backward(problem, statistics, upstream, outputs)?;
        let unit = statistics.mass_unit(problem);
        let rows = Merged::new(statistics, unit);
        let weights = problem.weights().to_dense();
        let Scores { scores, slopes } = Scores::new(problem, weights.view());
        let distances = &column(&rows.max) - &scores;
        let mut p = distances.mapv(|distance| (-distance).exp());
        p /= &column(&(&rows.rest + T::one()));

        let temperature = problem.objective().temperature;
        let (scales, total) = match upstream.losses {
            Some(losses) => (SampleWeights::of(problem, unit, losses), 1.0),
            None => (SampleWeights::new(problem, unit), statistics.total_weight(problem)),
        };
        let mut gradient = rows.loss_gradient(problem, unit, &p);
        scales.apply_to_rows(&mut gradient, total * temperature);
        add_entropy_and_lse(&mut gradient, &rows, &p, &distances, upstream, T::narrow(temperature));
        if let Some(slopes) = slopes {
            gradient *= &slopes;
        }
        let counts = Array1::from_shape_fn(problem.n_samples(), |i| upstream.reaches(problem, i));
        Zip::from(gradient.rows_mut()).and(&counts).for_each(|mut row, &counts| {
            if !counts {
                row.fill(T::zero());
            }
        });
        let overwrites = problem.class_range().start == 0;
        write_gradients(problem, &weights, &gradient, &counts, overwrites, outputs);
        Ok(())
    }
}

/// Adds (h·p·((m − s) − Σ p·(m − s)) + k·p) / τ. The first term equals −h·p·(log p + H), in which log(1 + rest)
/// cancels.
fn add_entropy_and_lse<T: Element>(
    gradient: &mut Array2<T>,
    rows: &Merged<T>,
    p: &Array2<T>,
    distances: &Array2<T>,
    upstream: &Upstream<'_, T>,
    temperature: T,
) {
    if let Some(k) = upstream.log_sum_exp {
        *gradient += &(p * &column(&(&k / temperature)));
    }
    if let Some(h) = upstream.entropy {
        let mut of_entropy = distances - &column(&rows.mean_distance);
        of_entropy *= &column(&(&h / temperature));
        Zip::from(gradient).and(p).and(&of_entropy).for_each(|gradient, &p, &of_entropy| {
            // A masked class has p = 0 and distance ∞; 0·∞ would be NaN.
            if p != T::zero() {
                *gradient += p * of_entropy;
            }
        });
    }
}

/// Statistics of each row (N) over all classes.
struct Merged<T> {
    max: Array1<T>,
    best: Array1<usize>,
    rest: Array1<T>,
    log_rest: Array1<T>,
    lse: Array1<T>,
    /// Σ p·(m − s).
    mean_distance: Array1<T>,
    /// A, in mass units.
    mass: Array1<T>,
    /// Σ a·(m − s), in mass units.
    cross: Array1<T>,
}

impl<T: Element> Merged<T> {
    fn new(statistics: &RowStatistics<T>, unit: f64) -> Self {
        let (n, groups) = (statistics.n_samples(), statistics.groups());
        let mut of_best = Array1::<usize>::zeros(n);
        for (k, group) in groups.iter().enumerate() {
            Zip::indexed(&mut of_best).and(&group.max).for_each(|i, of_best, &max| {
                if max > groups[*of_best].max[i] {
                    *of_best = k;
                }
            });
        }
        let max = Array1::from_shape_fn(n, |i| groups[of_best[i]].max[i]);
        let best = Array1::from_shape_fn(n, |i| groups[of_best[i]].best[i]);
        // If the largest score is not finite, the row's results are NaN.
        let mut rest = max.mapv(|max| if max.is_finite() { T::zero() } else { T::nan() });
        let mut spread = Array1::<T>::zeros(n);
        let (mut mass, mut cross) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
        for (k, group) in groups.iter().enumerate() {
            let distance = &max - &group.max;
            let shares = distance.mapv(|distance| (-distance).exp());
            let sums = (&group.rest + T::one()) * &shares;
            Zip::indexed(&mut rest).and(&sums).for_each(|i, rest, &sum| {
                *rest += if of_best[i] == k { group.rest[i] } else { sum };
            });
            // A fully masked group has share 0 and distance ∞; 0·∞ would be NaN.
            let spreads = &shares * &group.spread + &sums * &distance;
            Zip::from(&mut spread).and(&shares).and(&spreads).for_each(|spread, &share, &of_group| {
                *spread += if share == T::zero() { share } else { of_group };
            });
            mass += &group.mass;
            cross += &group.cross;
            Zip::from(&mut cross).and(&group.mass).and(&distance).for_each(|cross, &mass, distance| {
                *cross += if mass == 0.0 { mass } else { mass * distance.widen() };
            });
        }
        let log_rest = rest.mapv(T::ln_1p);
        Merged {
            lse: &max + &log_rest,
            mean_distance: spread / (&rest + T::one()),
            mass: mass.mapv(|mass| T::narrow(mass / unit)),
            cross: cross.mapv(|cross| T::narrow(cross / unit)),
            max,
            best,
            rest,
            log_rest,
        }
    }

    /// (A + 2ζ·lse)·p − a, in mass units.
    fn loss_gradient(&self, problem: &Problem<'_, T>, unit: f64, p: &Array2<T>) -> Array2<T> {
        let mass = TargetMass::new(problem, unit);
        let z_slopes = &self.lse * T::narrow(2.0 * problem.objective().z_loss / unit);
        let mut gradient = p * &column(&(&self.mass + &z_slopes));
        mass.subtract_from(&mut gradient);

        // Where p is nearly 1, A·p − a loses its digits. Σ a − A·Σ p over the other classes is equal and keeps them.
        let classes = problem.class_range();
        let is_here = |i: usize| classes.contains(&self.best[i]) && self.rest[i] < T::one();
        let here =
            Array1::from_shape_fn(p.nrows(), |i| if is_here(i) { self.best[i] - classes.start } else { 0 });
        let others = self.rest.mapv(|rest| rest / (T::one() + rest));
        let confident = &self.mass - mass.at(&here) - &self.mass * &others
            + &z_slopes * &take_along_rows(p.view(), &here);
        let mut at_best = take_along_rows(gradient.view(), &here);
        Zip::indexed(&mut at_best).and(&confident).for_each(|i, at_best, &confident| {
            if is_here(i) {
                *at_best = confident;
            }
        });
        put_along_rows(&mut gradient, &here, &at_best);
        gradient
    }
}

fn indexed<T: Copy, U>(array: &Array1<T>, f: impl Fn(usize, T) -> U) -> Array1<U> {
    array.iter().enumerate().map(|(i, &x)| f(i, x)).collect()
}
