//! Where problems come from: the embedded digits, a seeded generator, and files as people have them (`.npz`, `.npy`,
//! CSV, IDX, CIFAR-10, svmlight, safetensors); and where results go: `.npz`.
//!
//! Data goes one way: a source gives a [`Dataset`], and a data set with an objective gives an
//! [`OwnedProblem`](softmax_core::OwnedProblem).

#![forbid(unsafe_code)]

mod cifar;
mod csv;
mod dataset;
mod digits;
mod elements;
mod error;
mod idx;
mod named;
mod npy;
mod npy_elements;
mod npz;
mod output;
mod read;
mod safetensors;
mod source;
mod svmlight;
mod synthetic;

pub use dataset::{Dataset, Labels};
pub use digits::digits;
pub use error::{DataError, Result};
pub use npz::{float_type_of_npz, read_evaluation_npz, read_npz, write_evaluation_npz, write_problem_npz};
pub use output::{WriteSeek, write_atomically};
pub use read::{Format, ReadOptions, read, read_weights};
pub use synthetic::{random_weights, synthetic};
