//! Where problems come from: the embedded digits, a seeded generator, and NumPy's `.npz` files; and where
//! results go: `.npz` again.
//!
//! Data goes one way: a source gives a [`Dataset`], and a data set with an objective gives an
//! [`OwnedProblem`](softmax_core::OwnedProblem).

#![forbid(unsafe_code)]

mod dataset;
mod digits;
mod error;
mod npy_elements;
mod npz;
mod output;
mod synthetic;

pub use dataset::{Dataset, Labels};
pub use digits::digits;
pub use error::{DataError, Result};
pub use npz::{float_type_of_npz, read_answer_npz, read_npz, read_weights_npz, write_npz, write_problem_npz};
pub use output::{WriteSeek, write_atomically};
pub use synthetic::{random_weights, synthetic};
