//! Backends that promise identical bits and break the promise. Each is right within every bound, and the suite must
//! catch each.

use softmax_conformance::{Runner, Suite};
use softmax_core::{
    Backend, Descriptor, Evaluation, Outputs, Problem, Result, Setting, SoftmaxBackend, Variant,
};
use softmax_naive::Naive;

/// What the bits depend on, against the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    Level,
    Memory,
    Batch,
    Threads,
}

/// [`Naive`] with promises of identical bits.
struct Promises {
    inner: Naive,
    broken: Broken,
    /// The setting that this variant changes, or `None`.
    set: Option<Setting>,
}

impl Promises {
    fn new(broken: Broken) -> Self {
        Promises { inner: Naive::new(), broken, set: None }
    }
}

impl Backend for Promises {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: format!("{:?}", self.broken).into(),
            deterministic: true,
            ..self.inner.descriptor()
        }
    }

    fn is_batch_invariant(&self) -> bool {
        true
    }
}

impl SoftmaxBackend<f64> for Promises {
    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        let mut evaluation = self.inner.evaluate(problem, outputs)?;
        let n = problem.n_samples();
        match self.broken {
            // As if other chunks of features gave other sums.
            Broken::Level if self.set == Some(Setting::Level) && problem.n_features() > 512 => {
                evaluation.loss = evaluation.loss.next_up();
            }
            // As if the memory limit changed the block of rows.
            Broken::Memory if self.set == Some(Setting::Memory) && n > 1000 => {
                if let Some(db) = &mut outputs.bias_gradient {
                    db[0] = db[0].next_up();
                }
            }
            // As if rows that do not fill a tile took another code path.
            Broken::Batch => {
                if let Some(lse) = &mut outputs.log_sum_exp {
                    (n / 12 * 12..n).for_each(|i| lse[i] = lse[i].next_up());
                }
            }
            // As if each thread had a partial sum.
            Broken::Threads if rayon::current_num_threads() > 3 && n > 1000 => {
                if let Some(dw) = &mut outputs.weights_gradient {
                    dw.mapv_inplace(f64::next_up);
                }
            }
            _ => {}
        }
        Ok(evaluation)
    }

    fn variants(&self, setting: Setting) -> Vec<Variant<f64>> {
        let backend = Promises { inner: Naive::new(), broken: self.broken, set: Some(setting) };
        vec![Variant { name: "otherwise".into(), backend: Box::new(backend) }]
    }
}

/// The names of the cases that fail.
fn failures(broken: Broken, cases: &str) -> Vec<String> {
    let report =
        Runner::new().filter(cases).run(Suite::<f64>::shared(), move || Box::new(Promises::new(broken)));
    assert!(report.ran() > 0, "no case is named {cases}");
    report.failures.into_iter().map(|failure| failure.name).collect()
}

#[test]
fn a_broken_promise_is_caught_by_the_cases_for_it() {
    let promises = [
        (Broken::Level, "behaviour/levels"),
        (Broken::Memory, "behaviour/memory"),
        (Broken::Batch, "behaviour/batch"),
        (Broken::Threads, "behaviour/threads"),
    ];
    for (broken, cases) in promises {
        assert_ne!(failures(broken, cases), Vec::<String>::new(), "{broken:?} is not caught");
        assert_eq!(failures(Broken::Nothing, cases), Vec::<String>::new(), "a kept promise is blamed");
    }
}
