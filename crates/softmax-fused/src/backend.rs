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
    narrow_up_to: usize,
    single: Scratch<f32>,
    double: Scratch<f64>,
}

#[derive(Clone, Debug, Default)]
struct Scratch<T> {
    narrow: narrow::Scratch<T>,
    wide: wide::Scratch<T>,
}

impl Fused {
    /// The kernel for few classes takes so many at most.
    pub const MOST_NARROW_CLASSES: usize = narrow::MOST_CLASSES;

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
            narrow_up_to: Self::MOST_NARROW_CLASSES,
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

    /// Uses the kernel for few classes up to so many, [`MOST_NARROW_CLASSES`](Self::MOST_NARROW_CLASSES) at most, which is
    /// the default; `cargo xtask bench` measures where the two kernels meet.
    #[must_use]
    pub fn narrow_up_to(mut self, classes: usize) -> Self {
        self.narrow_up_to = classes.min(Self::MOST_NARROW_CLASSES);
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

impl Fused {
    fn evaluate_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation> {
        outputs.check(problem)?;
        let (level, memory, pool) = (self.level, self.memory, self.pool.clone());
        let is_narrow = problem.n_classes() <= self.narrow_up_to;
        let scratch = scratch(self);
        let terms = Terms::new(problem);
        let (loss_sum, correct) = if is_narrow {
            narrow::evaluate(level, &mut scratch.narrow, &terms, problem, outputs, memory, pool.as_deref())
        } else {
            let mut work = || wide::evaluate(level, &mut scratch.wide, &terms, problem, outputs, memory);
            match &pool {
                Some(pool) => pool.install(work),
                None => work(),
            }
        };
        Ok(Evaluation {
            loss: loss_sum / terms.total_weight + terms.penalty(),
            total_weight: terms.total_weight,
            correct: matches!(problem.targets(), Targets::Labels(_)).then_some(correct),
        })
    }
}

impl SoftmaxBackend<f32> for Fused {
    fn descriptor(&self) -> Descriptor {
        self.descriptor()
    }

    fn evaluate(&mut self, problem: &Problem<'_, f32>, outputs: &mut Outputs<'_, f32>) -> Result<Evaluation> {
        self.evaluate_with(|fused| &mut fused.single, problem, outputs)
    }
}

impl SoftmaxBackend<f64> for Fused {
    fn descriptor(&self) -> Descriptor {
        self.descriptor()
    }

    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        self.evaluate_with(|fused| &mut fused.double, problem, outputs)
    }
}
