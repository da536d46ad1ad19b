//! Checks implementations of the linear softmax loss: a reference, called the oracle, that evaluates the formula of
//! [`softmax_core`] with about 31 digits, error bounds derived from a rounding analysis of each problem, and a suite of
//! about 3000 cases per element type for any backend.
//!
//! # Is my backend right?
//!
//! ```no_run
//! use softmax_conformance::{Runner, Suite};
//! # type Mine = softmax_naive::Naive;
//! let report = Runner::new().run(&Suite::<f64>::full(), || Box::new(Mine::default()));
//! println!("{report}");
//! # assert!(report.is_success());
//! ```
//!
//! `report.assert_success()` makes it a test. With the feature `libtest` each case is a separate test (`trials`). The
//! environment variable `SOFTMAX_CONFORMANCE_FILTER` selects cases by words of their names.
//!
//! # Write a backend
//!
//! 1. A type that owns its working memory, in a crate with these lines:
//!
//!    ```toml
//!    [dependencies]
//!    softmax-core = { path = "../softmax/crates/softmax-core" }
//!
//!    [dev-dependencies]
//!    softmax-conformance = { path = "../softmax/crates/softmax-conformance" }
//!    ```
//!
//! 2. An implementation of [`Backend`](softmax_core::Backend): its name, and the features that it supports. By default
//!    these are all features except half precision, sparse features, row facts, two passes and parts of the samples.
//!    Then an implementation of [`SoftmaxBackend`](softmax_core::SoftmaxBackend): call `check`, which refuses
//!    unsupported problems with [`Error::Unsupported`](softmax_core::Error::Unsupported), compute, and write the
//!    requested outputs.
//! 3. A test. Run it with `cargo test --release`: in a debug build the oracle takes twenty times as long.
//!
//!    ```no_run
//!    # type Mine = softmax_naive::Naive;
//!    #[test]
//!    fn conforms() {
//!        use softmax_conformance::{Runner, Suite};
//!
//!        let report = Runner::new().run(&Suite::<f64>::full(), || Box::new(Mine::default()));
//!        // Checks everything that the backend supports; the report lists the rest by feature.
//!        report.assert_success();
//!    }
//!    ```
//!
//!    [`Report::assert_complete_but`] takes the features that may be unsupported; [`Report::assert_complete`] allows
//!    none.
//!
//! `examples/examples/write_a_backend.rs` in the repository is a complete backend.
//!
//! 4. Optional methods. The cases `provided/` check overrides of [`loss`](softmax_core::SoftmaxBackend::loss) and
//!    [`gradients`](softmax_core::SoftmaxBackend::gradients). The cases `hessian/` check
//!    [`hessian`](softmax_core::SoftmaxBackend::hessian). The cases `two-pass/` check
//!    [`two_pass`](softmax_core::SoftmaxBackend::two_pass), if the backend has it. It must then support
//!    [`Feature::TwoPasses`](softmax_core::Feature::TwoPasses).
//! 5. Random problems, as many as you have time for: [`RandomProblem`]. `softmax verify --minutes 60` draws them for an
//!    hour. If one instance computes in both element types, also call [`judge_in_turns`].
//!
//! # What the suite checks
//!
//! * **Accuracy**: every output is compared with that of the oracle, and each entry has its own tolerance. The
//!   tolerance follows the rounding errors of a computation in the element type through the formula, to first order: a
//!   sum of n terms may be off by n·u·Σ|t|, with u the unit roundoff, so it grows with D and C. Sums over samples are
//!   allowed the error of sums in blocks of some hundred terms. Loss and total weight are summed in f64, so their
//!   tolerances do not grow with N. The report shows how close to its tolerances a backend came. For `golden/`, an
//!   independent program computed 60 digits.
//! * **Confident predictions**: if the label's class has nearly all of the probability, the loss is about
//!   Σ_{c≠y} exp(s_c − s_y), and even a loss of 1e-20 must be accurate in relative terms. The textbook's
//!   `(Σ exp(s − m)).ln() + m − s_y` and `p_y − 1` lose all digits. Instead, leave out the largest term and take
//!   `ln_1p` of the sum of the others. For the label's entry of ∂loss/∂S, take −Σ of the other p instead of p_y − 1.
//! * **Everything crossed** (`crossed/`, `crossed-outputs/`, `crossed-values/`, `crossed-storage/`, `crossed-plain/`):
//!   covering arrays. They contain the pairs of choices of options, sizes, layouts of inputs and outputs, sets of
//!   outputs, kinds of numbers and storage types, except for pairs that are too large for the oracle. Extreme, masked
//!   and non-finite numbers are only combined with all outputs and plain storage.
//! * **Edges and extremes** (`edges/`, `extremes/`, `masks/`, `rows/`, `ties/`, `shapes/`): no samples, no features,
//!   numbers at the limits of the element type's range, masked classes, a NaN that must stay in its sample, equal
//!   scores at any positions, and outputs of the wrong shape.
//! * **Row facts** (`facts/`), if the backend supports them: each requested alone, for margins up to 700, equal scores
//!   and ignored labels, and with all classes requested as best classes. Cases that request all outputs check them too.
//! * **Two passes** (`two-pass/`), if the backend supports them: the small cases with their classes in shards of many
//!   sizes, shards without a label, fully masked shards, and coefficients of losses, entropies and lse of both signs.
//! * **State** (`state/`): no call affects a later one, neither after other problems, failures and NaN, nor after
//!   arrays were changed in place.
//! * **Regressions** (`found/`): random problems that once revealed a fault.
//! * **Properties** (`properties/`): properties of the loss as a function, such as convexity, tested on random problems
//!   that are shrunk on failure.
//! * **Behaviour** (`behaviour/`): the same answers from one instance after other problems and with fewer outputs
//!   (none, each alone, all except one). Where a backend promises it, also the same bits for any number of threads,
//!   vector instructions, memory limit and batch.

#![forbid(unsafe_code)]
// The example in the documentation is a test for readers to copy.
#![allow(clippy::test_attr_in_doctest)]

mod case;
mod check;
mod combination;
mod covering;
mod fault;
mod generator;
mod hessian;
mod layout;
#[cfg(feature = "libtest")]
mod mimic;
mod oracle;
mod placed_outputs;
mod report;
mod runner;
mod search;
mod storage;
mod suite;
mod test;
mod values;

pub use case::Case;
pub use check::{OutputError, check};
pub use fault::{Fault, ProblemSummary, Symptom};
pub use generator::{Choices, Generator};
pub use hessian::{HessianReport, check_hessian};
#[cfg(feature = "libtest")]
pub use mimic::{main, trials};
pub use oracle::{
    DOUBLE_DOUBLE_LIMIT, Difference, Expected, Precision, Reference, TopClass, TopRow, central_difference,
    gradient_units, reference, reference_bytes,
};
pub use report::{CaseFailure, Kind, Report, Skipped, Unsupported, Worst};
pub use runner::{FAIL_FAST_VARIABLE, FILTER_VARIABLE, Runner};
pub use search::{RandomProblem, judge_in_turns};
pub use storage::{FeatureStorage, LabelStorage, Storage, StoredProblem, WeightStorage};
pub use suite::{Suite, cases};
