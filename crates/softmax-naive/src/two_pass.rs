//! Two passes: statistics of each row, which merge over shards of the classes, and gradients by formula (11).

use crate::gradients::{ParameterGradients, features_gradient, squared_norm};
use crate::sample::{Sample, sample_weight};
use crate::{Naive, total_weight};
use softmax_core::ndarray::{Array1, Array2, ArrayView1};
use softmax_core::{
    ArrayName, ClassFacts, Element, Evaluation, GroupStatistics, Outputs, Problem, Result, RowStatistics,
    TwoPass, Upstream,
};

impl<T: Element> TwoPass<T> for Naive {
    fn forward(&mut self, problem: &Problem<'_, T>) -> Result<RowStatistics<T>> {
        let n = problem.n_samples();
        let mut group = GroupStatistics {
            class_weight: problem
                .class_weights()
                .map_or(problem.n_classes() as f64, |weights| weights.iter().map(|w| w.widen()).sum()),
            squared_norm: squared_norm(problem),
            max: Array1::zeros(n),
            best: Array1::zeros(n),
            rest: Array1::zeros(n),
            mass: Array1::zeros(n),
            cross: Array1::zeros(n),
            spread: Array1::zeros(n),
        };
        let mut sample = Sample::new(problem.n_classes());
        for i in 0..n {
            sample.score(problem, i);
            group.max[i] = sample.max();
            group.best[i] = problem.class_range().start + sample.best;
            let is_masked = sample.is_masked();
            if !is_masked {
                (group.rest[i], group.spread[i]) = (sample.rest, sample.spread());
            }
            if problem.counts(i) {
                sample.set_target_mass(problem, i);
                group.mass[i] = sample.total_mass;
                group.cross[i] = if is_masked { 0.0 } else { sample.cross() };
            }
        }
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
        let total_weight = shards_total_weight(problem, statistics);
        let (mut loss_sum, mut correct) = (0.0, 0);
        for i in 0..problem.n_samples() {
            let row = Merged::new(statistics, i);
            let loss = if problem.counts(i) { row.loss(problem, i) } else { 0.0 };
            loss_sum += loss;
            correct += usize::from(problem.label_of_all(i) == Some(row.best));
            if let Some(losses) = &mut outputs.sample_losses {
                losses[i] = T::narrow(loss);
            }
            if let Some(lse) = &mut outputs.log_sum_exp {
                lse[i] = row.max + row.rest.ln_1p();
            }
            if let Some(predicted) = &mut outputs.predicted {
                predicted[i] = row.best;
            }
            if let Some(entropy) = &mut outputs.entropy {
                entropy[i] = row.rest.ln_1p() + row.mean_distance();
            }
        }
        // (7)
        let l2 = problem.objective().l2;
        let mut loss = 0.0;
        if problem.has_targets() {
            loss = loss_sum / total_weight;
            if l2 != 0.0 {
                loss += l2 / 2.0 * statistics.groups().iter().map(|group| group.squared_norm).sum::<f64>();
            }
        }
        Ok(Evaluation { loss, total_weight, correct: problem.has_labels().then_some(correct) })
    }

    fn label_scores(&mut self, problem: &Problem<'_, T>) -> Result<Array1<T>> {
        let mut sample = Sample::new(problem.n_classes());
        let of_label = |i: usize| match problem.labelled_class(i) {
            None => T::nan(),
            Some(label) => {
                sample.score(problem, i);
                sample.score_and_slope(label).0
            }
        };
        Ok((0..problem.n_samples()).map(of_label).collect())
    }

