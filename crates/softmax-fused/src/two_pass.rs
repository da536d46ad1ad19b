//! The two passes of [`Fused`]. Both use the wide kernel.

use crate::backend::{Fused, Scratch};
use crate::kernel::level::FusedElement;
use crate::orders::group_classes;
use crate::stored::Stored;
use crate::terms::{Terms, clear_ignored, group_weights};
use crate::wide;
use softmax_core::ndarray::{Array1, ArrayView1};
use softmax_core::{
    ArrayName, ClassFacts, Evaluation, GroupStatistics, Outputs, Problem, Result, RowStatistics,
    SoftmaxBackend, TwoPass, Upstream,
};

impl Fused {
    fn forward_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
    ) -> Result<RowStatistics<T>> {
        let pool = self.pool()?;
        let means = self.means(problem, pool.as_deref());
        let stored = Stored::new(problem);
        let terms = Terms::new(problem, &stored);
        let groups = wide::forward(&mut scratch(self).wide, &terms, &stored, means);
        let weights = group_weights(problem).into_iter();
        let sums = weights.zip(stored.weights.sums_of_squares(group_classes::<T>(), means.crew));
        let with_sums =
            |(group, (class_weight, squared_norm))| GroupStatistics { class_weight, squared_norm, ..group };
        Ok(RowStatistics::new(problem, groups.into_iter().zip(sums).map(with_sums).collect()))
    }

    fn summarize_with<T: FusedElement>(
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation> {
        statistics.check(problem)?;
        outputs.check(problem)?;
        let terms = Terms::of_statistics(problem, &Stored::new(problem), statistics, &Upstream::default());
        let (loss_sum, correct) = wide::summarize(&terms, statistics, outputs);
        let squared_norm = || statistics.groups().iter().map(|group| group.squared_norm).sum();
        Ok(Evaluation {
            loss: terms.loss(loss_sum, squared_norm),
            total_weight: terms.total_weight,
            correct: problem.has_labels().then_some(correct),
        })
    }

    fn label_scores_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
    ) -> Result<Array1<T>> {
        let pool = self.pool()?;
        let means = self.means(problem, pool.as_deref());
        let stored = Stored::new(problem);
        let terms = Terms::new(problem, &stored);
        Ok(wide::label_scores(&mut scratch(self).wide, &terms, &stored, means))
    }

    fn class_facts_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
        label_scores: ArrayView1<'_, T>,
        top: usize,
    ) -> Result<ClassFacts<T>> {
        problem.check_samples(ArrayName::RowStatistics, label_scores.len())?;
        let pool = self.pool()?;
        let means = self.means(problem, pool.as_deref());
        let stored = Stored::new(problem);
        let terms = Terms::new(problem, &stored);
        let top = top.min(problem.n_classes());
        Ok(wide::class_facts(&mut scratch(self).wide, &terms, &stored, label_scores, top, means))
    }

    fn summarize_classes_with<T: FusedElement>(
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        facts: &ClassFacts<T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()> {
        statistics.check(problem)?;
        facts.check(problem, outputs)?;
        let terms = Terms::of_statistics(problem, &Stored::new(problem), statistics, &Upstream::default());
        wide::summarize_classes(&terms, statistics, facts, problem.total_classes(), outputs);
        Ok(())
    }

    fn condense_with<T: FusedElement>(
        problem: &Problem<'_, T>,
        statistics: RowStatistics<T>,
    ) -> Result<RowStatistics<T>> {
        statistics.check(problem)?;
        let terms = Terms::of_statistics(problem, &Stored::new(problem), &statistics, &Upstream::default());
        let group = wide::condense(&terms, &statistics);
        Ok(statistics.with_group(group))
    }

    fn backward_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
        statistics: &RowStatistics<T>,
        upstream: &Upstream<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<()> {
        let pool = self.pool()?;
        let means = self.means(problem, pool.as_deref());
        let stored = Stored::new(problem);
        let terms = Terms::of_statistics(problem, &stored, statistics, upstream);
        wide::backward(&mut scratch(self).wide, &terms, &stored, statistics, outputs, means);
        clear_ignored(&terms, problem.n_samples(), outputs);
        Ok(())
    }
}

macro_rules! impl_two_pass {
    ($($T:ty: $scratch:ident),*) => {$(
        impl TwoPass<$T> for Fused {
            fn forward(&mut self, problem: &Problem<'_, $T>) -> Result<RowStatistics<$T>> {
                SoftmaxBackend::<$T>::check_support(self, problem.needs())?;
                self.forward_with(|fused| &mut fused.$scratch, problem)
            }

            fn summarize(
                &mut self,
                problem: &Problem<'_, $T>,
                statistics: &RowStatistics<$T>,
                outputs: &mut Outputs<'_, $T>,
            ) -> Result<Evaluation> {
                Self::summarize_with(problem, statistics, outputs)
            }

            fn label_scores(&mut self, problem: &Problem<'_, $T>) -> Result<Array1<$T>> {
                SoftmaxBackend::<$T>::check_support(self, problem.needs())?;
                self.label_scores_with(|fused| &mut fused.$scratch, problem)
            }

            fn class_facts(
                &mut self,
                problem: &Problem<'_, $T>,
                label_scores: ArrayView1<'_, $T>,
                top: usize,
            ) -> Result<ClassFacts<$T>> {
                SoftmaxBackend::<$T>::check_support(self, problem.needs())?;
                self.class_facts_with(|fused| &mut fused.$scratch, problem, label_scores, top)
            }

            fn summarize_classes(
                &mut self,
                problem: &Problem<'_, $T>,
                statistics: &RowStatistics<$T>,
                facts: &ClassFacts<$T>,
                outputs: &mut Outputs<'_, $T>,
            ) -> Result<()> {
                Self::summarize_classes_with(problem, statistics, facts, outputs)
            }

            fn condense(
                &mut self,
                problem: &Problem<'_, $T>,
                statistics: RowStatistics<$T>,
            ) -> Result<RowStatistics<$T>> {
                Self::condense_with(problem, statistics)
            }

            fn backward(
                &mut self,
                problem: &Problem<'_, $T>,
                statistics: &RowStatistics<$T>,
                upstream: &Upstream<'_, $T>,
                outputs: &mut Outputs<'_, $T>,
            ) -> Result<()> {
                self.check_backward(problem, statistics, upstream, outputs)?;
                self.backward_with(|fused| &mut fused.$scratch, problem, statistics, upstream, outputs)
            }

            /// The number of classes in a group: 256 in f32, 128 in f64. With few classes (64, or the value of
            /// [`narrow_up_to`](Fused::narrow_up_to)) one pass uses the narrow kernel, which gives other bits.
            fn shard_multiple(&self) -> Option<usize> {
                Some(group_classes::<$T>())
            }
        }
    )*};
}

impl_two_pass!(f32: single, f64: double);
