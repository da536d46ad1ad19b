//! The cases that every backend is put to.

mod behaviour;
mod closed_forms;
mod golden;
mod layouts;
mod options;
mod properties;
mod sizes;

use crate::case::Case;
use crate::check::{OutputError, check};
use crate::oracle::reference;
use softmax_core::{Element, Error, Evaluation, OutputSet, OwnedOutputs, Problem, SoftmaxBackend};

#[cfg(test)]
pub(crate) use golden::problems as golden_problems;

/// A list of tests for backends of one element type.
pub struct Suite<T> {
    tests: Vec<Test<T>>,
}

/// A test: a case judged by the oracle, a property, or a way to behave.
pub(crate) struct Test<T> {
    name: String,
    body: Body<T>,
}

type Body<T> = Box<dyn Fn(&Subject<'_, T>) -> Outcome + Send + Sync>;

/// The backend under test.
pub(crate) struct Subject<'a, T> {
    pub(crate) factory: &'a (dyn Fn() -> Box<dyn SoftmaxBackend<T>> + Sync),
    pub(crate) tolerance: f64,
}

/// How a test ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed(Vec<OutputError>),
    Failed(Vec<String>),
    /// The backend says that it does not do this.
    Unsupported(String),
    NotApplicable(String),
}

impl Outcome {
    /// Failed if there is any message.
    pub(crate) fn of(messages: Vec<String>) -> Self {
        if messages.is_empty() { Outcome::Passed(Vec::new()) } else { Outcome::Failed(messages) }
    }
}

/// What is not supported is no failure; any other error is one.
impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported { .. } => Outcome::Unsupported(error.to_string()),
            error => Outcome::Failed(vec![error.to_string()]),
        }
    }
}

impl<T: Element> Suite<T> {
    /// Everything: cases, properties and behaviour.
    pub fn full() -> Self {
        let mut tests: Vec<Test<T>> = cases().into_iter().map(Test::of_case).collect();
        tests.extend(layouts::tests());
        tests.extend(properties::tests());
        tests.extend(behaviour::tests());
        Suite { tests }
    }

    /// Cases of your own, judged by the oracle.
    pub fn of_cases(cases: impl IntoIterator<Item = Case>) -> Self {
        Suite { tests: cases.into_iter().map(Test::of_case).collect() }
    }

    /// The names of the tests.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|test| test.name.as_str())
    }

    /// The number of tests.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    pub(crate) fn tests(&self) -> impl Iterator<Item = &Test<T>> {
        self.tests.iter()
    }

    #[cfg(feature = "libtest")]
    pub(crate) fn into_tests(self) -> Vec<Test<T>> {
        self.tests
    }
}

/// The cases of the suite that are judged by the oracle, as data.
pub fn cases() -> Vec<Case> {
    [closed_forms::cases(), golden::cases(), sizes::cases(), options::cases()].concat()
}

impl<T: Element> Test<T> {
    fn new(
        name: impl Into<String>,
        body: impl Fn(&Subject<'_, T>) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Test { name: name.into(), body: Box::new(body) }
    }

    fn of_case(case: Case) -> Self {
        Test::new(case.name.clone(), move |subject| {
            let owned = case.narrowed::<T>();
            match owned.problem() {
                Ok(problem) => subject.judge(&problem),
                Err(error) => Outcome::from(error),
            }
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn run(&self, subject: &Subject<'_, T>) -> Outcome {
        (self.body)(subject)
    }
}

impl<T: Element> Subject<'_, T> {
    pub(crate) fn make(&self) -> Box<dyn SoftmaxBackend<T>> {
        (self.factory)()
    }

    /// All outputs of a fresh backend, against the oracle.
    pub(crate) fn judge(&self, problem: &Problem<'_, T>) -> Outcome {
        match evaluate(self.make().as_mut(), problem, OutputSet::ALL) {
            Ok((evaluation, outputs)) => self.judge_answer(problem, &evaluation, &outputs),
            Err(error) => error.into(),
        }
    }

    pub(crate) fn judge_answer(
        &self,
        problem: &Problem<'_, T>,
        evaluation: &Evaluation,
        outputs: &OwnedOutputs<T>,
    ) -> Outcome {
        let errors = check(evaluation, outputs, &reference(problem, OutputSet::ALL));
        let wrong =
            errors.iter().filter(|error| error.over_bound.is_nan() || error.over_bound > self.tolerance);
        let messages: Vec<String> = wrong.map(ToString::to_string).collect();
        if messages.is_empty() { Outcome::Passed(errors) } else { Outcome::Failed(messages) }
    }
}

/// The outputs in `set`, which hold NaN before the backend writes them.
pub(crate) fn evaluate<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
    set: OutputSet,
) -> Result<(Evaluation, OwnedOutputs<T>), Error> {
    let mut outputs = OwnedOutputs::zeros(problem, set);
    let nan = T::nan();
    outputs.weights_gradient.iter_mut().for_each(|a| a.fill(nan));
    outputs.features_gradient.iter_mut().for_each(|a| a.fill(nan));
    outputs.bias_gradient.iter_mut().for_each(|a| a.fill(nan));
    outputs.sample_losses.iter_mut().for_each(|a| a.fill(nan));
    outputs.log_sum_exp.iter_mut().for_each(|a| a.fill(nan));
    outputs.predicted.iter_mut().for_each(|a| a.fill(usize::MAX));
    let evaluation = backend.evaluate(problem, &mut outputs.as_outputs())?;
    Ok((evaluation, outputs))
}
