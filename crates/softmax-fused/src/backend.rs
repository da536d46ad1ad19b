use crate::kernel::lanes::{FusedElement, Level};
use crate::terms::Terms;
use crate::{narrow, wide};
use rayon::ThreadPool;
use softmax_core::{Descriptor, Error, Evaluation, Outputs, Problem, Result, SoftmaxBackend, Targets};
use std::sync::Arc;

/// Memory beyond inputs, outputs and the packed copy of W, unless it is set.
const DEFAULT_MEMORY: usize = 64 << 20;

/// The backend `fused`.
#[derive(Clone, Debug)]
pub struct Fused {
    level: Level,
    pool: Option<Arc<ThreadPool>>,
    memory: usize,
    single: Scratch<f32>,
    double: Scratch<f64>,
}

#[derive(Clone, Debug, Default)]
struct Scratch<T> {
    narrow: narrow::Scratch<T>,
    wide: wide::Scratch<T>,
}

impl Fused {
    /// With the widest vectors that this machine has, in the caller's rayon pool.
    pub fn detect() -> Self {
        Self::with_level(Level::detect())
    }

    /// With the vectors of a level, in the caller's rayon pool.
    pub fn with_level(level: Level) -> Self {
        Fused {
            level,
            pool: None,
            memory: DEFAULT_MEMORY,
            single: Scratch::default(),
            double: Scratch::default(),
        }
    }

    /// In a pool of its own of so many threads.
    ///
    /// # Errors
    /// [`Error::Backend`] if the system does not give that many threads.
    pub fn threads(mut self, threads: usize) -> Result<Self> {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| Error::Backend {
                backend: "fused".to_owned(),
                message: format!("no pool of {threads} threads"),
                source: Some(Box::new(error)),
            })?;
        self.pool = Some(Arc::new(pool));
        Ok(self)
    }

    /// Holds at most about so many bytes beyond inputs, outputs and the packed copy of W, but enough for one task
    /// (up to 64 classes), or a block of six rows (more classes). Default 64 MiB.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    fn descriptor(&self) -> Descriptor {
        let threads = self.pool.as_ref().map_or_else(rayon::current_num_threads, |p| p.current_num_threads());
        Descriptor {
            name: "fused".into(),
            device: "cpu".into(),
            simd: self.level.name().into(),
            threads,
            deterministic: true,
        }
    }
}

fn evaluate<T: FusedElement>(
    level: Level,
    scratch: &mut Scratch<T>,
    memory: usize,
    pool: Option<&ThreadPool>,
    problem: &Problem<'_, T>,
    outputs: &mut Outputs<'_, T>,
) -> Evaluation {
    let terms = Terms::new(problem);
    let (loss_sum, correct) = if problem.n_classes() <= narrow::MOST_CLASSES {
        narrow::evaluate(level, &mut scratch.narrow, &terms, problem, outputs, memory, pool)
    } else {
        let mut work = || wide::evaluate(level, &mut scratch.wide, &terms, problem, outputs, memory);
        match pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    };
    Evaluation {
        loss: loss_sum / terms.total_weight + terms.penalty(),
        total_weight: terms.total_weight,
        correct: matches!(problem.targets(), Targets::Labels(_)).then_some(correct),
    }
}

impl SoftmaxBackend<f32> for Fused {
    fn descriptor(&self) -> Descriptor {
        self.descriptor()
    }

    fn evaluate(&mut self, problem: &Problem<'_, f32>, outputs: &mut Outputs<'_, f32>) -> Result<Evaluation> {
        outputs.check(problem)?;
        Ok(evaluate(self.level, &mut self.single, self.memory, self.pool.as_deref(), problem, outputs))
    }
}

impl SoftmaxBackend<f64> for Fused {
    fn descriptor(&self) -> Descriptor {
        self.descriptor()
    }

    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        outputs.check(problem)?;
        Ok(evaluate(self.level, &mut self.double, self.memory, self.pool.as_deref(), problem, outputs))
    }
}
