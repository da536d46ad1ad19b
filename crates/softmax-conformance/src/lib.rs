//! A judge for implementations of the linear softmax loss: an oracle that evaluates the formula of
//! [`softmax_core`] to some 31 digits, bounds derived from a rounding analysis of each problem, and a suite of
//! some 3000 cases per element type that any backend can be put to.
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
//! `report.assert_success()` makes a test of it; with the feature `libtest` each case is a test of its own
//! (`trials`). The environment variable `SOFTMAX_CONFORMANCE_FILTER` chooses cases by a part of their names.
//!
//! # Write a backend
//!
//! 1. A type that owns its scratch, in a crate with these lines:
//!
//!    ```toml
//!    [dependencies]
//!    softmax-core = { path = "../softmax/crates/softmax-core" }
//!
//!    [dev-dependencies]
//!    softmax-conformance = { path = "../softmax/crates/softmax-conformance" }
//!    ```
//!
//! 2. [`Backend`](softmax_core::Backend) for it: its name, and what it supports, where that is not everything but
//!    half precision, sparse rows, facts of rows and two passes. [`SoftmaxBackend`](softmax_core::SoftmaxBackend) for it: call `check`, which refuses
//!    what it does not support with [`Error::Unsupported`](softmax_core::Error::Unsupported), compute, write what is asked for.
//! 3. A test, for `cargo test --release` (without, the oracle takes twenty times as long):
//!
//!    ```no_run
//!    # type Mine = softmax_naive::Naive;
//!    #[test]
//!    fn conforms() {
//!        use softmax_conformance::{Runner, Suite};
//!
//!        let report = Runner::new().run(&Suite::<f64>::full(), || Box::new(Mine::default()));
//!        // All that it says that it supports; what it does not is in the report, by feature.
//!        report.assert_success();
//!    }
//!    ```
//!
//!    [`Report::assert_complete_but`] admits only some features as not supported, and [`Report::assert_complete`] none.
//!
//! `examples/examples/write_a_backend.rs` in the repository is such a backend, whole.
//!
//! 4. Where it has them, overrides of [`loss`](softmax_core::SoftmaxBackend::loss) and
//!    [`gradients`](softmax_core::SoftmaxBackend::gradients), which are judged too, and
//!    [`hessian`](softmax_core::SoftmaxBackend::hessian): what it gives is put to the cases `hessian/`.
//!    [`two_pass`](softmax_core::SoftmaxBackend::two_pass), together with support of
//!    [`Feature::TwoPasses`](softmax_core::Feature::TwoPasses): put to the cases `two-pass/`.
//! 5. [`RandomProblem`]s for an hour, as `softmax verify --minutes 60` draws them; and [`judge_in_turns`], if one instance
//!    computes in both types.
//!
//! # What the suite holds a backend to
//!
//! * **Accuracy**: every output against the oracle, each entry within its own bound. The bounds follow the
//!   errors of a computation in the element type through the formula, to first order: a sum of n terms may
//!   be off by n·u·Σ|t|, with u the unit roundoff, so that bounds grow with D and C. Sums over samples are held to
//!   blocks of some hundred terms; loss and total weight are summed in f64, so that theirs do not grow with N. The report
//!   says how close to its bounds a backend came. In `golden/` the answers are also known to 60 digits from another program.
//! * **Confident predictions**: where a sample's own class has nearly all of the probability, the loss is
//!   about Σ_{c≠y} exp(s_c − s_y), and a loss of 1e-20 must have its digits, too. The textbook's
//!   `(Σ exp(s − m)).ln() + m − s_y` and `p_y − 1` round them away. Leave the largest term out and take
//!   `ln_1p` of the sum of the others; and for the label's entry of ∂loss/∂S take −Σ of the other p,
//!   not p_y − 1.
//! * **Everything crossed** (`crossed/`, `crossed-outputs/`, `crossed-values/`, `crossed-storage/`, `crossed-plain/`):
//!   covering arrays, in which every pair of an option, a size, a layout of an input or an output, a choice of outputs, a kind
//!   of numbers and a storage is met.
//! * **Edges and extremes** (`edges/`, `extremes/`, `masks/`, `rows/`, `ties/`, `shapes/`): no samples, no features, numbers at
//!   the ends of what the type holds, masked classes, a NaN that must stay in its sample, equal scores at every place, outputs
//!   of the wrong shape.
//! * **Facts of rows** (`facts/`), of a backend that gives them: each alone, of rows with margins up to 700, of equal scores, of
//!   ignored labels, and of all classes. Every other case asks for them too.
//! * **Two passes** (`two-pass/`), of a backend that has them: the small cases with their classes in shards of many sizes, shards
//!   without a label and shards that are masked whole, and coefficients of losses, entropies and lse of both signs.
//! * **Memory of earlier calls** (`state/`): none, after other problems, failures and NaN, and where the numbers at an address
//!   have changed.
//! * **Found** (`found/`): random problems on which a backend was wrong once.
//! * **Properties**: of the loss as a function, on random problems that shrink when they fail.
//! * **Behaviour**: the same answers from one instance after other problems, with fewer outputs (none, each alone, all but one),
//!   and, from a backend that says it is deterministic, the same bits for any number of threads.

#![forbid(unsafe_code)]
// The documentation's example is a test for its reader to copy.
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
    DOUBLE_DOUBLE_LIMIT, Expected, Precision, Reference, TopClass, TopRow, central_difference, reference,
    reference_bytes,
};
pub use report::{CaseFailure, Kind, Report, Skipped, Unsupported, Worst};
pub use runner::{FAIL_FAST_VARIABLE, FILTER_VARIABLE, Runner};
pub use search::{RandomProblem, judge_in_turns};
pub use storage::{FeatureStorage, LabelStorage, Storage, StoredProblem, WeightStorage};
pub use suite::{Suite, cases};
