//! The linear softmax loss on a CPU, fused: the N×C scores are never stored, X is read once, and the same
//! problem gives the same bits whatever the number of threads.

#![forbid(unsafe_code)]

mod backend;
mod kernel;
mod narrow;
mod terms;
mod wide;

pub use backend::Fused;
pub use kernel::lanes::Level;
pub use softmax_core::*;
