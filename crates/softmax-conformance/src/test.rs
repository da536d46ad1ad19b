//! A test of the suite, and the backend under test.

use crate::case::Case;
use crate::check::{OutputError, check_some};
use crate::fault::Fault;
use crate::oracle::{Reference, reference};
use softmax_core::{
    Element, Error, Evaluation, Feature, Features, OutputKind, OutputSet, OwnedOutputs, Problem,
    SoftmaxBackend,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// A test: a case compared with the oracle, a property, or a check of behaviour.
pub(crate) struct Test<T> {
    name: String,
    body: Body<T>,
}

type Body<T> = Box<dyn Fn(&Subject<'_, T>) -> Outcome + Send + Sync>;

/// The backend under test.
pub(crate) struct Subject<'a, T> {
    pub(crate) factory: &'a (dyn Fn() -> Box<dyn SoftmaxBackend<T>> + Sync),
}

/// How a test ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed(Vec<OutputError>),
    Failed(Vec<Fault>),
    /// The backend does not support this feature.
    Unsupported(Feature),
    NotApplicable(String),
    /// The backend is gone. A new instance would fail too.
    Gone(Error),
}

impl Outcome {
    /// `Failed` if there is any message, else `Passed`.
    pub(crate) fn of(messages: Vec<String>) -> Self {
        let faults: Vec<Fault> = messages.into_iter().map(Fault::from).collect();
        if faults.is_empty() { Outcome::Passed(Vec::new()) } else { Outcome::Failed(faults) }
    }

    pub(crate) fn map_faults(self, change: impl Fn(Fault) -> Fault) -> Self {
        match self {
            Outcome::Failed(faults) => Outcome::Failed(faults.into_iter().map(change).collect()),
            other => other,
        }
    }

    /// The outcome of the messages that `calls` returns, or of its error.
    pub(crate) fn of_calls(calls: impl FnOnce() -> Result<Vec<String>, Error>) -> Self {
        calls().map_or_else(Outcome::from, Outcome::of)
    }
}

/// An unsupported feature is not a failure. [`Error::Gone`] ends the run. Any other error is a failure.
impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported { feature, .. } => Outcome::Unsupported(feature),
            error @ Error::Gone { .. } => Outcome::Gone(error),
            error => Outcome::Failed(vec![Fault::failed(error.to_string())]),
        }
    }
}

impl<T: Element> Test<T> {
    pub(crate) fn new(
        name: impl Into<String>,
        body: impl Fn(&Subject<'_, T>) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Test { name: name.into(), body: Box::new(body) }
    }

    /// Compares all outputs of a case with the oracle's answer. It is computed once and kept in `expected` for every
    /// backend that runs the suite.
    pub(crate) fn of_case(case: Case, expected: Arc<OnceLock<Reference>>) -> Self {
        Test::new(case.name.clone(), move |subject| {
            let stored = case.stored::<T>();
            match stored.problem() {
                Ok(problem) => subject.judge(&problem, &expected),
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

    /// All outputs that the backend supports.
    pub(crate) fn outputs(&self) -> OutputSet {
        given(self.make().as_ref(), OutputSet::ALL)
    }

    /// Compares all supported outputs of a fresh backend with the oracle. For CSR features, dX is left out if the
    /// backend does not support it.
    pub(crate) fn judge(&self, problem: &Problem<'_, T>, expected: &OnceLock<Reference>) -> Outcome {
        let mut backend = self.make();
        let is_sparse = matches!(problem.features(), Features::Csr(_));
        let lacks_dx = is_sparse && !backend.supports(Feature::CsrFeaturesGradient);
        let set = self.outputs();
        let asked = if lacks_dx { set.without(OutputKind::FeaturesGradient) } else { set };
        let outcome = match evaluate(backend.as_mut(), problem, asked) {
            Ok((evaluation, outputs)) => {
                let reference = expected.get_or_init(|| reference(problem, OutputSet::ALL));
                judge_against(reference, &evaluation, &outputs, asked)
            }
            Err(error) => error.into(),
        };
        outcome.map_faults(|fault| fault.about(problem))
    }
}

/// The outputs in `set` that the backend supports.
pub(crate) fn given<T: Element>(backend: &dyn SoftmaxBackend<T>, set: OutputSet) -> OutputSet {
    set.iter().filter(|&kind| kind.feature().is_none_or(|feature| backend.supports(feature))).collect()
}

/// The outputs in `set` without unsupported row facts. Other unsupported outputs stay: the backend must refuse them.
pub(crate) fn given_or_refused<T: Element>(backend: &dyn SoftmaxBackend<T>, set: OutputSet) -> OutputSet {
    let gives = |kind: OutputKind| kind.feature().is_none_or(|f| !f.is_row_fact() || backend.supports(f));
    set.iter().filter(|&kind| gives(kind)).collect()
}

/// The outcome of `test`. A panic is a failure.
pub(crate) fn caught(test: impl FnOnce() -> Outcome) -> Outcome {
    // After a panic, nothing that the test changed is used again, except a backend that the caller keeps. Its later
    // answers are checked too.
    catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text =
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("with an unknown payload");
        Outcome::Failed(vec![Fault::failed(format!("panicked: {text}"))])
    })
}

/// Evaluates the outputs in `set` and compares them with the oracle.
pub(crate) fn judge_call<T: Element>(
    backend: &mut dyn SoftmaxBackend<T>,
    problem: &Problem<'_, T>,
    set: OutputSet,
) -> Result<Outcome, Error> {
    let (evaluation, outputs) = evaluate(backend, problem, set)?;
    Ok(judge_answer(problem, set, &evaluation, &outputs))
}

/// Compares an answer with the oracle.
pub(crate) fn judge_answer<T: Element>(
    problem: &Problem<'_, T>,
    set: OutputSet,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
) -> Outcome {
    judge_against(&reference(problem, set), evaluation, outputs, set)
}

/// Compares an answer with a reference that was computed earlier.
pub(crate) fn judge_against<T: Element>(
    reference: &Reference,
    evaluation: &Evaluation,
    outputs: &OwnedOutputs<T>,
    asked: OutputSet,
) -> Outcome {
    let errors = check_some(evaluation, outputs, reference, asked);
    let wrong = errors.iter().filter(|error| !error.is_within_bound());
    let faults: Vec<Fault> = wrong.map(|error| Fault::of_output(error, T::DTYPE)).collect();
    if faults.is_empty() { Outcome::Passed(errors) } else { Outcome::Failed(faults) }
}

/// Evaluates the outputs in `set`. Before the call, their arrays hold a value that is no valid answer, such as NaN.
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
    outputs.entropy.iter_mut().for_each(|a| a.fill(nan));
    outputs.label_log_prob.iter_mut().for_each(|a| a.fill(T::one()));
    outputs.label_rank.iter_mut().for_each(|a| a.fill(usize::MAX));
    outputs.top_classes.iter_mut().for_each(|a| a.fill(usize::MAX));
    outputs.top_log_prob.iter_mut().for_each(|a| a.fill(nan));
    let evaluation = backend.evaluate(problem, &mut outputs.as_outputs())?;
    Ok((evaluation, outputs))
}
