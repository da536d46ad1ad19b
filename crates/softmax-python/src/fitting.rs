//! Training, interruptible by Ctrl-C.

use crate::crew::{self, Ask, Whole};
use crate::error::{CallError, Result};
use crate::problem::{Problem, by_dtype};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use softmax_fit::{Fit, FitError, Minimum};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The interval between two checks for Python signals during a fit.
const PATIENCE: Duration = Duration::from_millis(50);

/// Minimises the problem's loss, starting from its W and b. Returns a dict with the minimum's W and b, and a report.
#[pyfunction]
pub(crate) fn minimize<'py>(
    py: Python<'py>,
    problem: &Problem,
    solver: &str,
    tol: f64,
    max_iter: Whole,
    fit_intercept: bool,
    threads: Option<Whole>,
) -> Result<Bound<'py, PyDict>> {
    let fit = Fit::new(problem.objective)
        .solver(solver.parse()?)
        .tolerance(tol)
        .max_iterations(usize::try_from(max_iter.0).unwrap_or(0))
        .bias(fit_intercept);
    by_dtype!(problem.dtype, T => minimize_as::<T>(py, problem, &fit, threads))
}

fn minimize_as<'py, T: crew::Computed>(
    py: Python<'py>,
    problem: &Problem,
    fit: &Fit,
    threads: Option<Whole>,
) -> Result<Bound<'py, PyDict>> {
    let read = problem.read::<T>(py)?;
    let parts = read.parts()?;
    let builder = read.builder(&parts)?;
    let problem = py.detach(|| builder.build()).map_err(|error| read.of_caller(error))?;
    let ask = Ask { backend: "fused", threads, simd: None, memory: None };
    let minimum = interruptible(py, |is_interrupted| {
        crew::run(&ask, |backend| -> Result<Minimum<T>, FitError> {
            fit.minimize("X", &problem, backend, &mut |_| {
                if is_interrupted.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        })
    })???;
    let Minimum { weights, bias, report } = minimum;
    let (last, dict) = (report.last(), PyDict::new(py));
    dict.set_item("W", weights.into_pyarray(py))?;
    dict.set_item("b", bias.map(|bias| bias.into_pyarray(py)))?;
    dict.set_item("solver", report.solver.name())?;
    dict.set_item("converged", report.converged())?;
    dict.set_item("reason", report.stop.to_string())?;
    dict.set_item("iterations", last.iteration)?;
    dict.set_item("evaluations", last.evaluations)?;
    dict.set_item("loss", last.loss)?;
    dict.set_item("gradient_max", last.gradient_max)?;
    dict.set_item("seconds", report.seconds)?;
    Ok(dict)
}

/// Computes on another thread, while this one checks for Python signals. If a signal raises an exception, the
/// computation is told to stop by its flag, and the exception is returned after it has stopped.
fn interruptible<R: Send>(py: Python<'_>, compute: impl FnOnce(&AtomicBool) -> R + Send) -> Result<R> {
    let (is_interrupted, is_done) = (AtomicBool::new(false), AtomicBool::new(false));
    let waiting = thread::current();
    thread::scope(|scope| {
        let (is_interrupted, is_done) = (&is_interrupted, &is_done);
        let computing = thread::Builder::new().spawn_scoped(scope, move || {
            let result = compute(is_interrupted);
            is_done.store(true, Ordering::Release);
            waiting.unpark();
            result
        });
        let computing = computing.map_err(CallError::Thread)?;
        while !is_done.load(Ordering::Acquire) && !computing.is_finished() {
            py.detach(|| thread::park_timeout(PATIENCE));
            py.check_signals().inspect_err(|_| is_interrupted.store(true, Ordering::Relaxed))?;
        }
        Ok(computing.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