    fn class_facts(
        &mut self,
        problem: &Problem<'_, T>,
        label_scores: ArrayView1<'_, T>,
        top: usize,
    ) -> Result<ClassFacts<T>> {
        let (n, classes) = (problem.n_samples(), problem.class_range());
        problem.check_samples(ArrayName::RowStatistics, label_scores.len())?;
        let shape = (n, top.min(classes.len()));
        let mut facts = ClassFacts {
            label_scores: label_scores.to_owned(),
            above: Array1::zeros(n),
            top_classes: Array2::zeros(shape),
            top_scores: Array2::zeros(shape),
        };
        let mut sample = Sample::new(classes.len());
        for i in 0..n {
            sample.score(problem, i);
            facts.above[i] = sample.count_above(label_scores[i]);
            for (place, class) in sample.best_classes(shape.1).into_iter().enumerate() {
                facts.top_classes[[i, place]] = classes.start + class;
                facts.top_scores[[i, place]] = sample.score_and_slope(class).0;
            }
        }
        Ok(facts)
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
        for i in 0..problem.n_samples() {
            let row = Merged::new(statistics, i);
            let log_probability = |score: T| -((row.max - score) + row.rest.ln_1p());
            let label_score = facts.label_scores[i];
            if let Some(log_prob) = &mut outputs.label_log_prob {
                log_prob[i] = log_probability(label_score);
            }
            if let Some(rank) = &mut outputs.label_rank {
                rank[i] = if label_score.is_nan() { problem.total_classes() } else { facts.above[i] };
            }
            if let Some(classes) = &mut outputs.top_classes {
                classes.row_mut(i).assign(&facts.top_classes.row(i));
            }
            if let Some(log_prob) = &mut outputs.top_log_prob {
                log_prob.row_mut(i).assign(&facts.top_scores.row(i).mapv(log_probability));
            }
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
        let (first, c) = (problem.class_range().start, problem.n_classes());
        let total_weight = shards_total_weight(problem, statistics);
        let coefficient =
            |given: Option<ArrayView1<'_, T>>, i: usize| given.map_or(0.0, |given| given[i].widen());
        let mut gradients = ParameterGradients::new(problem, outputs);
        let mut sample = Sample::new(c);
        let mut gradient = vec![T::zero(); c];
        for i in 0..problem.n_samples() {
            gradient.fill(T::zero());
            let has_gradient = upstream.reaches(problem, i);
            if has_gradient {
                let row = Merged::new(statistics, i);
                let of_loss = match upstream.losses {
                    Some(given) => given[i].widen(),
                    None => sample_weight(problem, i) / total_weight,
                };
                let of_entropy = coefficient(upstream.entropy, i);
                let of_lse = coefficient(upstream.log_sum_exp, i);
                sample.score(problem, i);
                if problem.has_targets() {
                    sample.set_target_mass(problem, i);
                }
                for (j, gradient) in gradient.iter_mut().enumerate() {
                    let (score, slope) = sample.score_and_slope(j);
                    let exp = (score - row.max).exp();
                    let p = (exp / (T::one() + row.rest)).widen();
                    let mut sum = of_lse * p;
                    if problem.has_targets() {
                        let is_best = row.best == first + j;
                        let mass = sample.mass[j];
                        sum += of_loss * (row.difference(is_best, p, mass) + row.z_slope(problem) * p);
                    }
                    // −p·(log p + H) = p·((m − s) − Σ p·(m − s)), because log(1 + rest) cancels.
                    // A masked class has exp = 0 and distance m − s = ∞; 0·∞ would be NaN.
                    if of_entropy != 0.0 && exp != T::zero() {
                        let distance = row.max - score - row.mean_distance();
                        sum += of_entropy * p * distance.widen();
                    }
                    *gradient = T::narrow(sum * slope.widen());
                }
                gradients.add(problem, i, &gradient);
            }
            if let Some(dx) = &mut outputs.features_gradient {
                let mut dx = dx.row_mut(i);
                if first == 0 || !has_gradient {
                    dx.fill(T::zero());
                }
                if has_gradient {
                    dx += &features_gradient(problem, &gradient);
                }
            }
        }
        gradients.write(problem, outputs);
        Ok(())
    }
}

/// Ω, summed here rather than by [`RowStatistics::total_weight`], so that tests compare the two sums.
fn shards_total_weight<T: Element>(problem: &Problem<'_, T>, statistics: &RowStatistics<T>) -> f64 {
    total_weight(problem, |i| statistics.label_weights()[i])
}

/// Statistics of a row over all classes.
struct Merged<T> {
    max: T,
    best: usize,
    rest: T,
    mass: f64,
    cross: f64,
    spread: T,
}

impl<T: Element> Merged<T> {
    fn new(statistics: &RowStatistics<T>, i: usize) -> Self {
        let groups = statistics.groups();
        let mut of_best = 0;
        for (k, group) in groups.iter().enumerate() {
            if group.max[i] > groups[of_best].max[i] {
                of_best = k;
            }
        }
        let (max, best) = (groups[of_best].max[i], groups[of_best].best[i]);
        // If the largest score is not finite, the row's results are NaN.
        let rest = if max.is_finite() { T::zero() } else { T::nan() };
        let mut row = Merged { max, best, rest, mass: 0.0, cross: 0.0, spread: T::zero() };
        for (k, group) in groups.iter().enumerate() {
            let distance = max - group.max[i];
            // exp(m_group − m) scales the group's sums from its own maximum to the row's.
            let share = (-distance).exp();
            row.rest += if k == of_best { group.rest[i] } else { (T::one() + group.rest[i]) * share };
            // A fully masked group has share = 0 and distance = ∞; 0·∞ would be NaN.
            if share != T::zero() {
                row.spread += share * (group.spread[i] + (T::one() + group.rest[i]) * distance);
            }
            row.mass += group.mass[i];
            row.cross += group.cross[i];
            if group.mass[i] != 0.0 {
                row.cross += group.mass[i] * distance.widen();
            }
        }
        row
    }

    /// Σ p·(m − s).
    fn mean_distance(&self) -> T {
        self.spread / (T::one() + self.rest)
    }

    fn z_slope(&self, problem: &Problem<'_, T>) -> f64 {
        match problem.objective().z_loss {
            0.0 => 0.0,
            z_loss => 2.0 * z_loss * (self.max + self.rest.ln_1p()).widen(),
        }
    }

    /// A·p − a of a class. Where p is above one half, computed as Σ a − A·Σ p over the other classes.
    fn difference(&self, is_best: bool, p: f64, mass: f64) -> f64 {
        if is_best && self.rest < T::one() {
            let others = self.rest / (T::one() + self.rest);
            (self.mass - mass) - self.mass * others.widen()
        } else {
            self.mass * p - mass
        }
    }

    /// ℓ of (6).
    fn loss(&self, problem: &Problem<'_, T>, i: usize) -> f64 {
        let mut loss = self.mass * self.rest.ln_1p().widen() + self.cross;
        let z_loss = problem.objective().z_loss;
        if z_loss != 0.0 {
            let lse = (self.max + self.rest.ln_1p()).widen();
            loss += z_loss * lse * lse;
        }
        loss * sample_weight(problem, i)
    }
}
