use crate::kernel::level::{FusedElement, Level};
use crate::orders::group_classes;
use crate::params::KernelParams;
use crate::rounds::Crew;
use crate::stored::{Dense, Samples, Stored};
use crate::terms::{Terms, clear_ignored};
use crate::wide::Means;
use crate::{narrow, wide};
use rayon::ThreadPool;
use softmax_core::{
    Backend, Descriptor, Element, Error, Evaluation, Feature, HessianVectorProduct, Outputs, Problem, Result,
    Setting, SoftmaxBackend, TwoPass, Variant,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Default of [`Fused::memory`] in bytes, unless W is larger.
const DEFAULT_MEMORY: usize = 64 << 20;

/// Upper limit of [`Fused::threads`]. A larger number is a mistake: the system takes minutes to start that many
/// threads.
const MOST_THREADS: usize = 1024;

/// The backend `fused`.
#[derive(Clone, Debug)]
pub struct Fused {
    level: Level,
    threads: Option<usize>,
    /// A pool of `threads` threads, started on first use.
    pool: Option<Arc<ThreadPool>>,
    memory: Option<usize>,
    narrow_up_to: usize,
    params: KernelParams,
    pub(crate) single: Scratch<f32>,
    pub(crate) double: Scratch<f64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    pub(crate) narrow: narrow::Scratch<T>,
    pub(crate) wide: wide::Scratch<T>,
}

impl Default for Fused {
    fn default() -> Self {
        Self::new()
    }
}

impl Fused {
    /// The largest number of classes that the narrow kernel supports.
    pub const MOST_NARROW_CLASSES: usize = narrow::MOST_CLASSES;

    /// Uses the widest vectors that this machine supports, and the caller's rayon pool.
    pub fn new() -> Self {
        Fused {
            level: Level::detect(),
            threads: None,
            pool: None,
            memory: None,
            narrow_up_to: Self::MOST_NARROW_CLASSES,
            params: KernelParams::default(),
            single: Scratch::default(),
            double: Scratch::default(),
        }
    }

    /// Sets the instruction set. On a processor with fused multiply-add it changes no bit of a result.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Runs in a pool of its own with this number of threads, from 1 to 1024, in place of the caller's rayon pool.
    ///
    /// The first evaluation starts the pool. It fails with [`Error::Backend`] if the number is out of range or the
    /// system cannot start that many threads.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        (self.threads, self.pool) = (Some(threads), None);
        self
    }

    /// Limits working memory, beyond inputs and outputs, to about this number of bytes. Default: 64 MiB, or the size of
    /// W if that is more.
    ///
    /// A minimum is always allocated: the memory of one task (up to 64 classes) or of a block of 192 rows (more
    /// classes). Sparse features also need a copy of W, unless the rows of W are contiguous and of the element type.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Sets the largest number of classes that the narrow kernel computes:
    /// [`MOST_NARROW_CLASSES`](Self::MOST_NARROW_CLASSES) at most, which is the default. `cargo xtask bench` measures
    /// where the two kernels meet.
    #[must_use]
    pub fn narrow_up_to(mut self, classes: usize) -> Self {
        self.narrow_up_to = classes.min(Self::MOST_NARROW_CLASSES);
        self
    }

    /// Sets the block sizes of the wide kernel. They change no bit of a result.
    #[must_use]
    pub fn params(mut self, params: KernelParams) -> Self {
        self.params = params.rounded();
        self
    }

    /// Its own pool, started if necessary. `None` if it uses the caller's.
    pub(crate) fn pool(&mut self) -> Result<Option<Arc<ThreadPool>>> {
        let (Some(threads), None) = (self.threads, &self.pool) else { return Ok(self.pool.clone()) };
        let failed = |message, source| Error::Backend { backend: "fused".to_owned(), message, source };
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(failed(format!("expected 1 to {MOST_THREADS} threads, found {threads}"), None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| {
            failed(format!("could not start {threads} threads"), Some(Box::new(error) as Box<_>))
        })?;
        self.pool = Some(Arc::new(pool));
        Ok(self.pool.clone())
    }

    /// Whether the narrow kernel computes the problem if its features are dense.
    pub(crate) fn is_narrow<T: FusedElement>(&self, problem: &Problem<'_, T>) -> bool {
        problem.n_classes() <= self.narrow_up_to
    }

    /// Memory, block sizes and threads of one call.
    pub(crate) fn means<'p, T: FusedElement>(
        &self,
        problem: &Problem<'_, T>,
        pool: Option<&'p ThreadPool>,
    ) -> Means<'p> {
        let of_weights = problem.n_features() * problem.n_classes() * size_of::<T>();
        let memory = self.memory.unwrap_or(DEFAULT_MEMORY.max(of_weights));
        Means { memory, params: self.params, crew: Crew::new(self.level, pool) }
    }
}

