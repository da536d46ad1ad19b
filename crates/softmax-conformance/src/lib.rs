//! An oracle for the linear softmax loss, and a suite that any backend can be put to.
#![forbid(unsafe_code)]

mod case;
mod check;
mod oracle;
mod runner;
mod suite;

pub use case::Case;
pub use check::{OutputError, check};
pub use oracle::{DOUBLE_DOUBLE_LIMIT, Expected, Precision, Reference, reference};
pub use runner::run_case;
pub use suite::suite;
