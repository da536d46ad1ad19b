//! The process's side of the protocol: a Rust backend that answers requests over standard input and output.

use crate::protocol::{Call, Evaluate, Hello, Number, OutputName, Reply, Request, VERSION, is_in_protocol};
use crate::received::Received;
use crate::tensors;
use softmax_core::{Dtype, Element, Error, Evaluation, Feature, OutputSet, OwnedOutputs, SoftmaxBackend};
use std::fs;
use std::io::{self, BufRead, Write};
use std::time::Instant;

/// Why [`serve`] stopped before the end of its input.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Standard input or output failed.
    #[error(transparent)]
    Pipe(#[from] io::Error),
    /// A line is not a request.
    #[error("expected a request: {0}")]
    Request(#[from] serde_json::Error),
}

/// Answers requests from standard input on standard output, until the input ends.
///
/// `narrow` evaluates problems in `f32`, and `wide` those in `f64`. `version` names the library and its version.
///
/// # Errors
/// [`ServeError`]. An invalid problem is reported in the answer instead.
pub fn serve(
    mut narrow: Box<dyn SoftmaxBackend<f32>>,
    mut wide: Box<dyn SoftmaxBackend<f64>>,
    version: &str,
) -> Result<(), ServeError> {
    let (input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let descriptor = narrow.descriptor();
    let does = |feature: Feature| match feature {
        Feature::F64 => wide.supports(feature),
        other => narrow.supports(other),
    };
    let hello = Hello {
        protocol: VERSION,
        version: version.to_owned(),
        device: descriptor.device.into_owned(),
        deterministic: descriptor.deterministic,
        batch_invariant: narrow.is_batch_invariant(),
        supports: Feature::ALL
            .iter()
            .copied()
            .filter(|&feature| is_in_protocol(feature) && does(feature))
            .map(name_of)
            .collect(),
    };
    writeln!(output, "{}", serde_json::to_string(&hello)?)?;
    output.flush()?;
    let mut last = None;
    for line in input.lines() {
        let Request { id, call } = serde_json::from_str(&line?)?;
        let reply = match call {
            Call::Evaluate(request) => match Job::read(*request) {
                Ok(job) => {
                    let answer = job.answer(narrow.as_mut(), wide.as_mut());
                    last = Some(job);
                    answer
                }
                Err(error) => failed(error),
            },
            Call::Repeat => match &last {
                Some(job) => job.repeat(narrow.as_mut(), wide.as_mut()),
                None => failed("no problem was evaluated before".to_owned()),
            },
        };
        writeln!(output, "{}", serde_json::to_string(&Reply { id, ..reply })?)?;
        output.flush()?;
    }
    Ok(())
}

/// A problem and its request.
struct Job {
    arrays: Arrays,
    request: Evaluate,
}

enum Arrays {
    F32(Received<f32>),
    F64(Received<f64>),
}

impl Job {
    fn read(request: Evaluate) -> Result<Self, String> {
        let path = &request.problem;
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let arrays = match request.dtype {
            Dtype::F32 => Arrays::F32(Received::read(&bytes)?),
            Dtype::F64 => Arrays::F64(Received::read(&bytes)?),
        };
        Ok(Job { arrays, request })
    }

    fn answer(&self, narrow: &mut dyn SoftmaxBackend<f32>, wide: &mut dyn SoftmaxBackend<f64>) -> Reply {
        let answered = match &self.arrays {
            Arrays::F32(arrays) => self.write(arrays, narrow),
            Arrays::F64(arrays) => self.write(arrays, wide),
        };
        answered.unwrap_or_else(refusal)
    }

    fn repeat(&self, narrow: &mut dyn SoftmaxBackend<f32>, wide: &mut dyn SoftmaxBackend<f64>) -> Reply {
        let seconds = match &self.arrays {
            Arrays::F32(arrays) => self.run(arrays, narrow).map(|(.., seconds)| seconds),
            Arrays::F64(arrays) => self.run(arrays, wide).map(|(.., seconds)| seconds),
        };
        seconds.map_or_else(refusal, |seconds| Reply { seconds: Some(seconds), ..Reply::default() })
    }

    fn write<T: Element>(
        &self,
        arrays: &Received<T>,
        backend: &mut dyn SoftmaxBackend<T>,
    ) -> Result<Reply, Error> {
        let (evaluation, outputs, seconds) = self.run(arrays, backend)?;
        let path = &self.request.answer;
        if let Err(error) = tensors::write(tensors::of_outputs(&outputs), path) {
            return Ok(failed(format!("{}: {error}", path.display())));
        }
        Ok(Reply {
            loss: Some(Number(evaluation.loss)),
            total_weight: Some(Number(evaluation.total_weight)),
            correct: evaluation.correct,
            seconds: Some(seconds),
            ..Reply::default()
        })
    }

    fn run<T: Element>(
        &self,
        arrays: &Received<T>,
        backend: &mut dyn SoftmaxBackend<T>,
    ) -> Result<(Evaluation, OwnedOutputs<T>, f64), Error> {
        let problem = arrays.problem(self.request.options.into())?;
        let set: OutputSet = self.request.outputs.iter().map(|&OutputName(kind)| kind).collect();
        let mut outputs = OwnedOutputs::zeros_with_top(&problem, set, self.request.top);
        let start = Instant::now();
        let evaluation = backend.evaluate(&problem, &mut outputs.as_outputs())?;
        Ok((evaluation, outputs, start.elapsed().as_secs_f64()))
    }
}

fn failed(error: String) -> Reply {
    Reply { error: Some(error), ..Reply::default() }
}

fn refusal(error: Error) -> Reply {
    match error {
        Error::Unsupported { feature, .. } => {
            Reply { unsupported: Some(name_of(feature)), ..Reply::default() }
        }
        // The other side adds the backend's name, so only the message is sent.
        Error::Backend { message, .. } => failed(message),
        error => failed(error.to_string()),
    }
}

/// The name of a feature in the protocol.
fn name_of(feature: Feature) -> String {
    serde_json::to_value(feature).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
