//! Row facts about single classes in two passes: the label's rank, and the best classes.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::outputs::Outputs;
use crate::parts::{ArrayName, AxisName, OutputKind};
use crate::problem::{Problem, check_samples};
use ndarray::{Array1, Array2};

/// Facts of each sample over a range of classes, from [`TwoPass::class_facts`](crate::TwoPass::class_facts): the number
/// of classes with a score above the label's, and the best classes.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassFacts<T> {
    /// The score of the label (N), which may be in another shard; NaN if there is no label or it is not a class.
    pub label_scores: Array1<T>,
    /// The number of these classes with a score above the label's (N); 0 if the label's score is NaN.
    pub above: Array1<usize>,
    /// The best of these classes (N×K), as indices among all classes, highest score first; the lower class first on
    /// ties.
    pub top_classes: Array2<usize>,
    /// The scores of `top_classes` (N×K).
    pub top_scores: Array2<T>,
}

impl<T: Element> ClassFacts<T> {
    /// Checks that the facts have the problem's number of samples and the outputs' number of best classes.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(&self, problem: &Problem<'_, T>, outputs: &Outputs<'_, T>) -> Result<()> {
        let ClassFacts { label_scores, above, top_classes, top_scores } = self;
        for found in [label_scores.len(), above.len(), top_classes.nrows(), top_scores.nrows()] {
            check_samples(ArrayName::RowStatistics, problem.n_samples(), found)?;
        }
        let expected = outputs.top().unwrap_or(top_classes.ncols());
        for found in [top_classes.ncols(), top_scores.ncols()] {
            if found != expected {
                let array = ArrayName::Output(OutputKind::TopClasses);
                return Err(Error::Shape { array, axis: AxisName::Classes, expected, found });
            }
        }
        Ok(())
    }

    /// Merges the facts of these classes with those of the `next`. Keeps the best `top` classes of both, or all if
    /// there are fewer.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of samples differ.
    pub fn merge(mut self, next: &Self, top: usize) -> Result<Self> {
        let n = self.above.len();
        check_samples(ArrayName::RowStatistics, n, next.above.len())?;
        self.above += &next.above;
        let (ours, theirs) = (self.top_classes.ncols(), next.top_classes.ncols());
        let shape = (n, top.min(ours + theirs));
        let (mut classes, mut scores) = (Array2::zeros(shape), Array2::zeros(shape));
        for i in 0..n {
            let (mut left, mut right) = (0, 0);
            for place in 0..shape.1 {
                // On ties ours come first, because our classes are lower. NaN comes last.
                let is_ours = left < ours
                    && (right == theirs
                        || next.top_scores[[i, right]].is_nan()
                        || self.top_scores[[i, left]] >= next.top_scores[[i, right]]);
                let (facts, from) = if is_ours { (&self, &mut left) } else { (next, &mut right) };
                classes[[i, place]] = facts.top_classes[[i, *from]];
                scores[[i, place]] = facts.top_scores[[i, *from]];
                *from += 1;
            }
        }
        (self.top_classes, self.top_scores) = (classes, scores);
        Ok(self)
    }
}
