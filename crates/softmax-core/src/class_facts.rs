//! What two passes know of single classes.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::outputs::Outputs;
use crate::parts::{ArrayName, AxisName, OutputKind};
use crate::problem::{Problem, check_samples};
use ndarray::{Array1, Array2};

/// What is known of single classes of each sample, of some neighbouring classes: where the label is among them, and the best of
/// them. From [`TwoPass::class_facts`](crate::TwoPass::class_facts).
#[derive(Clone, Debug, PartialEq)]
pub struct ClassFacts<T> {
    /// s of the label (N), of all classes; NaN where there is none.
    pub label_scores: Array1<T>,
    /// How many of these classes have a larger score (N); 0 where there is no label.
    pub above: Array1<usize>,
    /// The best of these classes (N×K), counted among all, the largest score first, of equals the first class first.
    pub top_classes: Array2<usize>,
    /// Their scores (N×K).
    pub top_scores: Array2<T>,
}

impl<T: Element> ClassFacts<T> {
    /// Checks that these are of the problem's samples, and that they have as many of the best classes as the outputs.
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

    /// Those of these classes and the next, with the `top` best of both, or as many as there are.
    ///
    /// # Errors
    /// [`Error::Shape`] where samples differ in number.
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
                // Of equals ours, which are the first; a NaN is last.
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