impl Fused {
    fn evaluate_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
        outputs: &mut Outputs<'_, T>,
    ) -> Result<Evaluation> {
        let pool = self.pool()?;
        let means = self.means(problem, pool.as_deref());
        let stored = Stored::new(problem);
        let (crew, is_narrow, scratch) = (means.crew, self.is_narrow(problem), scratch(self));
        let terms = Terms::new(problem, &stored);
        let (loss_sum, correct) = match stored.features {
            Samples::Dense(features) if is_narrow => {
                let dense = Dense { features, weights: stored.weights };
                let means = (means.memory, crew);
                narrow::evaluate(&mut scratch.narrow, &terms, &dense, None, outputs, means)
            }
            Samples::Dense(_) | Samples::Csr(_) => {
                wide::evaluate(&mut scratch.wide, &terms, &stored, outputs, means)
            }
        };
        clear_ignored(&terms, problem.n_samples(), outputs);
        let squared_norm = || stored.weights.sums_of_squares(group_classes::<T>(), crew).iter().sum();
        Ok(Evaluation {
            loss: terms.loss(loss_sum, squared_norm),
            total_weight: terms.total_weight,
            correct: problem.has_labels().then_some(correct),
        })
    }
}

impl Backend for Fused {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "fused".into(),
            device: "cpu".into(),
            simd: self.level.name().into(),
            threads: self.threads.unwrap_or_else(rayon::current_num_threads),
            deterministic: true,
        }
    }

    fn supports(&self, feature: Feature) -> bool {
        feature != Feature::CsrFeaturesGradient
    }

    fn is_batch_invariant(&self) -> bool {
        true
    }
}

impl Fused {
    /// This backend with each value of a setting, and the value's name.
    fn others(&self, setting: Setting) -> Vec<(Cow<'static, str>, Fused)> {
        match setting {
            Setting::Level => {
                let levels = Level::available().into_iter();
                levels.map(|level| (level.name().into(), self.clone().level(level))).collect()
            }
            Setting::Memory => {
                let sizes = [1, 100 << 10, 1 << 20, 16 << 20, 1 << 30].into_iter();
                sizes.map(|bytes| (format!("{bytes} bytes").into(), self.clone().memory(bytes))).collect()
            }
        }
    }
}

fn boxed<T: Element>(others: Vec<(Cow<'static, str>, Fused)>) -> Vec<Variant<T>>
where
    Fused: SoftmaxBackend<T>,
{
    let variant = |(name, backend)| Variant { name, backend: Box::new(backend) as Box<_> };
    others.into_iter().map(variant).collect()
}

impl SoftmaxBackend<f32> for Fused {
    fn evaluate(&mut self, problem: &Problem<'_, f32>, outputs: &mut Outputs<'_, f32>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        self.evaluate_with(|fused| &mut fused.single, problem, outputs)
    }

    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<f32>> {
        Some(self)
    }

    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<f32>> {
        Some(self)
    }

    fn variants(&self, setting: Setting) -> Vec<Variant<f32>> {
        boxed(self.others(setting))
    }
}

impl SoftmaxBackend<f64> for Fused {
    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        self.check(problem, outputs)?;
        self.evaluate_with(|fused| &mut fused.double, problem, outputs)
    }

    fn hessian(&mut self) -> Option<&mut dyn HessianVectorProduct<f64>> {
        Some(self)
    }

    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<f64>> {
        Some(self)
    }

    fn variants(&self, setting: Setting) -> Vec<Variant<f64>> {
        boxed(self.others(setting))
    }
}
