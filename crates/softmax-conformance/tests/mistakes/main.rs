//! Mistakes that need two things to come together, such as an option and a size, are caught by the crossed cases.

use softmax_conformance::{Runner, Suite};
use softmax_core::ndarray::ArrayViewMut1;
use softmax_core::{
    Backend, Descriptor, Evaluation, Objective, Outputs, Problem, Result, SoftmaxBackend, Targets,
};
use softmax_naive::Naive;

/// Naive, with one mistake.
struct Wrong {
    inner: Naive,
    mistake: Mistake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    NoSmoothingBeyond64Classes,
    NoSampleWeightsForSoftTargetsBeyond64Rows,
    NoPenaltyWhereFeaturesAreByColumns,
    FeaturesGradientFlippedWhereItIsNotByRows,
    PredictedWithoutItsStride,
    LogSumExpAloneWithManyClasses,
    TailOf128FeaturesDropped,
}

const MISTAKES: [Mistake; 7] = [
    Mistake::NoSmoothingBeyond64Classes,
    Mistake::NoSampleWeightsForSoftTargetsBeyond64Rows,
    Mistake::NoPenaltyWhereFeaturesAreByColumns,
    Mistake::FeaturesGradientFlippedWhereItIsNotByRows,
    Mistake::PredictedWithoutItsStride,
    Mistake::LogSumExpAloneWithManyClasses,
    Mistake::TailOf128FeaturesDropped,
];

impl Backend for Wrong {
    fn descriptor(&self) -> Descriptor {
        self.inner.descriptor()
    }
}

impl SoftmaxBackend<f64> for Wrong {
    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        let evaluation = self.inner.evaluate(&self.mistaken(problem)?, outputs)?;
        let (d, c) = (problem.n_features(), problem.n_classes());
        match self.mistake {
            Mistake::FeaturesGradientFlippedWhereItIsNotByRows => {
                if let Some(dx) = outputs.features_gradient.as_mut().filter(|dx| !dx.is_standard_layout()) {
                    dx.iter_mut().take(1).for_each(|g| *g = -*g);
                }
            }
            Mistake::PredictedWithoutItsStride => {
                let is_strided = |p: &&mut ArrayViewMut1<'_, usize>| p.len() > 1 && p.strides() != [1];
                if let Some(predicted) = outputs.predicted.as_mut().filter(is_strided) {
                    predicted[1] = predicted[0];
                }
            }
            Mistake::LogSumExpAloneWithManyClasses => {
                let is_alone = outputs.predicted.is_none() && !outputs.wants_gradient();
                if let Some(lse) = outputs.log_sum_exp.as_mut().filter(|_| is_alone && c > 64) {
                    lse[0] += 1.0;
                }
            }
            Mistake::TailOf128FeaturesDropped => {
                if let Some(dw) = outputs.weights_gradient.as_mut().filter(|_| d > 128) {
                    let last = d / 128 * 128 - 1;
                    dw.row_mut(last).fill(0.0);
                }
            }
            _ => {}
        }
        Ok(evaluation)
    }
}

impl Wrong {
    /// The problem as the mistake has it.
    fn mistaken<'a>(&self, problem: &Problem<'a, f64>) -> Result<Problem<'a, f64>> {
        let mut objective: Objective = *problem.objective();
        let is_soft = matches!(problem.targets(), Targets::Soft(_));
        let by_columns = problem.features().dense("wrong")?.strides()[0] == 1;
        let mut sample_weights = problem.sample_weights();
        match self.mistake {
            Mistake::NoSmoothingBeyond64Classes if problem.n_classes() > 64 => {
                objective.label_smoothing = 0.0;
            }
            Mistake::NoPenaltyWhereFeaturesAreByColumns if by_columns => objective.l2 = 0.0,
            Mistake::NoSampleWeightsForSoftTargetsBeyond64Rows if is_soft && problem.n_samples() > 64 => {
                sample_weights = None;
            }
            _ => return Ok(problem.clone()),
        }
        Problem::builder(problem.features(), problem.weights(), *problem.targets())
            .objective(objective)
            .bias(problem.bias())
            .class_weights(problem.class_weights())
            .sample_weights(sample_weights)
            .build()
    }
}

#[test]
fn each_is_caught() {
    let suite = Suite::<f64>::full();
    for mistake in MISTAKES {
        let make =
            move || -> Box<dyn SoftmaxBackend<f64>> { Box::new(Wrong { inner: Naive::new(), mistake }) };
        let report = Runner::new().filter("crossed/").run(&suite, make);
        assert!(!report.failures.is_empty(), "{mistake:?}: {report}");
    }
}
